import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { DevelopmentService } from "../../service/index.js";
import { newJob } from "../../service/job-records.js";
import { ServiceStore } from "../../service/store.js";
import { deepEqual, equal, ok, rejects, throws } from "../support/assert.js";

describe("service: store", () => {
  let directory: string;
  let store: ServiceStore | undefined;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "service-store-"));
  });
  afterEach(async () => {
    await store?.close();
    store = undefined;
    rmSync(directory, { recursive: true, force: true });
  });

  const job = (jobId: string) => newJob({ jobId, document: { a: [1, "ü"] }, targets: ["t"] }, 1000);

  it("gives back what was put, and not what was deleted", async () => {
    store = await ServiceStore.open(directory);
    const device = { thingName: "t", connected: true, lastSeen: 5, clientId: "c" };
    store.putJob(job("one"));
    store.putJob(job("two"));
    store.deleteJob("two", []);
    store.putDevice(device);
    store.putImage("x", Uint8Array.of(1, 2, 255));
    await store.close();
    store = await ServiceStore.open(directory);
    deepEqual(await store.jobs(), [job("one")]);
    deepEqual(await store.devices(), [device]);
    deepEqual(Uint8Array.from((await store.image("x"))!), Uint8Array.of(1, 2, 255));
    equal(await store.image("y"), undefined);
  });

  it("lets what depends on a change go only once it is written", async () => {
    store = await ServiceStore.open(directory);
    const order: string[] = [];
    store.afterwards(() => order.push("nothing to wait for"));
    store.putJob(job("one"));
    const { promise, resolve } = withResolvers();
    store.afterwards(() => {
      order.push("written");
      resolve();
    });
    order.push("the turn goes on");
    await promise;
    deepEqual(order, ["nothing to wait for", "the turn goes on", "written"]);
  });

  it("keeps the order of what waits", async () => {
    store = await ServiceStore.open(directory);
    const order: number[] = [];
    for (let i = 0; i < 50; i++) {
      store.putJob(job(`j${i}`));
      store.afterwards(() => order.push(i));
      if (i % 7 === 0) await undefined;
    }
    await store.settled();
    deepEqual(
      order,
      Array.from({ length: 50 }, (_, i) => i),
    );
  });

  it("sends what depends on a change that could not be written once it is, and says why it is not", async () => {
    const failures: string[] = [];
    let full = true;
    store = await ServiceStore.open(directory, {
      failed: (error) => failures.push(error.message),
      retryMs: 5,
      write: (_operations, write) =>
        full
          ? Promise.reject(Object.assign(new Error("No space left on device"), { code: "ENOSPC" }))
          : write(),
    });
    let sent = false;
    store.putJob(job("one"));
    const { promise, resolve } = withResolvers();
    store.afterwards(() => {
      sent = true;
      resolve();
    });
    await rejects(store.settled(), { code: "StorageFull", message: "the disk is full" });
    equal(sent, false);
    equal(store.problem, "the disk is full");
    throws(() => store!.requireRoom(1), { code: "StorageFull" });
    store.putJob(job("two"));
    full = false;
    await promise;
    await store.settled();
    equal(store.problem, undefined);
    equal(failures.length, 1, "failures told");
    ok(failures[0].endsWith("cannot be written: the disk is full"), failures[0]);
    deepEqual(await store.jobs(), [job("one"), job("two")]);
  });

  it("takes nothing that cannot be written as JSON", async () => {
    store = await ServiceStore.open(directory);
    throws(() => store!.putJob({ ...job("one"), document: { n: 1n } }), { type: TypeError });
    await store.settled();
    deepEqual(await store.jobs(), []);
  });

  it("refuses a directory another process uses, one that is none, and a later format", async () => {
    store = await ServiceStore.open(directory);
    await rejects(ServiceStore.open(directory), { message: "another process uses it" });
    await store.close();
    const level = new ClassicLevel<string, unknown>(directory);
    await level.sublevel<string, unknown>("meta", { valueEncoding: "json" }).put("format", 99);
    await level.close();
    await rejects(ServiceStore.open(directory), { message: "format 99" });
    writeFileSync(join(directory, "file"), "");
    await rejects(ServiceStore.open(join(directory, "file")), { code: "EEXIST" });
    store = undefined;
  });

  it("keeps what signs URLs", async () => {
    store = await ServiceStore.open(directory);
    const first = await store.credentials(() => ({ accessKeyId: "a", secretAccessKey: "b" }));
    await store.close();
    store = await ServiceStore.open(directory);
    const again = await store.credentials(() => ({ accessKeyId: "c", secretAccessKey: "d" }));
    deepEqual(again, first);
  });

  it("is released when the service does not start", async () => {
    const blocker = await DevelopmentService.start();
    try {
      const port = Number(new URL(blocker.url).port);
      await rejects(DevelopmentService.start({ state: directory, listen: { port } }), { code: "EADDRINUSE" });
      store = await ServiceStore.open(directory);
      ok(store);
    } finally {
      await blocker.close();
    }
  });

  it("is not used together with records given", async () => {
    const restore = { jobs: [], executions: [] };
    await rejects(DevelopmentService.start({ state: directory, restore }), { type: TypeError });
  });
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
