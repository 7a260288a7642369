import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiServer } from "../../service/api.js";
import { Desk, type DeskDeployment, type DeskOptions } from "../../service/desk.js";
import { generateIdentity, type SigningIdentity } from "../../service/signer.js";
import { demoImage } from "../../tools/cli/demo-image.js";
import { deepEqual, equal, ok, rejects, throws } from "../support/assert.js";

const SIZE = 20_000;

describe("service: the desk", () => {
  let folder: string;
  let desk: Desk;
  let identity: SigningIdentity;

  before(async () => {
    identity = await generateIdentity();
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "xs-ota-desk-"));
    desk = await open();
  });
  afterEach(async () => {
    await desk.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function open(options: Partial<DeskOptions> = {}): Promise<Desk> {
    return Desk.open({ folder, identity, ...options });
  }

  const image = (version: string) => demoImage({ chip: "esp32c3", version, size: SIZE });

  function deploy(options: Partial<DeskDeployment> = {}) {
    return desk.deploy({ image: image("2.0.0"), fileName: "/tmp/v2.bin", things: [], ...options });
  }

  it("deploys to groups, each device once", async () => {
    await desk.editDevice("a", { groups: ["lab", "beta"], label: "front door" });
    await desk.editDevice("b", { groups: ["lab"] });
    await desk.editDevice("c", {});
    const job = await deploy({ groups: ["lab", "beta"], things: ["b"] });
    equal(job.things, 2);
    deepEqual(job.groups, ["lab", "beta"]);
    equal(desk.device("a").device.label, "front door");
    deepEqual(desk.device("a").device.groups, ["beta", "lab"]);
    await rejects(deploy({ groups: ["none"] }), { code: "ResourceNotFound" });
  });

  it("asks about a name it does not know instead of making a device of it", async () => {
    await rejects(deploy({ things: ["tpyo"] }), { code: "UnknownThing", message: "tpyo" });
    deepEqual(desk.service.devices(), []);
    equal((await deploy({ things: ["tpyo"], addThings: true })).things, 1);
    equal(desk.service.devices().length, 1);
  });

  it("offers a continuous job to a device that joins its group, also after a restart", async () => {
    const job = await deploy({ groups: ["lab"], targetSelection: "CONTINUOUS" });
    equal(job.things, 0);
    await desk.editDevice("a", { groups: ["lab"] });
    equal(desk.job(job.jobId).executions.length, 1);
    await desk.close();
    desk = await open();
    await desk.editDevice("b", { groups: ["lab"] });
    deepEqual(
      desk.job(job.jobId).executions.map(({ thingName }) => thingName),
      ["a", "b"],
    );
  });

  it("says whom a deployment would touch, and what stands against it", async () => {
    await desk.editDevice("a", {});
    await deploy({ things: ["a"] });
    const preview = desk.preview({ image: image("2.0.0"), fileName: "v2.bin", things: "all" });
    deepEqual(preview, {
      things: ["a"],
      offline: ["a"],
      warnings: ["1 of 1 devices have an update under way or waiting"],
      ...{ size: SIZE, payloads: [] },
    });
  });

  it("forgets a device with what happened on it, for good", async () => {
    const { jobId } = await deploy({ things: ["a", "b"], addThings: true });
    await desk.forgetDevice("a");
    throws(() => desk.device("a"), { code: "ResourceNotFound" });
    await desk.close();
    desk = await open();
    deepEqual(
      desk.service.devices().map(({ thingName }) => thingName),
      ["b"],
    );
    deepEqual(
      desk.job(jobId).executions.map(({ thingName }) => thingName),
      ["b"],
    );
  });

  it("keeps an image once, as long as a job has it", async () => {
    const first = await deploy({ things: ["a"], addThings: true });
    const second = await deploy({ things: ["a"] });
    const { digest } = desk.service.jobs.job(first.jobId);
    equal(desk.service.jobs.job(second.jobId).digest, digest);
    await desk.delete(first.jobId);
    await desk.close();
    desk = await open();
    const stream = desk.service.streams.streams();
    equal(stream.length, 1);
    equal(stream[0].files[0].byteLength, SIZE);
    await desk.delete(second.jobId);
    equal(desk.service.streams.streams().length, 0);
  });

  it("forgets jobs that have ended beyond the number and age kept", async () => {
    for (let i = 0; i < 5; i++) await desk.cancel((await deploy({ things: ["a"], addThings: true })).jobId);
    const kept = await deploy({ things: ["a"] });
    await desk.close();
    desk = await open({ keep: { jobs: 2 } });
    equal(desk.service.jobs.jobs().length, 3);
    ok(desk.job(kept.jobId), "an open job is gone");
    await desk.close();
    desk = await open({ keep: { days: -1 } });
    equal(desk.service.jobs.jobs().length, 1);
  });

  it("tells what has changed, which JSON has whole", async () => {
    const told = new Promise<string>((resolve) =>
      desk.once("change", (change) => resolve(JSON.stringify(change))),
    );
    await desk.editDevice("gone", {});
    await desk.forgetDevice("gone");
    const { jobId } = await deploy({ things: ["a"], addThings: true });
    const { devices, jobs, executions, deleted, forgotten } = JSON.parse(await told);
    deepEqual([devices[0].thingName, jobs[0].jobId, executions[0].jobId], ["a", jobId, jobId]);
    deepEqual([deleted, forgotten], [[], ["gone"]]);
  });

  it("pauses, resumes and cancels, and says why", async () => {
    const rollout = { stages: [{ count: 1 }] };
    const { jobId } = await deploy({ things: ["a", "b"], addThings: true, rollout, description: "a fix" });
    equal(desk.job(jobId).job.waiting, 1);
    equal((await desk.pause(jobId)).paused, "paused by an operator");
    equal((await desk.resume(jobId)).paused, undefined);
    deepEqual(desk.job(jobId).job.stage, { stage: 1, stages: 2 });
    const { status, reasonCode, waiting } = await desk.cancel(jobId, true, "no");
    deepEqual(
      { status, reasonCode, waiting },
      { status: "CANCELED", reasonCode: "USER_INITIATED", waiting: 0 },
    );
  });

  it("lists devices by word, version, state and group, sorted and cut", async () => {
    for (let i = 1; i <= 12; i++) await desk.editDevice(`board-${i}`, { groups: i % 2 ? ["odd"] : ["even"] });
    const names = (query: object) => {
      const list = desk.listDevices({ offset: 0, limit: 5, ...query });
      return `${list.matching}/${list.total}: ${list.rows.map(({ thingName }) => thingName.slice(6)).join()}`;
    };
    equal(names({}), "12/12: 1,2,3,4,5");
    equal(names({ offset: 10 }), "12/12: 11,12");
    equal(names({ descending: true }), "12/12: 12,11,10,9,8");
    equal(names({ group: "odd" }), "6/12: 1,3,5,7,9");
    equal(names({ text: "BOARD 12" }), "1/12: 12");
    equal(names({ state: "online" }), "0/12: ");
    equal(names({ version: "unknown", limit: 1 }), "12/12: 1");
    await desk.editDevice("board-7", { label: "a pump" });
    equal(names({}), "12/12: 7,1,2,3,4", "by the name that is shown");
    const { versions, groups } = desk.listDevices({ offset: 0, limit: 0 });
    deepEqual(versions, [["unknown", 12]]);
    deepEqual(groups, [
      ["odd", 6],
      ["even", 6],
    ]);
    const job = await deploy({ things: "all" });
    equal(names({ state: "offered" }), "12/12: 7,1,2,3,4");
    equal(names({ failedIn: job.jobId }), "0/12: ");
    equal(desk.listJobs({ offset: 0, limit: 5, text: "2.0.0" }).matching, 1);
  });

  it("answers the page over HTTP, and refuses what is no query", async () => {
    const api = await ApiServer.start({ desk });
    try {
      const ask = async (method: string, path: string, body?: unknown) => {
        const sent =
          body instanceof Uint8Array ? body : body === undefined ? undefined : JSON.stringify(body);
        const response = await fetch(`${api.origin}/api/${path}`, { method, body: sent as never });
        return { status: response.status, body: (await response.json()) as never };
      };
      equal((await ask("PATCH", "devices/a:b", { label: "x", groups: ["lab"] })).status, 200);
      const { body } = await ask("GET", "devices/a:b");
      equal((body as { device: { label: string } }).device.label, "x");
      equal((await ask("GET", "devices?limit=1&desc=1&sort=seen")).status, 200);
      for (const [method, path, content] of [
        ["GET", "devices?limit=-1"],
        ["GET", "devices?sort=height"],
        ["PATCH", "devices/a", "{"],
        ["PATCH", "devices/a", []],
        ["PATCH", "devices/a", { groups: [1] }],
        ["PATCH", "devices/a", { groups: ["a b"] }],
        ["PATCH", "devices/a", { label: "a\nb" }],
        ["POST", "jobs?thing=a&addThings=1&rollout=1", image("2.0.0")],
        ["POST", "jobs?thing=a&addThings=1&rollout=%7B%22stages%22%3A1%7D", image("2.0.0")],
        ["POST", "jobs?thing=a&addThings=1&rollout=%7B%22stages%22%3A%5B1%5D%7D", image("2.0.0")],
        ["POST", "jobs?thing=a&addThings=1&abort=%7B%7D", image("2.0.0")],
        [
          "POST",
          "jobs?thing=a&addThings=1&schedule=%7B%22maintenanceWindows%22%3A%5B1%5D%7D",
          image("2.0.0"),
        ],
      ] as const)
        equal((await ask(method, path, content)).status, 400, `${method} ${path}`);
      equal((await ask("DELETE", "devices/none")).status, 404);
      equal((await ask("POST", "preview?thing=none", image("2.0.0"))).status, 404);
      const preview = await ask("POST", "preview?all=1", image("2.0.0"));
      deepEqual((preview.body as { things: string[] }).things, ["a:b"]);
    } finally {
      await api.close();
    }
  });
});
