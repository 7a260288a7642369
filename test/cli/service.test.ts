import { readFileSync, statSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import mqtt from "mqtt";
import { buildComponent } from "../../hosts/formats/component-builder.js";
import type { DeploymentPreview } from "../../service/desk.js";
import { GREET_ARCHIVE } from "../data/greet-archive.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { hex } from "../support/hex.js";
import { startMosquitto } from "../support/mosquitto.js";
import { Folder, type Running } from "./run.js";

const ANY_PORTS = ["--mqtt-port", "0", "--http-port", "0", "--page-port", "0"];

interface Addresses {
  readonly page: string;
  readonly mqtt: string;
  readonly http: string;
}

/** Every line of output that is JSON. */
function objects(text: string): Record<string, unknown>[] {
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("xs-ota serve, deploy, watch, jobs, devices, device", () => {
  let folder: Folder;
  let serve: Running;
  let at: Addresses;

  async function start(...args: string[]): Promise<void> {
    serve = folder.start("serve", "--json", ...args);
    const [, line] = await serve.until(/^(\{"event":"serving".*\})$/m);
    at = JSON.parse(line) as Addresses & object;
  }

  /** Starts simulated devices and waits until they are known. */
  async function devices(count: number, ...args: string[]): Promise<Running> {
    const running = folder.start("device", "--service", at.page, "--count", String(count), ...args);
    for (let boot = 0; boot < count; boot++) await running.until(new RegExp(`(boots.*\\n[^]*){${boot + 1}}`));
    await running.until(/ on\. /);
    return running;
  }

  /** Waits until so many devices have reported what they run. */
  const known = async (count: number) => {
    for (;;) {
      const answer = await fetch(`${at.page}/api/state`);
      const { devices } = (await answer.json()) as { devices: { firmware: { version?: string } }[] };
      if (devices.filter(({ firmware }) => firmware.version).length >= count) return devices;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  before(async () => {
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("demo-image", "v2.bin", "--size", "40K");
    await folder.good("demo-image", "slow.bin", "--size", "400K");
    await folder.good("demo-image", "v3.bin", "--version", "3.0.0", "--size", "40K");
  });

  afterEach(async () => {
    for (const running of [...folder.running]) await running.stop("SIGTERM");
  });

  after(() => folder.close());

  it("serve says where it listens, and that it is this machine alone", async () => {
    serve = folder.start("serve", "--data", "quiet", ...ANY_PORTS);
    await serve.until(/Only this machine can connect/);
    for (const pattern of [
      /Page +http:\/\/127\.0\.0\.1:\d+/,
      /Broker +mqtt:\/\/127\.0\.0\.1:\d+/,
      /with ota-key\.pem/,
    ])
      await serve.until(pattern);
    const { code, stdout, stderr } = await serve.stop("SIGINT");
    equal(code, 0);
    equal(stderr, "");
    ok(/Stopped\. It used at most \d+ MB of memory\./.test(stdout), stdout);
  });

  it("serve warns when it is open to the network", async () => {
    serve = folder.start(
      "serve",
      "--data",
      "open",
      "--listen",
      "0.0.0.0",
      "--page-listen",
      "0.0.0.0",
      ...ANY_PORTS,
    );
    await serve.until(/Broker and images are open to the network on 0\.0\.0\.0/);
    await serve.until(/whoever reaches it may deploy/);
  });

  it("serve refuses what it cannot use in one line", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const taken = (option: string) => [...ANY_PORTS, option, String(port)];
    await folder.bad(
      1,
      `port ${port} is in use already: choose another with --mqtt-port`,
      "serve",
      ...taken("--mqtt-port"),
    );
    await folder.bad(1, "choose another with --page-port", "serve", ...taken("--page-port"));
    server.close();
    await folder.bad(2, "It must be a whole number from 0 to 65535", "serve", "--mqtt-port", "x");
    await folder.bad(2, "there is no folder nowhere", "serve", "--images", "nowhere");
    await folder.bad(
      2,
      "ota-cert.pem: not a private key",
      "serve",
      "--key",
      "ota-cert.pem",
      "--cert",
      "ota-cert.pem",
    );
    await folder.bad(2, "no.pem: there is no such file", "serve", "--key", "no.pem", "--cert", "no.pem");
    await folder.bad(2, "It must be a URL such as mqtt://", "serve", "--broker", "localhost");
    await folder.bad(
      1,
      /broker mqtt:\/\/127\.0\.0\.1:1\b/,
      "serve",
      "--broker",
      "mqtt://127.0.0.1:1",
      ...ANY_PORTS,
    );
    await folder.bad(
      2,
      "this machine has no address 192.0.2.1",
      "serve",
      "--listen",
      "192.0.2.1",
      ...ANY_PORTS,
    );
    folder.write("file", "");
    await folder.bad(1, "file", "serve", "--data", "file", ...ANY_PORTS);
    await start("--data", "busy", ...ANY_PORTS);
    await folder.bad(1, "another process uses it", "serve", "--data", "busy", ...ANY_PORTS);
  });

  it("every other command says when there is no service", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await new Promise((resolve) => server.close(resolve));
    const nowhere = ["--service", url];
    const message = `no service answers at ${url}: start one with xs-ota serve`;
    await Promise.all([
      folder.bad(1, message, "deploy", "v2.bin", "--all", ...nowhere),
      folder.bad(1, message, "watch", ...nowhere),
      folder.bad(1, message, "jobs", ...nowhere),
      folder.bad(1, message, "devices", ...nowhere),
      folder.bad(1, message, "device", ...nowhere),
    ]);
  });

  it("deploy updates devices, shows how, and ends well when all have accepted", async () => {
    await start("--data", "one", ...ANY_PORTS);
    await devices(2);
    await known(2);
    const text = await folder.good("deploy", "v2.bin", "--all", "--service", at.page);
    ok(/xs-ota-demo 2\.0\.0 for ESP32-C3, 40,960 bytes, to 2 devices over MQTT/.test(text), text);
    for (const thing of ["device-1", "device-2"])
      ok(text.includes(`${thing}  accepted: runs 2.0.0 for good`), text);
    ok(/2 accepted after [\d.]+ s/.test(text), text);
    ok(/The service uses \d+ MB of memory/.test(text), text);
    const list = await folder.good("devices", "--service", at.page);
    ok(/device-1 +yes +2\.0\.0 +ota_1, valid +ESP32-C3 +accepted: runs 2\.0\.0 for good/.test(list), list);
    const jobs = await folder.good("jobs", "--service", at.page);
    ok(/COMPLETED +xs-ota-demo 2\.0\.0 +2 accepted/.test(jobs), jobs);
    // Said before anything is deployed; nothing was, until devices had refused.
    const again = await folder.good("deploy", "v2.bin", "--all", "--service", at.page);
    ok(again.startsWith("2 of 2 devices run 2.0.0 already.\n"), again);
  });

  it("deploy to one device over HTTP, as JSON, signed here", async () => {
    await start("--data", "two", ...ANY_PORTS);
    await devices(1, "--thing", "board");
    await known(1);
    const args = [
      "--thing",
      "board",
      "--protocol",
      "http",
      "--key",
      "ota-key.pem",
      "--json",
      "--service",
      at.page,
    ];
    const lines = objects(await folder.good("deploy", "v2.bin", ...args));
    equal(lines[0]["event"], "job");
    deepEqual(lines[0]["protocols"], ["HTTP"]);
    const outcome = lines.at(-1)!;
    equal(outcome["event"], "outcome");
    equal(outcome["ok"], true);
    deepEqual(outcome["phases"], { accepted: 1 });
  });

  it("deploy ends with 1 when a device rolls back, and says why", async () => {
    await start("--data", "three", ...ANY_PORTS);
    await devices(1, "--thing", "bad", "--fail", "crash");
    await known(1);
    const { code, stdout } = await folder.run("deploy", "v2.bin", "--thing", "bad", "--service", at.page);
    equal(code, 1);
    ok(/bad {2}rolled back: /.test(stdout), stdout);
    ok(stdout.includes("1 rolled back after"), stdout);
    const [{ firmware }] = await known(1);
    equal(firmware.version, "1.0.0");
    const jobId = /AFR_OTA-[\w-]+/.exec(stdout)![0];
    const history = await folder.good("jobs", jobId.slice(-12), "--service", at.page);
    for (const step of ["offered", "downloading", "restarting", "testing", "rolled back"])
      ok(history.includes(`${step}: `), `${step} is not in ${history}`);
    // Written by the old image before the restart, and by it again after the crash.
    for (const fact of [
      / Firmware +1\.0\.0\+\w+ -> 2\.0\.0\+\w+; 1\.0\.0\+\w+ runs/,
      / \d+ s activate\n/,
      / started; 1\.0\.0/,
    ])
      ok(fact.test(history), `${fact} is not in ${history}`);
  });

  it("deploy refuses an update signed by a key the device does not trust", async () => {
    await folder.good("keygen", "--out", "foreign");
    await start("--data", "four", ...ANY_PORTS);
    await devices(1);
    await known(1);
    const args = ["--all", "--key", "foreign-key.pem", "--service", at.page];
    const { code, stdout } = await folder.run("deploy", "v2.bin", ...args);
    equal(code, 1);
    ok(/device {2}refused: /.test(stdout), stdout);
  });

  it("deploy gives up after --timeout, and cancels the job with --cancel", async () => {
    await start("--data", "five", ...ANY_PORTS);
    const args = ["--thing", "nobody", "--new", "--timeout", "0.5", "--service", at.page];
    const first = await folder.run("deploy", "v2.bin", ...args);
    equal(first.code, 1);
    ok(first.stdout.includes("The time is up: the job goes on"), first.stdout);
    const second = await folder.run("deploy", "v2.bin", ...args, "--cancel");
    equal(second.code, 1);
    ok(second.stdout.includes("The time is up: the job is cancelled."), second.stdout);
    const jobs = JSON.parse(await folder.good("jobs", "--json", "--service", at.page)) as {
      phases: object;
    }[];
    deepEqual(
      jobs.map(({ phases }) => phases),
      [{ offered: 1 }, { cancelled: 1 }],
    );
  });

  it("deploy stops at Ctrl-C with 130, and leaves the job to go on", async () => {
    await start("--data", "six", ...ANY_PORTS);
    const deploy = folder.start("deploy", "v2.bin", "--thing", "nobody", "--new", "--service", at.page);
    await deploy.until(/offered/);
    const { code, stdout, stderr } = await deploy.stop("SIGINT");
    equal(code, 130);
    equal(stderr, "");
    ok(stdout.includes("Stopped: the job goes on; xs-ota jobs AFR_OTA-"), stdout);
  });

  it("deploy refuses what cannot work in one line", async () => {
    await start("--data", "seven", ...ANY_PORTS);
    const here = ["--service", at.page];
    await folder.bad(2, "name devices with --thing or --group, or take --all", "deploy", "v2.bin", ...here);
    await folder.bad(
      2,
      "name devices with --thing or --group, or take --all",
      "deploy",
      "v2.bin",
      "--all",
      "--thing",
      "a",
      ...here,
    );
    await folder.bad(1, "No device is known yet", "deploy", "v2.bin", "--all", ...here);
    await folder.bad(2, "thingName may have the characters", "deploy", "v2.bin", "--thing", "a b", ...here);
    await folder.bad(2, "there is no such file", "deploy", "none.bin", "--thing", "a", ...here);
    await folder.bad(2, "is no whole ESP32 image", "deploy", "ota-key.pem", "--thing", "a", ...here);
    const bytes = readFileSync(folder.file("v2.bin"));
    bytes[9000] ^= 1;
    folder.write("damaged.bin", bytes);
    await folder.bad(2, "would be refused: checksum is", "deploy", "damaged.bin", "--thing", "a", ...here);
    await folder.bad(2, "Allowed choices are mqtt, http", "deploy", "v2.bin", "--protocol", "ftp", ...here);
    await folder.bad(2, "at most a week", "deploy", "v2.bin", "--timeout", "-1", ...here);
  });

  it("serve without a key deploys only what is signed already", async () => {
    await start("--data", "eight", "--key", "ota-key.pem", ...ANY_PORTS);
    await serve.stop();
    const keyless = new Folder();
    try {
      keyless.write("v2.bin", readFileSync(folder.file("v2.bin")));
      const running = keyless.start("serve", "--json", ...ANY_PORTS);
      const [, line] = await running.until(/^(\{"event":"serving".*\})$/m);
      const { page } = JSON.parse(line);
      const args = ["deploy", "v2.bin", "--thing", "a", "--new", "--no-wait", "--service", page];
      await keyless.bad(1, "There is no signing key here", ...args);
      await keyless.good(...args, "--key", folder.file("ota-key.pem"));
      await keyless.bad(2, "there is no certificate to trust", "device", "--service", page);
    } finally {
      await keyless.close();
    }
  });

  it("jobs cancels and deletes, and refuses names there are not", async () => {
    await start("--data", "nine", ...ANY_PORTS);
    const here = ["--service", at.page];
    equal(await folder.good("jobs", ...here), "There are no jobs.\n");
    equal(await folder.good("devices", ...here), "No device has been heard of yet.\n");
    const text = await folder.good("deploy", "v2.bin", "--thing", "a,b", "--new", "--no-wait", ...here);
    const jobId = /AFR_OTA-[\w-]+/.exec(text)![0];
    ok(
      (await folder.good("jobs", jobId, "--cancel", ...here)).includes("cancelled: cancelled by the service"),
    );
    await folder.bad(1, "is CANCELED", "jobs", jobId, "--cancel", ...here);
    await folder.bad(2, 'there is no job "nothing"', "jobs", "nothing", ...here);
    await folder.bad(2, "name the job", "jobs", "--delete", ...here);
    deepEqual(JSON.parse(await folder.good("jobs", jobId, "--delete", "--json", ...here)), {
      deleted: jobId,
    });
    equal(await folder.good("jobs", "--json", ...here), "[]\n");
  });

  it("watch shows what goes on until Ctrl-C", async () => {
    await start("--data", "ten", ...ANY_PORTS);
    const watch = folder.start("watch", "--service", at.page);
    const json = folder.start("watch", "--json", "--service", at.page);
    await devices(1);
    await known(1);
    await folder.good("deploy", "v2.bin", "--all", "--service", at.page);
    await watch.until(/device {2}accepted: runs 2\.0\.0 for good/);
    await json.until(/"phase":"accepted"/);
    equal((await watch.stop("SIGINT")).code, 0);
    const { code, stdout } = await json.stop("SIGINT");
    equal(code, 0);
    ok(objects(stdout).every((line) => line["event"] === "execution"));
  });

  it("device takes an image of one's own as an update, and keeps what it has become", async () => {
    await start("--data", "eleven", ...ANY_PORTS);
    folder.take("app-c3-v3sec5.bin");
    const args = ["--thing", "kept", "--for", "app-c3-v3sec5.bin", "--keep", "devices"];
    const device = await devices(1, ...args);
    await device.until(/kept {2}boots ota-fixture 0\.0\.1 from ota_0/);
    await known(1);
    await folder.good("deploy", "app-c3-v3sec5.bin", "--thing", "kept", "--service", at.page);
    equal((await device.stop("SIGINT")).code, 0);
    ok(statSync(folder.file("devices/kept/flash.bin")).size >= 4_194_304);
    const again = await devices(1, ...args);
    await again.until(/kept {2}boots ota-fixture 3\.0\.0 from ota_1, valid/);
  });

  it("device comes to a new image by a delta or compressed, whichever fits, and says what that saved", async () => {
    await start("--data", "fourteen", "--images", ".", ...ANY_PORTS);
    const device = await devices(1, "--thing", "small", "--image", "v2.bin");
    await known(1);
    const query = new URLSearchParams({ name: "v3.bin", image: "v3.bin", thing: "small", from: "v2.bin" });
    const preview = await fetch(`${at.page}/api/preview?${query}`, { method: "POST" });
    const { size, payloads } = (await preview.json()) as DeploymentPreview;
    deepEqual([payloads[0].base, payloads[0].things], ["v2.bin", 1]);
    ok(payloads[0].size < size, "the delta is no smaller");
    const text = await folder.good("deploy", "v3.bin", "--all", "--from", "v2.bin", "--service", at.page);
    ok(text.includes("1 accepted"), text);
    const [, bytes] = await device.until(
      /small {2}came by delta of [0-9a-f]{8}, (\d+) bytes: .* saved, \d+ % of/,
    );
    equal(Number(bytes), payloads[0].size);
    await folder.good("demo-image", "v4.bin", "--version", "4.0.0", "--size", "40K");
    await folder.good("deploy", "v4.bin", "--all", "--packed", "--service", at.page);
    await device.until(/small {2}came by packed, \d+ bytes: .* saved/);
  });

  it("deploy of firmware with a component makes their statement; device and jobs show each of them", async () => {
    await start("--data", "fifteen", ...ANY_PORTS);
    const header = {
      name: "assets",
      projectName: "xs-ota-demo",
      version: "1.0.0",
      minFirmware: "",
      maxFirmware: "",
    };
    folder.write("assets.xac", buildComponent(header, new Uint8Array(9000)));
    const device = await devices(1, "--thing", "parts", "--image", "v2.bin", "--component", "assets=10");
    await device.until(/parts {2}has assets none/);
    await known(1);
    const set = ["v3.bin", "--component", "10=assets.xac", "--all", "--json", "--service", at.page];
    const shown = objects(await folder.good("deploy", ...set, "--sequence", "1"));
    await device.until(/parts {2}takes .* bytes, and what goes with them: 3 files together/);
    await device.until(/parts {2}has assets 1\.0\.0, 9000 bytes/);
    // The share of a set only grows, whichever of its files is fetched.
    const shares = shown.filter(({ event }) => event === "execution").map(({ progress }) => Number(progress));
    deepEqual(
      shares,
      [...shares].sort((a, b) => a - b),
    );
    const { jobId } = shown.find(({ event }) => event === "job") as { jobId: string };
    const job = await folder.good("jobs", jobId, "--service", at.page);
    ok(/type 10 +\/device\/updates\/assets\.xac {2}9,256 bytes/.test(job), job);
  });

  it("deploy of a mod: made of an archive, on trial, accepted, refused where it is no newer", async () => {
    await start("--data", "sixteen", ...ANY_PORTS);
    folder.write("mod.xsa", hex(GREET_ARCHIVE));
    const build = (version: string) =>
      folder.good(
        ...["mod", "build", "mod.xsa", "--project", "xs-ota-demo", "--version", version],
        ...["--out", `mod-${version}.xam`],
      );
    await build("1.0.0");
    await build("2.0.0");
    const device = await devices(1, "--thing", "modded", "--image", "v2.bin", "--component", "mod=12");
    await known(1);
    const deploy = ["--type", "12", "--all", "--service", at.page];
    ok(/1 accepted after/.test(await folder.good("deploy", "mod-2.0.0.xam", ...deploy)));
    await device.until(/modded {2}has mod 2\.0\.0, \d+ bytes/);
    const { code, stdout } = await folder.run("deploy", "mod-1.0.0.xam", ...deploy);
    deepEqual([code, /refused: the component has version 1\.0\.0/.test(stdout)], [1, true]);
    // What no device would take is not deployed: an archive alone, a mod as firmware, one that is damaged.
    const damaged = new Uint8Array(readFileSync(folder.file("mod-2.0.0.xam")));
    damaged[400] = (damaged[400] as number) ^ 0xff;
    folder.write("damaged.xam", damaged);
    for (const [file, type, why] of [
      ["mod.xsa", "0", /mod\.xsa is an archive alone: xs-ota mod build makes/],
      ["mod.xsa", "12", /mod\.xsa is an archive alone: xs-ota mod build makes/],
      ["mod-2.0.0.xam", "0", /mod-2\.0\.0\.xam is component mod: say with --type/],
      ["damaged.xam", "12", /damaged\.xam would be refused: /],
    ] as const) {
      const refused = await folder.run("deploy", file, "--type", type, "--all", "--service", at.page);
      deepEqual([refused.code, why.test(refused.stderr)], [2, true], refused.stderr);
    }
  });

  it("device on the XS engine updates too", async () => {
    await start("--data", "twelve", ...ANY_PORTS);
    await devices(1, "--engine", "xs");
    await known(1);
    ok((await folder.good("deploy", "v2.bin", "--all", "--service", at.page)).includes("1 accepted"));
  });

  it("device refuses what it cannot run in one line", async () => {
    await start("--data", "thirteen", ...ANY_PORTS);
    const here = ["--service", at.page];
    await folder.bad(
      2,
      "at most 16 devices run on the XS engine",
      "device",
      "--count",
      "17",
      "--engine",
      "xs",
      ...here,
    );
    await folder.bad(2, "It must be one of esp32", "device", "--chip", "avr", ...here);
    await folder.bad(2, "is no usable ESP32 image", "device", "--for", "ota-key.pem", ...here);
    await folder.bad(
      2,
      "give either --for or --image",
      "device",
      "--for",
      "v2.bin",
      "--image",
      "v2.bin",
      ...here,
    );
    await folder.bad(1, "too small", "device", "--slot-size", "64K", "--image", "slow.bin", ...here);
    await folder.bad(2, "It must be a whole number from 1 to 1000", "device", "--count", "0", ...here);
  });

  it("serves TLS with an authority of its own, kept for the next time", async () => {
    await start("--data", "tls", "--tls", ...ANY_PORTS);
    ok(at.mqtt.startsWith("mqtts://127.0.0.1:"), at.mqtt);
    ok(at.http.startsWith("https://127.0.0.1:"), at.http);
    const ca = readFileSync(folder.file("tls/ca-cert.pem"), "utf8");
    equal(statSync(folder.file("tls/ca-key.pem")).mode & 0o777, 0o600);
    const client = await mqtt.connectAsync(at.mqtt, { ca });
    await client.endAsync();
    await devices(1);
    await known(1);
    await folder.good("deploy", "v2.bin", "--all", "--protocol", "http", "--service", at.page);
    await serve.stop();
    await start("--data", "tls", "--tls", ...ANY_PORTS);
    equal(readFileSync(folder.file("tls/ca-cert.pem"), "utf8"), ca);
  });

  it("serves through a broker that runs elsewhere", async () => {
    const broker = await startMosquitto();
    try {
      await start("--data", "elsewhere", "--broker", broker.url, ...ANY_PORTS);
      equal(at.mqtt, broker.url);
      await devices(1);
      await known(1);
      ok((await folder.good("deploy", "v2.bin", "--all", "--service", at.page)).includes("1 accepted"));
    } finally {
      await broker.stop();
    }
  });

  it("loses no job when the service is killed in the middle", async () => {
    await start("--data", "killed", ...ANY_PORTS);
    const ports = (addresses: Addresses) =>
      [
        ["--mqtt-port", addresses.mqtt],
        ["--http-port", addresses.http],
        ["--page-port", addresses.page],
      ].flatMap(([option, url]) => [option, new URL(url).port]);
    await devices(3, "--rate", "80K");
    await known(3);
    const deploy = folder.start("deploy", "slow.bin", "--all", "--service", at.page);
    await deploy.until(/downloading: 25 %/);
    const same = ports(at);
    await serve.stop("SIGKILL");
    await deploy.until(/The service has gone/);
    await start("--data", "killed", ...same);
    const { code, stdout } = await deploy.ended;
    equal(code, 0, stdout);
    ok(stdout.includes("3 accepted"), stdout);
  });

  it("answers no foreign site, and no name that is not its own", async () => {
    await start("--data", "guarded", ...ANY_PORTS);
    const url = `${at.page}/api/jobs?thing=a`;
    const foreign = await fetch(url, {
      method: "POST",
      body: "x",
      headers: { Origin: "http://evil.example" },
    });
    equal(foreign.status, 403);
    const status = await new Promise((resolve, reject) => {
      const { hostname, port } = new URL(at.page);
      const headers = { Host: `evil.example:${port}` };
      request({ hostname, port, path: "/api/state", headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on("error", reject)
        .end();
    });
    equal(status, 403);
  });

  it("answers bad requests in words", async () => {
    await start("--data", "words", ...ANY_PORTS);
    const ask = async (method: string, path: string, body?: string) => {
      const response = await fetch(at.page + path, { method, body });
      const { error } = (await response.json()) as { error: { message: string } };
      return [response.status, error.message];
    };
    deepEqual(await ask("POST", "/api/inspect", "x"), [
      400,
      "No ESP32 image: the image ends before byte 24.",
    ]);
    deepEqual(await ask("GET", "/api/jobs/none"), [404, 'There is no job "none".']);
    deepEqual(await ask("POST", "/api/jobs?thing=a"), [400, "The request has no body."]);
    deepEqual(await ask("GET", "/api/nothing"), [404, "There is no GET /api/nothing."]);
    deepEqual(await ask("POST", "/api/inspect?image=../ota-key.pem"), [
      404,
      'There is no image "../ota-key.pem" in the folder.',
    ]);
    equal((await fetch(`${at.page}/%2e%2e/api.ts`)).status, 404);
  });

  it("explains itself", async () => {
    for (const command of ["serve", "deploy", "watch", "jobs", "devices", "device", "demo-image"]) {
      const text = await folder.good(command, "--help");
      ok(text.includes("\nExamples:\n  "), `${command} --help has no examples`);
    }
  });
});
