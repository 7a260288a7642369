/** The device's end of `xs-ota push`. */

import { hmac, PushDesk, type PushWire } from "../../hosts/moddable/push-desk.js";
import { decodeUtf8, encodeUtf8 } from "../../src/bytes.js";
import type { Crypto } from "../../src/ports.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { newSha256 } from "../support/sha256.js";
import { VirtualClock, VirtualTime } from "../support/virtual-clock.js";

const crypto = { sha256: newSha256 } as unknown as Crypto;
const SECRET = "secret of the desk";

class Wire implements PushWire {
  text = "";
  ended = false;
  send(bytes: Uint8Array): void {
    if (this.ended) throw new Error("sent after the end");
    this.text += decodeUtf8(bytes);
  }
  end(): void {
    this.ended = true;
  }
  get lines(): string[] {
    return this.text.split("\n");
  }
}

class Scene {
  readonly time = new VirtualTime();
  readonly clock = new VirtualClock(this.time);
  readonly urls: string[] = [];
  #random = 0;
  readonly desk = new PushDesk({
    secret: SECRET,
    crypto,
    clock: this.clock,
    random: () => (this.#random = (this.#random + 0.37) % 1),
    log: () => {},
    status: () => ({ version: "1.0.0" }),
    update: (url) => {
      if (url.startsWith("ftp")) throw new TypeError("no HTTP URL");
      this.urls.push(url);
    },
  });

  /** A connection; undefined when it is not taken. */
  connect() {
    const wire = new Wire();
    const session = this.desk.accept(wire);
    return session && { wire, session };
  }

  /** The answer to a command, in pieces of `size` bytes. */
  ask(command: string, { secret = SECRET, size = 1000, nonce = "" } = {}): string {
    const connection = this.connect();
    if (!connection) return "not taken";
    const { wire, session } = connection;
    const [greeting] = wire.lines;
    const given = /^xs-ota-push 1 ([0-9a-f]{32})$/.exec(greeting)?.[1];
    ok(given, greeting);
    const code = hmac(crypto, secret, `xs-ota-push 1 ${nonce || given} ${command}`);
    const bytes = encodeUtf8(`${code} ${command}\n`);
    for (let at = 0; at < bytes.length; at += size) session.received(bytes.subarray(at, at + size));
    ok(wire.ended);
    return wire.lines[1];
  }
}

describe("a board that listens for pushes", () => {
  it("computes HMAC-SHA-256 (RFC 4231, cases 1, 2 and 6)", () => {
    const text = (byte: number, count: number) => String.fromCharCode(byte).repeat(count);
    equal(
      hmac(crypto, text(0x0b, 20), "Hi There"),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    );
    equal(
      hmac(crypto, "Jefe", "what do ya want for nothing?"),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
  });

  it("tells its status and takes an update from who knows the secret, byte by byte too", () => {
    const scene = new Scene();
    equal(scene.ask("status"), 'ok {"version":"1.0.0"}');
    equal(scene.ask("update http://10.0.0.1/m.json", { size: 1 }), "ok");
    deepEqual(scene.urls, ["http://10.0.0.1/m.json"]);
    equal(scene.ask("update ftp://x"), "error no HTTP URL");
    equal(scene.ask("reboot"), "error no such command");
    equal(scene.ask("update"), "error no such command");
  });

  it("takes nothing from who does not, nor what was recorded, and hears nobody for longer each time", () => {
    const scene = new Scene();
    equal(scene.ask("update http://evil/", { secret: "another secret of" }), "error wrong secret");
    equal(scene.ask("status"), "not taken");
    scene.time.run(1_000);
    equal(
      scene.ask("status", { nonce: "0".repeat(32) }),
      "error wrong secret",
      "a nonce of another connection",
    );
    scene.time.run(1_999);
    equal(scene.ask("status"), "not taken");
    scene.time.run(1);
    equal(scene.ask("status"), 'ok {"version":"1.0.0"}');
    deepEqual(scene.urls, []);
    for (let i = 0; i < 10; i++) {
      equal(scene.ask("status", { secret: "another secret of" }), "error wrong secret");
      scene.time.run(60_000);
    }
    equal(scene.ask("status"), 'ok {"version":"1.0.0"}', "a minute at most");
  });

  it("does not try a second code of a connection that came before the first was wrong", () => {
    const scene = new Scene();
    const [first, second] = [scene.connect(), scene.connect()];
    for (const one of [first, second]) one?.session.received(encodeUtf8(`${"0".repeat(64)} status\n`));
    deepEqual([first?.wire.lines[1], second?.wire.lines[1]], ["error wrong secret", "error not now"]);
  });

  it("gives each connection another nonce, bounds their number, time and bytes", () => {
    const scene = new Scene();
    const [first, second] = [scene.connect(), scene.connect()];
    ok(first && second && first.wire.text !== second.wire.text);
    equal(scene.connect(), undefined);
    first.session.received(new Uint8Array(1024).fill(0x61));
    equal(first.wire.ended, false);
    first.session.received(Uint8Array.of(0x61));
    equal(first.wire.lines[1], "error line too long");
    first.session.received(encodeUtf8("\n"));
    first.session.closed();
    ok(scene.connect(), "its place is free");
    scene.time.run(9_999);
    equal(second.wire.ended, false);
    scene.time.run(1);
    equal(second.wire.lines[1], "error too slow");
    const gone = scene.connect();
    gone?.session.closed();
    for (let i = 0; i < 5; i++) scene.connect()?.session.closed();
    equal(scene.ask("status"), 'ok {"version":"1.0.0"}');
  });

  it("is not harmed by what is no text, or no command", () => {
    const scene = new Scene();
    for (const bytes of [
      Uint8Array.of(0xff, 0xfe, 10),
      Uint8Array.of(10),
      encodeUtf8(" \n"),
      encodeUtf8("a b\nc d\n"),
    ]) {
      const connection = scene.connect();
      connection?.session.received(bytes);
      ok(connection?.wire.lines[1].startsWith("error "), connection?.wire.text);
      scene.time.run(60_000);
    }
  });

  it("wants a secret that is none by accident", () => {
    for (const secret of ["", "short", undefined as unknown as string])
      throws(() => new PushDesk({ ...({} as ConstructorParameters<typeof PushDesk>[0]), secret }), {
        type: RangeError,
        message: "at least 16",
      });
  });
});
