import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import mqtt from "mqtt";
import { startEmbeddedBroker, topicMatches } from "../../service/broker.js";
import { type DeployOptions, DevelopmentService, type ServiceOptions } from "../../service/index.js";
import { generateIdentity, verifyImage } from "../../service/signer.js";
import { TestCa } from "../../service/test-ca.js";
import { deepEqual, equal, ok, rejects, throws } from "../support/assert.js";
import { ForeignClient } from "../support/foreign-client.js";

const IMAGE = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) & 0xff);

describe("service: development service", () => {
  let service: DevelopmentService | undefined;
  let client: ForeignClient | undefined;

  async function start(options: ServiceOptions = {}): Promise<DevelopmentService> {
    service = await DevelopmentService.start(options);
    return service;
  }

  async function connect(thingName = "thing"): Promise<ForeignClient> {
    client = await ForeignClient.connect(service!.url, thingName);
    return client;
  }

  afterEach(async () => {
    await client?.close();
    await service?.close();
    client = service = undefined;
  });

  const unsigned: DeployOptions = { image: IMAGE, things: ["thing"], signature: null };

  it("signs what it deploys with its identity", async () => {
    const identity = await generateIdentity({ type: "rsa-2048" });
    await start({ identity });
    const job = service!.deploy({ ...unsigned, signature: undefined, updateId: "one" });
    equal(job.jobId, "AFR_OTA-one");
    const [file] = (job.document["afr_ota"] as { files: Record<string, string>[] }).files;
    ok(verifyImage(IMAGE, file["sig-sha256-rsa"], identity.certificatePem), "the signature is not good");
  });

  it("deploys what is signed elsewhere, or not at all", async () => {
    await start();
    const entry = (options: Partial<DeployOptions>) =>
      (service!.deploy({ ...unsigned, ...options }).document["afr_ota"] as { files: object[] }).files[0];
    deepEqual(Object.keys(entry({})), ["filepath", "filesize", "fileid", "certfile", "fileType"]);
    const signature = { key: "sig-sha256-x", value: "AAAA" };
    equal((entry({ signature }) as Record<string, string>)["sig-sha256-x"], "AAAA");
    throws(() => service!.deploy({ ...unsigned, signature: undefined }), {
      type: TypeError,
      message: "sign with",
    });
  });

  it("serves the image over HTTP at a URL that is fresh in every delivery", async () => {
    await start({ http: { urlLength: 1600 } });
    const job = service!.deploy({ ...unsigned, protocols: ["HTTP", "MQTT"] });
    const device = await connect();
    const urls: string[] = [];
    for (let i = 0; i < 2; i++) {
      const { accepted } = await device.job(`${job.jobId}/get`, {});
      urls.push(accepted.execution.jobDocument.afr_ota.files[0].update_data_url);
    }
    ok(urls[0] !== urls[1], "the same URL twice");
    for (const url of urls) {
      ok(url.startsWith(`${service!.httpOrigin}/`) && url.length >= 1600, url);
      const response = await fetch(url, { headers: { Range: "bytes=100-199" } });
      equal(response.status, 206);
      deepEqual(new Uint8Array(await response.arrayBuffer()), IMAGE.slice(100, 200));
    }
  });

  it("forgets stream and image with the job", async () => {
    await start();
    const job = service!.deploy({ ...unsigned, protocols: ["HTTP", "MQTT"] });
    const device = await connect();
    const { accepted } = await device.job("$next/get", {});
    const { files, streamname } = accepted.execution.jobDocument.afr_ota;
    service!.delete(job.jobId, true);
    equal((await fetch(files[0].update_data_url)).status, 404);
    await device.openStream(streamname, "json");
    await device.ask(streamname, "get", "json", { f: 0, l: 256, n: 1 });
    equal((await device.answer(streamname, "rejected", "json")).o, "ResourceNotFound");
  });

  it("keeps the first image when an update's name is used twice", async () => {
    await start();
    service!.deploy({ ...unsigned, updateId: "one", protocols: ["HTTP"] });
    const again = { ...unsigned, updateId: "one", image: IMAGE.slice(1) };
    throws(() => service!.deploy(again), { code: "ResourceAlreadyExists" });
    const { accepted } = await (await connect()).job("$next/get", {});
    const response = await fetch(accepted.execution.jobDocument.afr_ota.files[0].update_data_url);
    equal((await response.arrayBuffer()).byteLength, IMAGE.length);
  });

  it("tells of jobs, executions and their end", async () => {
    await start();
    const seen: string[] = [];
    service!.on("job", ({ status }) => seen.push(`job ${status}`));
    service!.on("execution", ({ thingName, status }) => seen.push(`${thingName} ${status}`));
    service!.on("deleted", (jobId) => seen.push(`deleted ${jobId}`));
    const { jobId } = service!.deploy({ ...unsigned, updateId: "one" });
    const ended = service!.ended(jobId, "thing");
    await (await connect()).job(`${jobId}/update`, { status: "FAILED", statusDetails: { reason: "no" } });
    deepEqual((await ended).statusDetails, { reason: "no" });
    equal((await service!.ended(jobId, "thing")).status, "FAILED");
    service!.delete(jobId);
    deepEqual(seen, [
      "job IN_PROGRESS",
      "thing QUEUED",
      "thing FAILED",
      "job COMPLETED",
      "deleted AFR_OTA-one",
    ]);
  });

  it("does not wait for an end for ever", async () => {
    await start();
    const { jobId } = service!.deploy(unsigned);
    await rejects(service!.ended(jobId, "thing", 20), { code: "InternalError", message: "it is QUEUED" });
  });

  it("knows its devices and whether they are connected", async () => {
    await start();
    service!.deploy({ ...unsigned, things: ["other"] });
    const device = await connect();
    await device.job("$next/get", {});
    const [other, thing] = service!.devices();
    deepEqual(other, { thingName: "other", groups: [] });
    equal(thing.connected, true);
    ok(Math.abs(thing.lastSeen! - Date.now()) < 60_000, `${thing.lastSeen}`);
    const gone = once(service!, "device");
    await device.close();
    equal((await gone)[0].connected, false);
  });

  it("serves devices over TLS", async () => {
    const ca = await TestCa.create({ type: "ecdsa-p256" });
    await start({ listen: { tls: await ca.issue(["127.0.0.1"]) } });
    ok(service!.url.startsWith("mqtts://127.0.0.1:"), service!.url);
    const device = await mqtt.connectAsync(service!.url, { ca: ca.certificate });
    const answer = new Promise<string>((resolve) => device.once("message", resolve));
    await device.publishAsync("$aws/things/thing/jobs/$next/get", "{}");
    equal(await answer, "$aws/things/thing/jobs/$next/get/accepted");
    await device.endAsync(true);
  });

  it("fails to start on addresses in use, and leaves nothing behind", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    await rejects(DevelopmentService.start({ listen: { port } }), { code: "EADDRINUSE" });
    await rejects(DevelopmentService.start({ http: { port } }), { code: "EADDRINUSE" });
    taken.close();
    await once(taken, "close");
    await rejects(DevelopmentService.start({ broker: `mqtt://127.0.0.1:${port}` }), { code: "ECONNREFUSED" });
  });

  it("goes on after the broker elsewhere was away", async () => {
    const silent = { message: () => {} };
    let broker = await startEmbeddedBroker(silent);
    const { url } = broker;
    await start({ broker: url });
    service!.deploy({ ...unsigned, updateId: "one" });
    const failed = once(service!, "failure");
    await broker.close();
    await failed;
    broker = await startEmbeddedBroker(silent, { port: Number(new URL(url).port) });
    try {
      const device = await connect();
      await device.subscribe("jobs/$next/get/accepted");
      for (let tries = 0; tries < 50 && !device.unread.includes("jobs/$next/get/accepted"); tries++) {
        await device.send("jobs/$next/get", "{}");
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const { execution } = await device.receiveJson("jobs/$next/get/accepted");
      equal(execution.jobId, "AFR_OTA-one");
    } finally {
      await client!.close();
      await service!.close();
      await broker.close();
    }
  });
});

describe("service: topic filters", () => {
  const cases: [filter: string, topic: string, matches: boolean][] = [
    ["$aws/things/t/jobs/get/accepted", "$aws/things/t/jobs/get/accepted", true],
    ["$aws/things/+/jobs/+/get/#", "$aws/things/t/jobs/$next/get/accepted", true],
    ["$aws/things/t/jobs/#", "$aws/things/t/jobs", true],
    ["$aws/things/t/jobs/+", "$aws/things/t/jobs/get/accepted", false],
    ["$aws/things/u/#", "$aws/things/t/jobs/get", false],
    ["#", "$aws/things/t/jobs/get", false],
    ["+/things/t/jobs/get", "$aws/things/t/jobs/get", false],
  ];
  for (const [filter, topic, matches] of cases)
    it(`${filter} ${matches ? "matches" : "does not match"} ${topic}`, () => {
      equal(topicMatches(filter, topic), matches);
    });
});
