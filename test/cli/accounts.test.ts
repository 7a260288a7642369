import { spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import mqtt from "mqtt";
import { deepEqual, equal, ok } from "../support/assert.js";
import { Folder, PROGRAM, type Running } from "./run.js";

describe("xs-ota serve --users", () => {
  let folder: Folder;
  let serve: Running;
  let addresses: Record<string, string>;
  const tokens: Record<string, string> = {};
  const environment = { ...process.env };

  /** Runs a command with something at its standard input. */
  function feed(text: string, ...args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
    const child = spawn(process.execPath, [...PROGRAM, ...args], { cwd: folder.path });
    let stderr = "";
    child.stderr.on("data", (part: Buffer) => {
      stderr += part.toString();
    });
    child.stdin.end(text);
    return new Promise((resolve) => child.once("close", (code) => resolve({ code, stderr })));
  }

  const add = async (name: string, ...args: readonly string[]) => {
    const { token } = JSON.parse(await folder.good("user", "add", name, "--json", ...args)) as {
      token: string;
    };
    tokens[name] = token;
  };

  const basic = (text: string) => ({ Authorization: `Basic ${Buffer.from(text).toString("base64")}` });
  const status = async (path: string, init: RequestInit = {}) =>
    (await fetch(`${addresses["page"]}/${path}`, init)).status;

  before(async () => {
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("demo-image", "v2.bin", "--size", "20K");
    const { code, stderr } = await feed("correct horse\n", "user", "add", "ada", "--role", "deploy");
    equal(code, 0, stderr);
    await add("ci", "--role", "deploy", "--token");
    await add("eve", "--role", "read", "--token");
    await add("board-1", "--role", "device");
    await add("board-2", "--role", "device");
    await folder.good("user", "add", "board-3", "--role", "device", "--certificate");
    const ports = ["--mqtt-port", "0", "--http-port", "0", "--page-port", "0"];
    // Open to the network: clients check that the certificate has the address that is announced.
    const open = ["--listen", "0.0.0.0", "--tls", "--users", "xs-ota-users.json"];
    serve = folder.start("serve", "--json", ...open, ...ports);
    const [, line] = await serve.until(/^(\{"event":"serving".*\})$/m);
    addresses = JSON.parse(line) as Record<string, string>;
    process.env["XS_OTA_SERVICE"] = addresses["page"];
    for (const name of ["mqtt", "http"]) ok(!addresses[name].includes("0.0.0.0"), addresses[name]);
  });

  after(async () => {
    process.env = environment;
    await folder.close();
  });

  const as = (name: string) => {
    process.env["XS_OTA_TOKEN"] = tokens[name];
  };

  it("keeps no password and no token, for nobody else's eyes", () => {
    const text = readFileSync(folder.file("xs-ota-users.json"), "utf8");
    for (const secret of ["correct horse", ...Object.values(tokens)]) ok(!text.includes(secret), secret);
    equal(statSync(folder.file("xs-ota-users.json")).mode & 0o077, 0);
  });

  it("lets nobody in without a name, and a reader look alone", async () => {
    equal(await status(""), 401);
    equal(await status("api/state"), 401);
    equal(await status("api/state", { headers: basic("ada:wrong horse") }), 401);
    equal(await status("api/state", { headers: basic("nobody:wrong horse") }), 401);
    equal(await status("api/state", { headers: basic("ada:correct horse") }), 200);
    const reader = { Authorization: `Bearer ${tokens["eve"]}` };
    equal(await status("api/state", { headers: reader }), 200);
    equal(await status("api/devices/x", { headers: reader, method: "PATCH", body: "{}" }), 403);
    // A device is nobody here.
    equal(await status("api/state", { headers: { Authorization: `Bearer ${tokens["board-1"]}` } }), 401);
    equal(await status("api/state", { headers: basic(`board-1:${tokens["board-1"]}`) }), 401);
  });

  it("deploys by token, refuses in words without, and writes down who did what", async () => {
    await folder.bad(1, "Sign in, or set XS_OTA_TOKEN", "jobs");
    as("eve");
    await folder.bad(1, "eve may look, and nothing else", "deploy", "v2.bin", "--thing", "board-1", "--new");
    as("ci");
    process.env["XS_OTA_DEVICE_PASSWORD"] = tokens["board-1"];
    const device = folder.start("device", "--thing", "board-1");
    await device.until(/boots xs-ota-demo 1\.0\.0/);
    const text = await folder.good("deploy", "v2.bin", "--thing", "board-1", "--new");
    ok(text.includes("1 accepted"), text);
    await device.stop();
    delete process.env["XS_OTA_DEVICE_PASSWORD"];
    const log = readFileSync(folder.file(".xs-ota/audit.jsonl"), "utf8");
    const entries = log
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const deploys = entries.filter(({ what }) => what === "POST /api/jobs");
    deepEqual(
      deploys.map(({ who, status: code }) => [who, code]),
      [
        ["eve", 403],
        ["ci", 201],
      ],
    );
    equal(deploys[1]["about"], "name v2.bin, thing board-1");
    ok(
      entries.some(({ who, status: code }) => who === null && code === 401),
      log,
    );
    ok(!log.includes(tokens["ci"]), "a token is in the log");
  });

  /** How a connection to the broker ends, or that it stands after what it did. */
  async function connect(
    clientId: string,
    options: mqtt.IClientOptions,
    act: (client: mqtt.MqttClient) => unknown = () => {},
  ): Promise<string> {
    const ca = readFileSync(folder.file(".xs-ota/ca-cert.pem"));
    // The broker lets one client id connect once a second, as AWS's does.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const client = mqtt.connect(addresses["mqtt"], { clientId, ca, reconnectPeriod: 0, ...options });
    client.on("error", () => {});
    const closed = new Promise<string>((resolve) => client.once("close", () => resolve("closed")));
    const opened = new Promise<string>((resolve) => client.once("connect", () => resolve("open")));
    if ((await Promise.race([closed, opened])) === "closed") return "refused";
    act(client);
    // A ping comes back after whatever was sent before, unless the connection ends.
    const answered = new Promise<string>((resolve) => {
      client.on("packetreceive", ({ cmd }) => cmd === "pingresp" && resolve("stands"));
    });
    client.sendPing();
    const outcome = await Promise.race([closed, answered]);
    client.end(true);
    return outcome;
  }

  it("lets no device speak for another", async () => {
    const own = { username: "board-2", password: tokens["board-2"] };
    equal(await connect("board-2", {}), "refused");
    equal(await connect("board-2", { ...own, password: tokens["board-1"] }), "refused");
    // Its connection would push the other one's out.
    equal(await connect("board-1", own), "refused");
    const update = (client: mqtt.MqttClient, thing: string) =>
      client.publish(`$aws/things/${thing}/jobs/get`, "{}");
    equal(await connect("board-2", own, (client) => update(client, "board-2")), "stands");
    equal(await connect("board-2", own, (client) => update(client, "board-1")), "closed");
    equal(await connect("board-2", own, (client) => client.subscribe("$aws/things/+/jobs/#")), "closed");
    equal(
      await connect("board-2", own, (client) => client.subscribe("$aws/things/board-2/jobs/#")),
      "stands",
    );
  });

  it("takes a certificate for a password, and only of its own authority and an account that is there", async () => {
    const pem = (file: string) => readFileSync(folder.file(file));
    const own = { cert: pem("board-3-cert.pem"), key: pem("board-3-key.pem") };
    equal(await connect("board-3", own), "stands");
    equal(await connect("board-2", own), "refused");
    const other = new Folder();
    await other.good("user", "add", "board-3", "--role", "device", "--certificate");
    const forged = {
      cert: readFileSync(other.file("board-3-cert.pem")),
      key: readFileSync(other.file("board-3-key.pem")),
    };
    equal(await connect("board-3", forged), "refused");
    await other.close();
    as("ci");
    const certified = ["--client-cert", "board-3-cert.pem", "--client-key", "board-3-key.pem"];
    const device = folder.start("device", "--thing", "board-3", ...certified);
    await device.until(/boots xs-ota-demo 1\.0\.0/);
    const text = await folder.good("deploy", "v2.bin", "--thing", "board-3", "--new");
    ok(text.includes("1 accepted"), text);
    await device.stop();
    await folder.bad(
      2,
      "ota-key.pem is not the key of",
      "device",
      "--client-cert",
      "board-3-cert.pem",
      "--client-key",
      "ota-key.pem",
    );
    await folder.good("user", "remove", "board-3");
    // The service looks at its file once a second at most.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    equal(await connect("board-3", own), "refused");
  });

  it("stops computing for an address that guesses", async () => {
    const codes: number[] = [];
    for (let n = 0; n < 12; n++)
      codes.push(await status("api/state", { headers: { Authorization: "Bearer wrong" } }));
    equal(codes.at(-1), 429);
  });
});

describe("xs-ota serve --page-tls, and what it refuses", () => {
  let folder: Folder;
  const environment = { ...process.env };

  before(() => {
    folder = new Folder();
  });

  after(async () => {
    process.env = environment;
    await folder.close();
  });

  it("serves the page over TLS, which xs-ota trusts by XS_OTA_CA", async () => {
    const ports = ["--mqtt-port", "0", "--http-port", "0", "--page-port", "0"];
    const serve = folder.start("serve", "--json", "--page-tls", ...ports);
    const [, line] = await serve.until(/^(\{"event":"serving".*\})$/m);
    const { page } = JSON.parse(line) as { page: string };
    ok(page.startsWith("https://127.0.0.1:"), page);
    await folder.bad(1, "is not trusted: name its authority in XS_OTA_CA", "jobs", "--service", page);
    process.env["XS_OTA_CA"] = ".xs-ota/ca-cert.pem";
    await folder.good("jobs", "--service", page);
    process.env["XS_OTA_TOKEN"] = "xsota_x";
    await folder.bad(
      2,
      "XS_OTA_TOKEN is not sent over the network",
      "jobs",
      "--service",
      "http://192.0.2.1:8700",
    );
    await serve.stop();
  });

  it("refuses what would only look safe, in one line", async () => {
    folder.write("users.json", '{"users":[]}');
    const serve = ["serve", "--users", "users.json"];
    await folder.bad(2, "take --page-tls, too", ...serve, "--page-listen", "0.0.0.0");
    await folder.bad(2, "without --ddi-token", ...serve, "--ddi-port", "0");
    await folder.bad(2, "--devices own needs --users", "serve", "--devices", "own");
    await folder.bad(2, "there is no such file", "serve", "--users", "none.json");
    folder.write("broken.json", '{"users":[{"name":"ada","role":"king"}]}');
    await folder.bad(2, "ada has no role of read, deploy, device", "serve", "--users", "broken.json");
    await folder.bad(2, "is for --role device", "user", "add", "x", "--role", "read", "--certificate");
    await folder.bad(1, "there is no account x", "user", "remove", "x", "--users", "users.json");
    await folder.good("user", "add", "x", "--role", "read", "--token", "--users", "users.json");
    await folder.bad(
      2,
      "--force replaces",
      "user",
      "add",
      "x",
      "--role",
      "read",
      "--token",
      "--users",
      "users.json",
    );
    ok(/x\s+read\s+token/.test(await folder.good("user", "list", "--users", "users.json")));
  });
});
