import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DevelopmentService } from "../../service/index.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { ForeignClient } from "../support/foreign-client.js";
import { KillableService } from "../support/killable-service.js";

describe("service: state that survives", () => {
  const image = randomBytes(100_000);
  let directory: string;
  let running: KillableService | undefined;
  let client: ForeignClient | undefined;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "service-state-"));
  });
  afterEach(async () => {
    await client?.close();
    await running?.kill();
    client = running = undefined;
    rmSync(directory, { recursive: true, force: true });
  });

  async function connect(url: string): Promise<ForeignClient> {
    await client?.close();
    client = await ForeignClient.connect(url, "thing");
    return client;
  }

  it("a kill between the answer to a device and its next request", async () => {
    running = await KillableService.start(directory);
    const first = await running.deploy({ image, things: ["thing", "other"] });
    const second = await running.deploy({ image: image.subarray(1), things: ["thing"] });
    let device = await connect(running.url);
    await device.job("start-next", { statusDetails: { self_test: "ready" } });
    await running.kill();

    running = await KillableService.start(directory);
    device = await connect(running.url);
    const { accepted } = await device.job("$next/get", {});
    equal(accepted.execution.jobId, first);
    equal(accepted.execution.status, "IN_PROGRESS");
    equal(accepted.execution.versionNumber, 2);
    deepEqual(accepted.execution.statusDetails, { self_test: "ready" });
    const list = await device.job("get", {});
    deepEqual(
      list.accepted.queuedJobs.map(({ jobId }: { jobId: string }) => jobId),
      [second],
    );
  });

  it("a kill in the middle of a download over MQTT and one over HTTP", async () => {
    running = await KillableService.start(directory);
    await running.deploy({ image, things: ["thing"], protocols: ["MQTT", "HTTP"] });
    let device = await connect(running.url);
    await device.job("start-next", {});
    await running.kill();

    running = await KillableService.start(directory);
    device = await connect(running.url);
    const { accepted } = await device.job("$next/get", {});
    const { streamname, files } = accepted.execution.jobDocument.afr_ota;
    const file = await device.download(streamname, "cbor", image.length, 4096);
    ok(file.equals(image), "the file differs");
    ok(files[0].update_data_url.startsWith(running.httpOrigin), files[0].update_data_url);
    const body = Buffer.from(await (await fetch(files[0].update_data_url)).arrayBuffer());
    ok(body.equals(image), "the body differs");
  });

  it("kills at any moment: what a device was told is never taken back", async () => {
    running = await KillableService.start(directory);
    const jobId = await running.deploy({ image, things: ["thing"] });
    let known = 1;
    for (let round = 0; round < 4; round++) {
      const device = await connect(running.url);
      await device.subscribe(`jobs/${jobId}/update/accepted`);
      const update = { status: "IN_PROGRESS", includeJobExecutionState: true };
      let alive = true;
      const chatter = (async () => {
        while (alive) {
          await device.send(`jobs/${jobId}/update`, JSON.stringify(update)).catch(() => {});
          if (!alive) return;
          const { executionState } = await device.receiveJson(`jobs/${jobId}/update/accepted`);
          known = executionState.versionNumber;
        }
      })().catch(() => {});
      const heard = known;
      while (known < heard + 5 + 3 * round) await new Promise((resolve) => setTimeout(resolve, 5));
      await running.kill();
      alive = false;
      running = await KillableService.start(directory);
      const after = await connect(running.url);
      await chatter;
      const { accepted } = await after.job(`${jobId}/get`, {});
      const { versionNumber } = accepted.execution;
      ok(versionNumber >= known, `version ${versionNumber} after a device was told ${known}`);
      ok(versionNumber <= known + 1, `version ${versionNumber}, but only ${known} was answered`);
      known = versionNumber;
    }
  });

  it("an orderly restart, with history and devices", async () => {
    let service = await DevelopmentService.start({ state: directory });
    const { jobId } = service.deploy({ image, things: ["thing"], signature: null });
    const device = await connect(service.url);
    await device.job(`${jobId}/update`, { status: "IN_PROGRESS", statusDetails: { receive: "1/3" } });
    await device.job(`${jobId}/update`, { status: "SUCCEEDED", statusDetails: { reason: "done" } });
    const { history } = service.jobs.execution("thing", jobId);
    equal(history.length, 3);
    await service.close();

    service = await DevelopmentService.start({ state: directory });
    try {
      deepEqual(service.jobs.execution("thing", jobId).history, history);
      equal(service.jobs.job(jobId).status, "COMPLETED");
      const [{ thingName, connected, lastSeen }] = service.devices();
      deepEqual({ thingName, connected }, { thingName: "thing", connected: false });
      ok(Math.abs(lastSeen! - Date.now()) < 60_000, `${lastSeen}`);
      service.delete(jobId);
    } finally {
      await service.close();
    }

    service = await DevelopmentService.start({ state: directory });
    try {
      deepEqual(service.jobs.jobs(), []);
      deepEqual(service.jobs.executions(), []);
    } finally {
      await service.close();
    }
  });
});
