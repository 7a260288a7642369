import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { buildFlashDump, slotTable } from "../../hosts/emulated/flash-dump.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { makeEntry, STATE_VALID } from "../../hosts/formats/otadata.js";
import { makeProgram } from "../../tools/cli/program.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { Folder, PROGRAM } from "./run.js";

/** Names of errors as the system has them. */
const ERRNO = /\bE(?:[A-Z]{4,}|IO)\b|errno|syscall/;

describe("xs-ota, in small things", () => {
  let folder: Folder;

  before(async () => {
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("demo-image", "v2.bin", "--size", "20K");
  });
  after(() => folder.close());

  const json = async (...args: string[]) => JSON.parse(await folder.good(...args, "--json"));

  it("inspect judges the image in a slot: that the slot is larger was told as a fault of the image", async () => {
    const image = buildImage({ projectName: "p", version: "1.0.0", size: 20_000 }, () =>
      createHash("sha256"),
    );
    const table = slotTable({ slotSize: 0x10000 });
    const otadata = [makeEntry(1, STATE_VALID)];
    folder.write(
      "dump.bin",
      buildFlashDump({ table, flashSize: 0x100000, otadata, content: { ota_0: image } }),
    );
    const [app] = (await json("inspect", "dump.bin")).apps;
    deepEqual(
      [app.image.fileSize, app.image.problem, app.image.refusal],
      [image.length, undefined, undefined],
    );
    ok(!(await folder.good("inspect", "dump.bin")).includes("refuses"));
  });

  it("reads no device without end", async () => {
    await folder.bad(2, "cannot read /dev/zero: it is a device", "inspect", "/dev/zero");
    await folder.bad(2, "cannot read /dev/zero: it is a device", "trace", "/dev/zero");
    const zero = spawnSync("bash", ["-c", '"$@" < /dev/zero', "-", process.execPath, ...PROGRAM, "trace"], {
      cwd: folder.path,
      encoding: "utf8",
    });
    equal(zero.stderr, "error: cannot read standard input: it has more than 128 MB\n");
    equal(zero.status, 2);
  });

  it("every command prints JSON on request, or a script", () => {
    const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
    const leaves = all(makeProgram()).filter(({ commands }) => commands.length === 0);
    const without = leaves.filter(({ options }) => !options.some(({ long }) => long === "--json"));
    deepEqual(
      without.map((command) => command.name()),
      ["completion"],
    );
  });

  it("prints JSON of what it makes", async () => {
    deepEqual(await json("demo-image", "v3.bin", "--version", "3.0.0", "--size", "20K"), {
      ...{ file: "v3.bin", project: "xs-ota-demo", version: "3.0.0", chip: "esp32c3", size: 20_480 },
    });
    const { key, value, out } = await json("sign", "v2.bin", "--out", "v2.sig");
    deepEqual([key, out], ["sig-sha256-ecdsa", "v2.sig"]);
    deepEqual(await json("verify", "v2.bin", "--signature", value), {
      ...{ file: "v2.bin", cert: "ota-cert.pem", good: true },
    });
    const { code, stdout } = await folder.run("verify", "v3.bin", "--signature", value, "--json");
    deepEqual([code, JSON.parse(stdout).good], [1, false]);
    const packed = await json("pack", "v2.bin", "-o", "v2.xsp");
    equal(packed.size, readFileSync(folder.file("v2.xsp")).length);
    const component = [
      "component",
      "v2.sig",
      "--name",
      "web",
      "--project",
      "p",
      "--version",
      "1",
      "--out",
      "web.xac",
    ];
    equal((await json(...component)).file, "web.xac");
    equal((await json("bundle", "web.xac", "--sequence", "1", "--out", "set.xas")).members[0].name, "web");
    folder.write("trace.txt", "at x\n");
    equal((await json("trace", "trace.txt")).line, "at x");
  });

  it("says what the system says in words", async () => {
    const broker = ["serve", "--broker", "mqtt://127.0.0.1:1", "--http-port", "0", "--page-port", "0"];
    for (const [code, words, ...args] of [
      [1, "127.0.0.1:1: nobody listens there", ...broker],
      [1, "no service answers at http://127.0.0.1:1: start one", "jobs", "--service", "http://127.0.0.1:1"],
      [
        1,
        "part of its path is no folder",
        "device",
        "--keep",
        "v2.bin/x",
        "--broker",
        "mqtt://127.0.0.1:1",
        "--cert",
        "ota-cert.pem",
      ],
      [1, "part of its path is no folder", "serve", "--data", "v2.bin/x"],
      [2, "there is no such file", "inspect", "none.bin"],
      [2, "it is a folder", "inspect", "."],
      [2, "there is no such file", "trace", "none.txt"],
    ] as const) {
      const result = await folder.run(...args);
      equal(result.code, code, `${args.join(" ")}: ${result.stderr}`);
      ok(new RegExp(`^error: .*(${words}).*\\n$`).test(result.stderr), result.stderr);
      ok(!ERRNO.test(result.stderr), result.stderr);
    }
  });

  it("a device ends with its update on request, prints JSON, and names chips", async () => {
    const ports = ["--mqtt-port", "0", "--http-port", "0", "--page-port", "0"];
    const serve = folder.start("serve", "--json", ...ports);
    const [, line] = await serve.until(/^(\{"event":"serving".*\})$/m);
    const here = ["--service", (JSON.parse(line) as { page: string }).page];
    const good = folder.start("device", "--thing", "good", "--once", "--json", ...here);
    const bad = folder.start("device", "--thing", "bad", "--once", "--fail", "self-test", ...here);
    const other = folder.start("device", "--thing", "other", "--once", "--chip", "esp32s3", ...here);
    const idle = folder.start("device", "--thing", "idle", "--once", ...here);
    const all = [good.until(/"event":"boot"/), bad.until(/is on/), other.until(/is on/), idle.until(/is on/)];
    await Promise.all(all);
    equal((await idle.stop("SIGINT")).code, 130);
    const deployed = await folder.run("deploy", "v2.bin", "--thing", "good,bad,other", "--new", ...here);
    equal(deployed.code, 1);
    ok(deployed.stdout.includes("the image has chip ESP32-C3, this device ESP32-S3"), deployed.stdout);
    const ends = await Promise.all([good.ended, bad.ended, other.ended]);
    deepEqual(
      ends.map(({ code }) => code),
      [0, 1, 1],
    );
    const events = ends[0].stdout
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text));
    ok(
      events.every(({ event, thing }) => event && thing === "good"),
      ends[0].stdout,
    );
    equal(events.findLast(({ event }) => event === "boot").version, "2.0.0");
    await serve.stop();
  });
});
