import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { deepEqual, equal, ok } from "../support/assert.js";
import { Folder, type Running } from "./run.js";

const ANY_PORTS = ["--mqtt-port", "0", "--http-port", "0", "--page-port", "0"];

describe("xs-ota at a desk", () => {
  let folder: Folder;
  let serve: Running;
  const environment = { ...process.env };

  async function start(...args: readonly string[]): Promise<Record<string, string>> {
    serve = folder.start("serve", "--json", ...args, ...ANY_PORTS);
    const [, line] = await serve.until(/^(\{"event":"serving".*\})$/m);
    const addresses = JSON.parse(line) as Record<string, string>;
    process.env["XS_OTA_SERVICE"] = addresses["page"];
    return addresses;
  }

  const json = async (...args: string[]) => JSON.parse(await folder.good(...args, "--json"));

  before(async () => {
    folder = new Folder();
    await folder.good("keygen");
    await folder.good("demo-image", "v2.bin", "--size", "20K");
  });

  afterEach(() => serve.stop());

  after(async () => {
    process.env = environment;
    await folder.close();
  });

  it("knows devices by name and group, asks about a typo, says who is offline, and ends by itself", async () => {
    await start();
    await folder.good("devices", "board-1", "--add", "--name", "front door", "--group", "lab,beta");
    const [device] = await json("devices");
    deepEqual([device.thingName, device.label, device.groups], ["board-1", "front door", ["beta", "lab"]]);
    await folder.bad(
      1,
      "No device is known by the name baord-1 (--new",
      "deploy",
      "v2.bin",
      "--thing",
      "baord-1",
    );
    const answer = async (text: string) => {
      const asked = folder.startOnTerminal(100, "deploy", "v2.bin", "--thing", "baord-1", "--no-wait");
      await asked.until(/baord-1\. Deploy to it all the same\? \[y\/N\] /);
      asked.child.stdin!.end(`${text}\n`);
      return (await asked.ended).code;
    };
    equal(await answer("n"), 1);
    await folder.bad(1, 'No device is in the group "labs"', "deploy", "v2.bin", "--group", "labs");
    deepEqual(await json("jobs"), []);
    const deployed = await folder.run("deploy", "v2.bin", "--group", "lab", "--online");
    equal(deployed.code, 1);
    for (const part of [
      "Not connected: board-1",
      "Only devices that are not connected are left: the job goes on",
    ])
      ok(deployed.stdout.includes(part), deployed.stdout);
    const [{ jobId, status }] = await json("jobs");
    equal(status, "IN_PROGRESS");
    await folder.good("jobs", jobId, "--pause");
    ok((await folder.good("jobs", jobId)).includes("Stands still"), "the pause is not told");
    await folder.good("jobs", jobId, "--resume");
    equal(await folder.good("devices", "board-1", "--forget"), "board-1 is forgotten.\n");
    deepEqual(await json("devices"), []);
    await folder.bad(1, 'There is no device "board-1"', "devices", "board-1");
    equal(await answer("y"), 0);
    deepEqual(
      (await json("devices")).map(({ thingName }: { thingName: string }) => thingName),
      ["baord-1"],
    );
  });

  it("says who waits and who was never offered a job, on narrow terminals too: watch told 100 % while others waited", async () => {
    await start("--data", "stages");
    const deploy = ["deploy", "v2.bin", "--thing", "front-door,back-door,cellar", "--new"];
    const { jobId } = JSON.parse(await folder.good(...deploy, "--stages", "1", "--no-wait", "--json"));
    const watch = folder.startOnTerminal(44, "watch");
    await watch.until(/^0 % {2}2\.0\.0 1 offered, 2 wait, stage 1/m);
    await watch.stop("SIGTERM");
    equal((await json("jobs", jobId)).job.waiting, 2);
    await folder.good("jobs", jobId, "--pause");
    ok(
      (await folder.good("jobs", jobId)).includes(
        "Stage 1 of 2, 2 devices wait\nStands still: paused by an operator\n",
      ),
    );
    const cancelled = await folder.good("jobs", jobId, "--cancel");
    ok(cancelled.includes("Cancelled by an operator; 2 devices were never offered it\n"), cancelled);
    const ended = await folder.run(...deploy, "--any", "--stages", "1", "--online");
    equal(ended.code, 1, ended.stderr);
    ok(ended.stdout.includes("\nStage 1 of 2, 2 devices wait\n"), ended.stdout);
    ok(
      /1 offered, 2 wait after .*\n(.*\n)*Only devices that are not connected are left/.test(ended.stdout),
      ended.stdout,
    );
    const follow = folder.startOnTerminal(30, ...deploy, "--any");
    await follow.until(/(front-door|front.*-door) +0 % {2}offered/);
    await follow.stop("SIGTERM");
  });

  it("stores an image once, however many jobs have it, and keeps as many ended jobs as it is told", async () => {
    await start("--data", "once");
    // Nothing that a database could make smaller.
    const image = readFileSync(folder.file("v2.bin"));
    folder.write("noise.bin", Buffer.concat([image, randomBytes(1_000_000)]));
    const stored = () =>
      (readdirSync(folder.file("once/state"), { recursive: true }) as string[])
        .map((name) => statSync(folder.file(`once/state/${name}`)).size)
        .reduce((sum, size) => sum + size, 0);
    const ids: string[] = [];
    for (const thing of ["a", "b", "c"]) {
      const args = ["deploy", "noise.bin", "--any", "--thing", thing, "--new", "--no-wait", "--json"];
      ids.push((JSON.parse(await folder.good(...args)) as { jobId: string }).jobId);
    }
    ok(stored() < 2_000_000, `${stored()} bytes for one image of 1 MB`);
    for (const id of ids) await folder.good("jobs", id, "--cancel");
    await serve.stop();
    await start("--data", "once", "--keep-jobs", "1");
    const jobs = (await json("jobs")) as { jobId: string }[];
    deepEqual(
      jobs.map(({ jobId }) => jobId),
      [ids[2]],
    );
  });

  it("announces an address that its certificate has, where it listens to all: it was 0.0.0.0", async () => {
    const { mqtt, http } = await start("--listen", "0.0.0.0", "--tls", "--data", "tls");
    for (const url of [mqtt, http]) ok(/^(mqtts|https):\/\//.test(url) && !url.includes("0.0.0.0"), url);
    const device = folder.start("device", "--thing", "over-tls");
    await device.until(/boots/);
    for (let isConnected = false; !isConnected; )
      isConnected = (await json("devices")).some(
        (one: { thingName: string; connected: boolean }) => one.thingName === "over-tls" && one.connected,
      );
    await device.stop();
  });
});
