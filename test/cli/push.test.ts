import { createHash, verify, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { PushDesk } from "../../hosts/moddable/push-desk.js";
import { nodeClock } from "../../hosts/node/clock.js";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import { equal, ok } from "../support/assert.js";
import { Folder } from "./run.js";

const SECRET = "a secret of the desk";

/** A board that listens; what becomes of an image is the test's to say. */
class Board {
  readonly running = { projectName: "my-app", version: "1.0.0" };
  job: object | undefined = { id: "before", status: "SUCCEEDED", details: {} };
  image: Uint8Array | undefined;
  signature = "";
  failure: unknown;
  /** So many connections are closed at once, as `PushDesk` has it after a wrong secret. */
  deaf = 0;
  readonly #server: Server;

  constructor(private readonly installed: (board: Board) => void) {
    const desk = new PushDesk({
      ...{ secret: SECRET, crypto: nodeCrypto, clock: nodeClock, random: Math.random, log: () => {} },
      status: () => ({ ...this.running, job: this.job }),
      update: (url) => void this.#fetch(url).catch((error) => (this.failure = error)),
    });
    this.#server = createServer((socket) => {
      if (this.deaf-- > 0) return void socket.destroy();
      const send = (bytes: Uint8Array) => void socket.write(bytes);
      const session = desk.accept({ send, end: () => void socket.end() });
      if (!session) return void socket.destroy();
      socket.on("data", (bytes) => session.received(bytes));
      socket.on("error", () => {});
      socket.on("close", () => session.closed());
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
  }

  async #fetch(url: string): Promise<void> {
    this.job = { id: "job", status: "IN_PROGRESS", details: { progress: "0/1" } };
    const manifest = (await (await fetch(url)).json()) as {
      afr_ota: { files: [Record<string, string> & { filesize: number }] };
    };
    const [file] = manifest.afr_ota.files;
    const half = file.filesize >> 1;
    const part = async (range: string) =>
      Buffer.from(await (await fetch(file["update_data_url"], { headers: { range } })).arrayBuffer());
    this.image = new Uint8Array(
      Buffer.concat([await part(`bytes=0-${half}`), await part(`bytes=${half + 1}-`)]),
    );
    this.signature = file["sig-sha256-ecdsa"];
    this.installed(this);
  }
}

describe("xs-ota push", () => {
  let folder: Folder;
  let board: Board | undefined;

  before(async () => {
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("demo-image", "v2.bin", "--project", "my-app", "--version", "2.0.0", "--size", "20000");
  });
  afterEach(() => board?.close());
  after(() => folder.close());

  const listen = async (installed: (board: Board) => void) => {
    board = new Board(installed);
    return board.listen();
  };

  it("brings the image to the board, signed, and waits until it is accepted", async () => {
    const address = await listen((self) => {
      self.running.version = "2.0.0";
      self.job = { id: "job", status: "SUCCEEDED", details: {} };
    });
    const before = board?.job;
    const text = await folder.good("push", "v2.bin", address, "--secret", SECRET);
    ok(text.includes("127.0.0.1 runs my-app 1.0.0; pushing my-app 2.0.0"), text);
    ok(text.includes("accepted: 127.0.0.1 runs my-app 2.0.0"), text);
    const image = readFileSync(folder.file("v2.bin"));
    equal(
      createHash("sha256")
        .update(board?.image ?? "")
        .digest("hex"),
      createHash("sha256").update(image).digest("hex"),
    );
    const { publicKey } = new X509Certificate(readFileSync(folder.file("ota-cert.pem")));
    ok(
      verify("sha256", image, publicKey, Buffer.from(board?.signature ?? "", "base64")),
      "the signature is good",
    );
    equal(board?.failure, undefined);
    if (board) board.job = before;
    const lines = await folder.good("push", "v2.bin", address, "--secret", SECRET, "--json");
    const events = lines
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { event: string }).event);
    equal(events[0], "pushing");
    equal(events.at(-1), "ended");
  });

  it("fails with the board's words when it does not take the image", async () => {
    const address = await listen((self) => {
      self.job = { id: "job", status: "FAILED", details: { reason: "rolled-back" } };
    });
    await folder.bad(
      1,
      "FAILED, 127.0.0.1 runs my-app 1.0.0: reason: rolled-back",
      "push",
      "v2.bin",
      address,
      "--secret",
      SECRET,
    );
  });

  it("waits while the board hears nobody, as after a wrong secret", async () => {
    const address = await listen((self) => {
      self.running.version = "2.0.0";
      self.job = { id: "job", status: "SUCCEEDED", details: {} };
    });
    const command = ["push", "v2.bin", address, "--secret"] as const;
    const deafen = (connections: number) => Object.assign(board ?? {}, { deaf: connections });
    deafen(2);
    const text = await folder.good(...command, SECRET);
    ok(text.startsWith("the board hears nobody for a while, as after a wrong secret\n"), text);
    ok(text.includes("accepted: 127.0.0.1 runs my-app 2.0.0"), text);
    deafen(Number.POSITIVE_INFINITY);
    await folder.bad(1, "it closed the connection", ...command, SECRET, "--timeout", "2");
  });

  it("gives up in time", async () => {
    const address = await listen(() => {});
    await folder.bad(
      1,
      "has not come to an end in time",
      "push",
      "v2.bin",
      address,
      "--secret",
      SECRET,
      "--timeout",
      "3",
    );
  });

  it("says what is wrong before anything is offered", async () => {
    const address = await listen(() => {});
    await folder.bad(1, "wrong secret", "push", "v2.bin", address, "--secret", "another secret of");
    await folder.bad(2, "the secret is missing", "push", "v2.bin", address);
    await folder.bad(
      1,
      "127.0.0.1:1: nobody listens there",
      "push",
      "v2.bin",
      "127.0.0.1:1",
      "--secret",
      SECRET,
    );
    await folder.bad(2, "host:port", "push", "v2.bin", "http://127.0.0.1", "--secret", SECRET);
    await folder.bad(2, "no whole ESP32 image", "push", "ota-cert.pem", address, "--secret", SECRET);
    equal(board?.image, undefined);
  });
});
