import { randomBytes } from "node:crypto";
import { DevelopmentService } from "../../service/index.js";
import { generateIdentity, type SigningIdentity, verifyImage } from "../../service/signer.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { ForeignClient } from "../support/foreign-client.js";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.js";

const SIZE = 300_001;

let identity: SigningIdentity;
before(async () => {
  identity = await generateIdentity();
});

for (const kind of ["embedded broker", "mosquitto"])
  describe(`service: a foreign client on ${kind}`, () => {
    let mosquitto: Mosquitto | undefined;
    let service: DevelopmentService;
    let client: ForeignClient;
    const image = randomBytes(SIZE);

    before(async () => {
      if (kind === "mosquitto") mosquitto = await startMosquitto();
      // Each test connects anew, faster than AWS would let one client.
      const listen = { connectInterval: 0 };
      service = await DevelopmentService.start({ broker: mosquitto?.url, listen, identity });
    });
    beforeEach(async () => {
      client = await ForeignClient.connect(service.url, "foreign");
    });
    afterEach(async () => {
      await client.close();
      for (const { jobId } of service.jobs.jobs()) service.delete(jobId, true);
    });
    after(async () => {
      await service.close();
      await mosquitto?.stop();
    });

    function streamOf(jobDocument: { afr_ota: { streamname: string } }): string {
      return jobDocument.afr_ota.streamname;
    }

    it("updates itself in CBOR", async () => {
      const job = service.deploy({ image, things: ["foreign"], certFile: "/c.pem" });
      const { execution } = await client.receiveJson("jobs/notify-next");
      equal(execution.jobId, job.jobId);
      const { accepted } = await client.job("start-next", { clientToken: "go" });
      equal(accepted.clientToken, "go");
      equal(accepted.execution.status, "IN_PROGRESS");
      const { afr_ota } = accepted.execution.jobDocument;
      const file = await client.download(afr_ota.streamname, "cbor", afr_ota.files[0].filesize, 4096);
      ok(file.equals(image), "the file differs");
      ok(verifyImage(file, afr_ota.files[0]["sig-sha256-ecdsa"], identity.certificatePem), "bad signature");
      const done = { status: "SUCCEEDED", statusDetails: { reason: "done" }, includeJobExecutionState: true };
      const update = await client.job(`${job.jobId}/update`, done);
      deepEqual(update.accepted.executionState, {
        status: "SUCCEEDED",
        statusDetails: { reason: "done" },
        versionNumber: 3,
      });
      deepEqual(Object.keys(await client.receiveJson("jobs/notify-next")), ["timestamp"]);
      equal((await service.ended(job.jobId, "foreign")).status, "SUCCEEDED");
    });

    it("downloads in JSON", async () => {
      service.deploy({ image, things: ["foreign"] });
      const { accepted } = await client.job("$next/get", {});
      const file = await client.download(streamOf(accepted.execution.jobDocument), "json", SIZE, 32768);
      ok(file.equals(image), "the file differs");
    });

    it("describes a stream in both formats", async () => {
      const job = service.deploy({ image, things: ["foreign"] });
      const stream = streamOf(job.document as never);
      for (const format of ["json", "cbor"] as const) {
        await client.openStream(stream, format);
        await client.ask(stream, "describe", format, { c: "d" });
        deepEqual(await client.answer(stream, "description", format), {
          c: "d",
          s: 1,
          d: "",
          r: [{ f: 0, z: SIZE }],
        });
      }
    });

    it("is told what is wrong with a stream request", async () => {
      const job = service.deploy({ image, things: ["foreign"] });
      const stream = streamOf(job.document as never);
      await client.openStream(stream, "cbor");
      await client.openStream(stream, "json");
      await client.ask(stream, "get", "cbor", { f: 0, l: 100, n: 1 });
      equal((await client.answer(stream, "rejected", "cbor")).o, "BlockSizeOutOfBounds");
      await client.ask(stream, "get", "json", { f: 1, l: 256, n: 1, c: "x" });
      const { o, c } = await client.answer(stream, "rejected", "json");
      deepEqual({ o, c }, { o: "ResourceNotFound", c: "x" });
      await client.ask(stream, "get", "json", { f: 0, l: 256, n: 1, s: 9 });
      equal((await client.answer(stream, "rejected", "json")).o, "VersionMismatch");
    });

    it("is told what is wrong with a job request", async () => {
      const job = service.deploy({ image, things: ["foreign"] });
      equal((await client.job("nothing/get", {})).rejected.code, "ResourceNotFound");
      const stale = await client.job(`${job.jobId}/update`, { status: "IN_PROGRESS", expectedVersion: "5" });
      equal(stale.rejected.code, "VersionMismatch");
      deepEqual(stale.rejected.executionState, { status: "QUEUED", versionNumber: 1 });
      equal((await client.job(`${job.jobId}/update`, {})).rejected.code, "InvalidRequest");
    });

    it("sees its job go away when it is cancelled by force", async () => {
      const job = service.deploy({ image, things: ["foreign"] });
      await client.receive("jobs/notify-next");
      await client.job("start-next", {});
      service.cancel(job.jobId, true);
      deepEqual(Object.keys(await client.receiveJson("jobs/notify-next")), ["timestamp"]);
      const late = await client.job(`${job.jobId}/update`, { status: "IN_PROGRESS" });
      equal(late.rejected.code, "InvalidStateTransition");
      equal(late.rejected.executionState.status, "CANCELED");
    });

    it("and another update themselves at once", async () => {
      const second = await ForeignClient.connect(service.url, "other");
      try {
        const job = service.deploy({ image, things: ["foreign", "other"] });
        const stream = streamOf(job.document as never);
        const files = await Promise.all([
          client.download(stream, "cbor", SIZE, 4096),
          second.download(stream, "cbor", SIZE, 2048),
        ]);
        for (const file of files) ok(file.equals(image), "the file differs");
        await client.job(`${job.jobId}/update`, { status: "SUCCEEDED" });
        await second.job(`${job.jobId}/update`, { status: "FAILED" });
        equal(service.jobs.execution("foreign", job.jobId).status, "SUCCEEDED");
        equal(service.jobs.execution("other", job.jobId).status, "FAILED");
        equal(service.jobs.job(job.jobId).status, "COMPLETED");
      } finally {
        await second.close();
      }
    });

    if (kind === "embedded broker")
      it("gets job replies without a subscription, and each only once with one", async () => {
        await client.send("jobs/$next/get", "{}");
        ok((await client.receiveJson("jobs/$next/get/accepted")).timestamp > 0);
        await client.subscribe("jobs/+/get/+");
        await client.send("jobs/$next/get", "{}");
        await client.receive("jobs/$next/get/accepted");
        await client.job("get", {});
        deepEqual(client.unread, []);
      });
  });
