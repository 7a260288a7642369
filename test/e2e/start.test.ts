/** `npm start` as a process: what it promises in its help, on both engines. */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import { startMosquitto } from "../support/mosquitto.js";
import { npmStart, StartProcess } from "../support/npm-start.js";

const FAILURES = {
  "self-test": ["self-test-rejected"],
  crash: ["rolled-back"],
  signature: ["signature-check"],
  version: ["downgrade"],
  chip: ["wrong-chip"],
} as const;

/** Images of 200 KB in files, as long as `action` takes. */
async function withImages(
  versions: readonly string[],
  action: (...paths: string[]) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "start-"));
  try {
    const paths = versions.map((version) => {
      const path = join(folder, version);
      const plan = { projectName: "xs-ota-demo", version, size: 200_000, seed: 1 };
      writeFileSync(path, buildImage(plan, nodeCrypto.sha256));
      return path;
    });
    await action(...paths);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const NO_ADDRESS = "mqtt://127.0.0.1:1";

describe("npm start", () => {
  for (const engine of ["xs", "node"]) {
    it(`updates a device on ${engine}`, async () => {
      const { code, summary } = await npmStart("--engine", engine);
      strictEqual(code, 0);
      strictEqual(summary.ok, true);
      strictEqual(summary.engine, engine);
      strictEqual(summary.job.status, "SUCCEEDED");
      deepStrictEqual(
        [summary.device.app.version, summary.device.slot, summary.device.state],
        ["2.0.0", "ota_1", "valid"],
      );
      strictEqual(summary.transfer.bytes, summary.image.bytes);
      strictEqual(
        summary.device.mostErased,
        1,
        "each sector is erased once, be it blank: it may only read so",
      );
    });

    it(`fetches a delta, and makes the image of it, on ${engine}`, async () => {
      await withImages(["1.0.0", "2.0.0"], async (from, image) => {
        const options = ["--from", from, "--image", image, "--packed"];
        const { code, summary } = await npmStart("--engine", engine, ...options);
        strictEqual(code, 0);
        const { payload = "", saved, bytes } = summary.transfer;
        match(payload, /^delta of [0-9a-f]{8}, \d+ bytes$/);
        strictEqual(saved, summary.image.bytes - bytes);
        ok(bytes < 10_000, `${bytes}`);
      });
    });

    for (const [failure, codes] of Object.entries(FAILURES))
      it(`ends --fail ${failure} as expected on ${engine}`, async () => {
        const { code, summary } = await npmStart("--engine", engine, "--fail", failure);
        strictEqual(code, 0);
        strictEqual(summary.job.status, "FAILED");
        deepStrictEqual([summary.job.statusDetails["code"]], codes);
        strictEqual(summary.device.app.version, "1.0.0");
        strictEqual(summary.device.slot, "ota_0");
      });
  }

  it("survives a link that loses and delays messages", async () => {
    const { code, summary } = await npmStart("--loss", "5", "--latency", "20");
    strictEqual(code, 0);
    ok(summary.transfer.lost > 0, "nothing was lost: the link was no test");
  });

  for (const engine of ["xs", "node"])
    it(`updates over HTTP on ${engine}`, async () => {
      const { code, summary, stdout } = await npmStart("--protocol", "http", "--engine", engine);
      strictEqual(code, 0);
      match(stdout, /bytes over HTTP\n/);
      ok(summary.transfer.http.requests >= 2, "the head, and the rest");
      strictEqual(summary.transfer.http.bytes, summary.image.bytes);
      strictEqual(summary.transfer.bytes, summary.image.bytes);
    });

  for (const engine of ["xs", "node"])
    it(`updates as a device of hawkBit on ${engine}`, async () => {
      const { code, summary, stdout } = await npmStart("--service", "ddi", "--engine", engine);
      strictEqual(code, 0);
      match(stdout, /hawkBit's device API on http:/);
      strictEqual(summary.job.status, "SUCCEEDED");
      deepStrictEqual([summary.device.app.version, summary.device.state], ["2.0.0", "valid"]);
      ok(summary.transfer.http.requests >= 2, "the head, and the rest");
      strictEqual(summary.transfer.http.bytes, summary.image.bytes);
      strictEqual(summary.transfer.bytes, summary.image.bytes);
    });

  it("fetches a compressed image as a device of hawkBit", async () => {
    await withImages(["2.0.0"], async (image) => {
      const { code, summary } = await npmStart("--service", "ddi", "--packed", "--image", image);
      strictEqual(code, 0);
      match(summary.transfer.payload ?? "", /^packed, \d+ bytes$/);
      ok(summary.transfer.http.bytes < summary.image.bytes);
    });
  });

  for (const [failure, codes] of Object.entries(FAILURES))
    it(`ends --fail ${failure} as expected as a device of hawkBit`, async () => {
      const { code, summary } = await npmStart("--service", "ddi", "--fail", failure);
      strictEqual(code, 0);
      deepStrictEqual([summary.job.status, summary.job.statusDetails["code"]], ["FAILED", ...codes]);
      strictEqual(summary.device.app.version, "1.0.0");
    });

  it("offers both ways on request", async () => {
    const { code, stdout, summary } = await npmStart("--protocol", "both", "--engine", "node");
    strictEqual(code, 0);
    strictEqual(summary.transfer.http.requests, 0, "MQTT comes first");
    match(stdout, /bytes over MQTT, HTTP\n/);
  });

  it("takes the size of blocks", async () => {
    const { code, summary } = await npmStart("--engine", "node", "--block-size", "8192");
    strictEqual(code, 0);
    strictEqual(summary.transfer.blocks, Math.ceil(summary.image.bytes / 8192));
  });

  it("updates through mosquitto", async () => {
    const mosquitto = await startMosquitto();
    try {
      const { code } = await npmStart("--broker", mosquitto.url);
      strictEqual(code, 0);
    } finally {
      await mosquitto.stop();
    }
  });

  it("shows each step in plain lines when there is no terminal", async () => {
    const { stdout } = await new StartProcess("--engine", "node").ended;
    for (const step of [
      "job",
      "download",
      "verified",
      "restart",
      "boot",
      "self-test",
      "job status",
      "otadata",
    ])
      match(stdout, new RegExp(`^ .*\\b${step}\\b`, "m"));
    ok(!stdout.includes("\x1b"), "escape sequences without a terminal");
  });

  describe("with a file", () => {
    let directory: string;
    before(() => {
      directory = mkdtempSync(join(tmpdir(), "start-"));
    });
    after(() => rmSync(directory, { recursive: true }));

    const file = (options: Partial<Parameters<typeof buildImage>[0]>): string => {
      const path = join(directory, "app.bin");
      const image = { version: "v7.3-12-gdeadbee", projectName: "somebody's", size: 300_000, ...options };
      writeFileSync(
        path,
        buildImage(image, () => nodeCrypto.sha256()),
      );
      return path;
    };

    it("deploys it, whatever its version is called", async () => {
      const { code, summary } = await npmStart("--engine", "node", "--image", file({ chip: "esp32" }));
      strictEqual(code, 0);
      deepStrictEqual(summary.device.app.version, "v7.3-12-gdeadbee");
    });

    it("lets it fail its self-test on request", async () => {
      const { code } = await npmStart("--engine", "node", "--image", file({}), "--fail", "self-test");
      strictEqual(code, 0);
    });

    it("refuses one that is no image, in one line", async () => {
      const path = join(directory, "text.bin");
      writeFileSync(path, "no image at all, only text");
      const { code, stderr } = await new StartProcess("--image", path).ended;
      strictEqual(code, 2);
      match(stderr, /^error: not an ESP32 application image: .+\n$/);
    });

    it("refuses one that is cut short", async () => {
      const path = join(directory, "short.bin");
      writeFileSync(
        path,
        buildImage({ version: "2", projectName: "p", size: 5000 }, () => nodeCrypto.sha256()).subarray(
          0,
          4000,
        ),
      );
      const { code, stderr } = await new StartProcess("--image", path).ended;
      strictEqual(code, 2);
      match(stderr, /^error: .+\n$/);
    });
  });

  describe("with --keep", () => {
    let directory: string;
    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), "start-"));
    });
    afterEach(() => rmSync(directory, { recursive: true }));

    it("updates the same device again", async () => {
      await npmStart("--engine", "node", "--keep", directory);
      const { summary } = await npmStart("--engine", "node", "--keep", directory);
      deepStrictEqual(
        [summary.ok, summary.device.app.version, summary.device.slot],
        [true, "3.0.0", "ota_0"],
      );
    });

    for (const moment of ["download .*40 %", "verified", "on trial", "job status .*self-test active"])
      it(`goes on after SIGKILL at "${moment}"`, async () => {
        const options = ["--engine", "node", "--keep", directory];
        const first = new StartProcess(...options, "--latency", "40");
        await first.until(new RegExp(moment));
        first.kill("SIGKILL");
        strictEqual((await first.ended).signal, "SIGKILL");
        const { code, summary, stdout } = await npmStart(...options);
        strictEqual(code, 0, stdout);
        strictEqual(summary.job.status, "SUCCEEDED");
        strictEqual(summary.device.app.version, "2.0.0");
      });

    it("goes on over HTTP", async () => {
      const first = new StartProcess("--engine", "node", "--keep", directory, "--protocol", "http");
      await first.until(/download .*[34]0 %/);
      first.kill("SIGKILL");
      await first.ended;
      const { code, summary } = await npmStart("--engine", "node", "--keep", directory);
      strictEqual(code, 0);
      ok(summary.transfer.resumedBytes > 0);
    });

    it("goes on as a device of hawkBit", async () => {
      const options = ["--engine", "node", "--keep", directory, "--service", "ddi"];
      const first = new StartProcess(...options);
      await first.until(/download .*[34]0 %/);
      first.kill("SIGKILL");
      await first.ended;
      const { code, summary } = await npmStart(...options);
      strictEqual(code, 0);
      ok(summary.transfer.resumedBytes > 0);
    });

    it("fetches only what is missing after SIGKILL", async () => {
      const first = new StartProcess("--keep", directory, "--latency", "100");
      await first.until(/download .*[56]0 %/);
      first.kill("SIGKILL");
      await first.ended;
      const { summary } = await npmStart("--keep", directory);
      ok(
        summary.transfer.resumedBytes > summary.image.bytes / 4,
        `${summary.transfer.resumedBytes} bytes resumed`,
      );
      const whole = summary.transfer.resumedBytes + summary.transfer.bytes;
      ok(whole <= summary.image.bytes + 4096, `${whole} bytes in all`);
    });
  });

  describe("refuses unusable options with exit code 2:", () => {
    for (const parameters of [
      ["--engine", "v8"],
      ["--fail", "everything"],
      ["--block-size", "100"],
      ["--block-size", "1000"],
      ["--loss", "101"],
      ["--latency", "-1"],
      ["--broker", "not a url"],
      ["--image", "/nowhere/app.bin"],
      ["--protocol", "ftp"],
      ["--protocol", "http", "--loss", "3"],
      ["--service", "ftp"],
      ["--service", "ddi", "--protocol", "http"],
      ["--service", "ddi", "--broker", "mqtt://localhost"],
      ["--nonsense"],
      ["word"],
    ])
      it(parameters.join(" "), async () => {
        const { code, stderr } = await new StartProcess(...parameters).ended;
        strictEqual(code, 2);
        match(stderr, /^error: [^\n]+\n$/);
      });
  });

  it("explains itself with --help", async () => {
    const { code, stdout } = await new StartProcess("--help").ended;
    strictEqual(code, 0);
    for (const option of ["--engine", "--broker", "--image", "--fail", "--keep", "--json"])
      ok(stdout.includes(option));
  });

  it("says in one line that the broker does not answer", async () => {
    const { code, stderr } = await new StartProcess("--broker", NO_ADDRESS).ended;
    strictEqual(code, 1);
    match(stderr, /^error: [^\n]*ECONNREFUSED[^\n]*\n$/);
  });

  it("stops at once on Ctrl-C", async () => {
    const run = new StartProcess("--latency", "200");
    await run.until(/download/);
    run.kill("SIGINT");
    strictEqual((await run.ended).code, 130);
  });
});
