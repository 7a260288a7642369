import { readFileSync } from "node:fs";
import { verifyImage } from "../../service/signer.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { HawkbitStandIn } from "./hawkbit-stand-in.js";
import { Folder } from "./run.js";

interface Call {
  readonly method: string;
  readonly path: string;
  // biome-ignore lint/suspicious/noExplicitAny: the shapes of hawkBit's API, read at random
  readonly body: any;
  readonly file?: { readonly name: string; readonly size: number };
}

const lines = <T>(text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);

describe("xs-ota hawkbit, against a local stand-in", () => {
  let folder: Folder;
  let server: HawkbitStandIn;
  const environment = { ...process.env };

  before(async () => {
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("demo-image", "v1.bin", "--version", "1.0.0", "--size", "20K");
    await folder.good("demo-image", "v2.bin", "--version", "2.0.0", "--size", "20K");
  });

  beforeEach(async () => {
    Object.assign(process.env, { HAWKBIT_USER: "admin", HAWKBIT_PASSWORD: "secret" });
    server = await HawkbitStandIn.start();
  });

  afterEach(() => server.close());

  after(async () => {
    process.env = environment;
    await folder.close();
  });

  const deploy = (...args: string[]) => ["hawkbit", "deploy", "v2.bin", "--server", server.url, ...args];
  const execute = (...args: string[]) => deploy("--poll", "0.05", "--execute", ...args);

  it("prints the calls it would make, and sends nothing", async () => {
    const text = await folder.good(...deploy("--target", "board"));
    ok(text.includes("1. POST /rest/v1/softwaremodules"), text);
    ok(text.includes("/rest/v1/distributionsets/{set}/assignedTargets"), text);
    ok(text.endsWith("Nothing was sent. --execute makes these calls.\n"), text);
    deepEqual(server.requests, []);
  });

  it("plans without credentials, and asks for them before it sends anything", async () => {
    delete process.env["HAWKBIT_PASSWORD"];
    await folder.good(...deploy("--target", "board"));
    await folder.bad(2, "HAWKBIT_PASSWORD", ...execute("--target", "board"));
    deepEqual(server.requests, []);
  });

  it("plans a module with a good signature that devices may see", async () => {
    const calls = lines<Call>(await folder.good(...deploy("--target", "board", "--json", "--soft")));
    const [module, artifact, metadata, set, assignment] = calls;
    equal(calls.length, 5);
    deepEqual(module.body, [{ name: "xs-ota-demo", version: "2.0.0", type: "os" }]);
    ok(artifact.path.startsWith("/rest/v1/softwaremodules/{module}/artifacts?filename=v2.bin&sha256sum="));
    deepEqual(artifact.file, { name: "v2.bin", size: 20_480 });
    deepEqual(
      metadata.body.map(({ key, targetVisible }: { key: string; targetVisible: boolean }) => [
        key,
        targetVisible,
      ]),
      [
        ["sig-sha256-ecdsa", true],
        ["certfile", true],
      ],
    );
    const image = readFileSync(folder.file("v2.bin"));
    const certificate = readFileSync(folder.file("ota-cert.pem"), "utf8");
    ok(verifyImage(image, metadata.body[0].value, certificate), "the signature is not good");
    deepEqual(set.body, [
      { name: "xs-ota-demo", version: "2.0.0", type: "os", modules: [{ id: "{module}" }] },
    ]);
    deepEqual(assignment.body, [{ id: "board", type: "soft" }]);
  });

  it("makes all of it, and follows the actions until they have ended", async () => {
    const text = await folder.good(...execute("--target", "board,board-2"));
    for (const part of [
      "Made software module 10, distribution set 20.",
      "assigned: 2 running",
      "finished: 2 finished",
      "2 of 2 targets finished",
    ])
      ok(text.includes(part), `${part} is not in ${text}`);
    const [module] = server.modules;
    deepEqual([...module.artifacts.keys()], ["v2.bin"]);
    ok(module.artifacts.get("v2.bin")?.equals(readFileSync(folder.file("v2.bin"))), "other bytes arrived");
    equal(module.metadata.get("certfile")?.value, "/certificates/ota.pem");
    deepEqual(
      server.actions.map(({ target, set }) => [target, set]),
      [
        ["board", 20],
        ["board-2", 20],
      ],
    );
  });

  it("rolls out to what a query finds", async () => {
    const text = await folder.good(
      ...execute("--filter", "name==lab*", "--groups", "4", "--success", "90", "--error", "10"),
    );
    ok(text.includes("rollout 60") && text.includes("2 of 2 targets finished"), text);
    const [{ startAt, ...rollout }] = server.rollouts;
    ok(typeof startAt === "number" && Math.abs(startAt - Date.now()) < 600_000, `${startAt}`);
    deepEqual(
      [rollout["targetFilterQuery"], rollout["amountGroups"], rollout["distributionSetId"], rollout["type"]],
      ["name==lab*", 4, 20, "forced"],
    );
    deepEqual(rollout["errorCondition"], { condition: "THRESHOLD", expression: "10" });
    deepEqual(rollout["errorAction"], { action: "PAUSE", expression: "" });
  });

  it("says why devices failed, in their words, and ends with 1", async () => {
    server.statuses = ["running", "error"];
    server.messages = ["code: rolled-back", "message: the new image crashed\u202e", "Update Server: noted"];
    const { code, stdout } = await folder.run(...execute("--target", "board", "--json"));
    equal(code, 1);
    const { failed, ok: good, counts } = lines<Record<string, unknown>>(stdout).at(-1) ?? {};
    deepEqual([good, counts], [false, { error: 1 }]);
    deepEqual(failed, [
      {
        thing: "board",
        status: "error",
        details: { code: "rolled-back", message: "the new image crashed\\u202e" },
      },
    ]);
  });

  it("ends when a rollout pauses because too many failed", async () => {
    server.statuses = ["error"];
    server.rolloutStatuses = ["running", "paused"];
    const { code, stdout } = await folder.run(...execute("--filter", "name==lab*"));
    equal(code, 1);
    ok(stdout.includes("The rollout is paused") && stdout.includes("0 of 2 targets finished"), stdout);
  });

  it("names a target hawkBit does not know before it makes anything: hawkBit would leave it out", async () => {
    await folder.bad(1, "/targets/stranger: status 404", ...execute("--target", "board,stranger"));
    deepEqual(server.modules, []);
  });

  it("says what there is when hawkBit refuses a later call", async () => {
    const wrong = execute("--target", "board", "--set-type", "app");
    await folder.bad(1, /modules\.unsupported \(there now: software module 10\)/, ...wrong);
    await folder.bad(1, /status 409 .*already exists/, ...execute("--target", "board"));
  });

  it("sends deltas and the compressed image under names that can be downloaded", async () => {
    await folder.good(...execute("--target", "board", "--from", "v1.bin", "--packed"));
    const [{ artifacts }] = server.modules;
    const names = [...artifacts.keys()];
    equal(names.length, 3);
    ok(/^v2\.bin,base=[0-9a-f]{8}$/.test(names[1]) && names[2] === "v2.bin,packed", names.join());
  });

  it("watches a rollout by its number", async () => {
    await folder.good(...execute("--filter", "name==lab*", "--no-wait"));
    const watch = ["hawkbit", "watch", "--server", server.url, "--poll", "0.05"];
    const text = await folder.good(...watch, "--rollout", "60");
    ok(text.includes("2 of 2 targets finished"), text);
    await folder.bad(1, "status 404", ...watch, "--rollout", "99");
    await folder.bad(2, "--rollout or a --set", ...watch);
  });

  it("says that the password is wrong", async () => {
    process.env["HAWKBIT_PASSWORD"] = "guessed";
    await folder.bad(1, "status 401", ...execute("--target", "board"));
  });

  it("says that nobody answers", async () => {
    const nobody = [
      "hawkbit",
      "deploy",
      "v2.bin",
      "--server",
      "http://127.0.0.1:1",
      "--target",
      "b",
      "--execute",
    ];
    await folder.bad(1, /no answer from http:\/\/127\.0\.0\.1:1/, ...nobody);
  });

  for (const [what, ...args] of [
    ["targets and a query at once", "--target", "board", "--filter", "name==x"],
    ["neither", "--packed"],
    ["a password in the URL", "--target", "b", "--server", "http://admin:secret@localhost:8080"],
    ["a time without its zone", "--target", "b", "--force-at", "2027-01-31T22:00"],
    ["more groups than hawkBit takes", "--filter", "name==x", "--groups", "501"],
    ["a name with HTML", "--target", "b", "--name", "<b>"],
  ])
    it(`refuses ${what}`, async () => {
      const { code, stderr } = await folder.run(...deploy(...args));
      equal(code, 2);
      ok(/^error: [^\n]+\n$/.test(stderr), stderr);
    });
});
