import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { equal, ok } from "../support/assert.js";
import { Folder, PROGRAM } from "./run.js";

const ANY_PORTS = ["--mqtt-port", "0", "--http-port", "0", "--page-port", "0"];

describe("xs-ota: hostile surroundings", () => {
  let folder: Folder;

  before(async () => {
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("keygen", "--out", "other");
    await folder.good("demo-image", "v2.bin");
  });
  after(() => folder.close());

  it("serve and sign refuse a key whose certificate is another's", async () => {
    await folder.bad(
      2,
      "ota-key.pem and other-cert.pem: key and certificate do not belong together",
      ...["serve", "--key", "ota-key.pem", "--cert", "other-cert.pem", ...ANY_PORTS],
    );
    folder.write("mixed-key.pem", readFileSync(folder.file("ota-key.pem")));
    folder.write("mixed-cert.pem", readFileSync(folder.file("other-cert.pem")));
    await folder.bad(2, "do not belong together", "sign", "v2.bin", "--key", "mixed-key.pem");
  });

  it("sign and demo-image replace what is there with --force alone, and a key never", async () => {
    await folder.bad(2, "--force replaces it", "demo-image", "v2.bin");
    await folder.good("demo-image", "v2.bin", "--force");
    const key = readFileSync(folder.file("ota-key.pem"), "utf8");
    await folder.bad(2, "holds a private key", "sign", "v2.bin", "--out", "ota-key.pem", "--force");
    equal(readFileSync(folder.file("ota-key.pem"), "utf8"), key);
  });

  it("a terminal that takes nothing more is told in a line", async () => {
    const full = openSync("/dev/full", "w");
    try {
      const child = spawn(process.execPath, [...PROGRAM, "inspect", "v2.bin"], {
        cwd: folder.path,
        stdio: ["ignore", full, "pipe"],
      });
      let stderr = "";
      child.stderr!.on("data", (chunk) => {
        stderr += chunk;
      });
      const code = await new Promise((resolve) => child.once("close", resolve));
      equal(stderr, "error: cannot print: the disk is full\n");
      equal(code, 1);
    } finally {
      closeSync(full);
    }
    await folder.bad(2, "cannot read /dev/zero: it is a device", "inspect", "/dev/zero");
  });

  it("one process at a time uses a folder of devices", async () => {
    const args = ["--keep", "devices", "--broker", "mqtt://127.0.0.1:1", "--cert", "ota-cert.pem"];
    const first = folder.start("device", ...args);
    await first.until(/The device is on/);
    await folder.bad(1, /devices is in use by process \d+/, "device", ...args);
    await first.stop();
    ok(!existsSync(folder.file("devices/lock")), "the lock is left");
  });

  it("a disk that takes nothing more is told by deploy and jobs; what it took is there", async () => {
    const serve = spawn(
      "bash",
      ["-c", 'ulimit -f 1500; exec "$@"', "-", process.execPath, ...PROGRAM, "serve", "--json", ...ANY_PORTS],
      { cwd: folder.path, stdio: ["ignore", "pipe", "pipe"] },
    );
    let output = "";
    const started = new Promise<string>((resolve) => {
      serve.stdout!.on("data", (chunk) => {
        output += chunk;
        const line = /^\{"event":"serving".*\}$/m.exec(output)?.[0];
        if (line) resolve(JSON.parse(line).page);
      });
    });
    serve.stderr!.on("data", (chunk) => {
      output += chunk;
    });
    try {
      const here = ["--service", await started];
      await folder.good("demo-image", "big.bin", "--size", "3M");
      const small = JSON.parse(
        await folder.good("deploy", "v2.bin", "--thing", "a", "--new", "--no-wait", "--json", ...here),
      );
      await folder.bad(1, /Nothing can be stored: /, "deploy", "big.bin", "--thing", "a", ...here);
      const listed = await folder.run("jobs", "--json", ...here);
      equal(
        JSON.parse(listed.stdout)
          .map(({ jobId }: { jobId: string }) => jobId)
          .join(),
        small.jobId,
      );
      ok(/^error: .*cannot be written: /m.test(output), output);
    } finally {
      serve.kill("SIGINT");
      await new Promise((resolve) => serve.once("close", resolve));
    }
  });
});
