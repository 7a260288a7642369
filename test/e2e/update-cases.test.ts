/**
 * The end-to-end cases of the original's test suite and of AWS IoT Device Tester (OTAE2E), under their names:
 * a device that runs 0.9.0 over real sockets, of AWS IoT over MQTT and of hawkBit over DDI.
 * @module
 */
import { deviceBundle } from "../../hosts/xs/bundle.js";
import { decodeCbor } from "../../service/cbor.js";
import { generateIdentity, signImage } from "../../service/signer.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { CERTIFICATE, firmware, type Lab, type LabOptions, withLab } from "../support/lab.js";

/** Slow enough to step in, in bytes a second. */
const SLOWLY = { rateLimit: 64 * 1024, blockSize: 4096 };

/** The update fails for this reason, and the device still runs 0.9.0. */
async function refused(lab: Lab, jobId: string, code: string): Promise<void> {
  const { status, statusDetails } = await lab.ended(jobId);
  deepEqual([status, statusDetails["code"]], ["FAILED", code]);
  await lab.runs("0.9.0");
  equal(await lab.update(firmware("0.9.1")), "SUCCEEDED", "a good update afterwards");
}

/** `n` of each block request. */
const blocksPerRequest = (lab: Lab) =>
  lab.requests.map(({ payload }) => (decodeCbor(payload) as { n: number }).n);

const EVERYWHERE: Readonly<Record<string, LabOptions>> = {
  "MQTT, aedes, device on node": { engine: "node" },
  "MQTT, aedes, device on xs": { engine: "xs" },
  "MQTT, mosquitto, device on node": { broker: "mosquitto", engine: "node" },
  "DDI, device on node": { hawkbit: true, engine: "node" },
  "DDI, device on xs": { hawkbit: true, engine: "xs" },
};
/** What does not differ by broker and engine. */
const SERVICES: Readonly<Record<string, LabOptions>> = { MQTT: {}, DDI: { hawkbit: true } };

for (const [name, on] of Object.entries(EVERYWHERE))
  describe(`OTAE2E over ${name}`, () => {
    before(function () {
      // Made once, after a change of its sources: no part of an update.
      this.timeout(600_000);
      if (on.engine === "xs") deviceBundle();
    });

    it("GreaterVersion", () =>
      withLab(on, async (lab) => {
        equal(await lab.update(firmware("0.9.1")), "SUCCEEDED");
        await lab.runs("0.9.1");
        deepEqual(lab.boots, ["ota_0 0.9.0", "ota_1 0.9.1"]);
      }));

    it("BackToBackDownloads", () =>
      withLab(on, async (lab) => {
        const jobs = ["0.9.1", "0.9.2", "0.9.3"].map((version) => lab.deploy(firmware(version)));
        for (const jobId of jobs) equal((await lab.ended(jobId)).status, "SUCCEEDED");
        await lab.runs("0.9.3");
        deepEqual(lab.boots, ["ota_0 0.9.0", "ota_1 0.9.1", "ota_0 0.9.2", "ota_1 0.9.3"]);
      }));

    it("CorruptSignature", () =>
      withLab(on, async (lab) => {
        const image = firmware("0.9.1");
        const { key, value } = signImage(image, lab.identity.privateKeyPem);
        const damaged = Buffer.from(value, "base64");
        damaged[damaged.length - 5] ^= 0x10;
        await refused(
          lab,
          lab.deploy(image, { signature: { key, value: damaged.toString("base64") } }),
          "signature-check",
        );
      }));

    it("DisconnectResume", () =>
      withLab({ ...on, agent: SLOWLY }, async (lab) => {
        const jobId = lab.deploy(firmware("0.9.1"));
        await lab.received(30_000);
        await lab.kick();
        equal((await lab.ended(jobId)).status, "SUCCEEDED");
        const verified = lab.events.find((event) => event.type === "verified");
        const { packetsProcessed, duplicates } = (verified as { statistics: Record<string, number> })
          .statistics;
        equal(packetsProcessed, 24, "each block is written once");
        ok(duplicates <= 8, `${duplicates} blocks came again`);
      }));

    it("CancelThenUpdate", () =>
      withLab({ ...on, agent: SLOWLY }, async (lab) => {
        const first = lab.deploy(firmware("0.9.1"));
        await lab.received(20_000);
        lab.service.cancel(first, true);
        const second = lab.deploy(firmware("0.9.2"));
        equal((await lab.ended(second)).status, "SUCCEEDED");
        equal(lab.execution(first).status, "CANCELED");
        await lab.runs("0.9.2");
        deepEqual(lab.failures(), ["cancelled"]);
      }));
  });

describe("OTAE2E over MQTT", () => {
  it("GreaterVersionMinBlockConfig", () =>
    withLab({ agent: { blockSize: 4096, maxOutstandingBytes: 4096 } }, async (lab) => {
      equal(await lab.update(firmware("0.9.1")), "SUCCEEDED");
      deepEqual([...new Set(blocksPerRequest(lab))], [1]);
    }));

  it("GreaterVersionMaxBlockConfig", () =>
    withLab({ agent: { blockSize: 1024, maxOutstandingBytes: 131_072 } }, async (lab) => {
      equal(await lab.update(firmware("0.9.1")), "SUCCEEDED");
      // How many at a time is the window's decision: it measures a real link, on a machine that may be busy.
      ok(Math.max(...blocksPerRequest(lab)) >= 8, blocksPerRequest(lab).join());
    }));

  it("MissingFilename", () =>
    withLab({}, (lab) => refused(lab, lab.deploy(firmware("0.9.1"), { filePath: "" }), "file-create")));

  it("DummyTest", () =>
    withLab({}, async (lab) => {
      await lab.until(() => lab.events.some(({ type }) => type === "idle"), "the agent waits for a job");
      await lab.runs("0.9.0");
      equal(CERTIFICATE, "/certificates/ota.pem");
    }));
});

for (const [name, on] of Object.entries(SERVICES))
  describe(`OTAE2E over ${name}`, () => {
    it("SameVersion", () =>
      withLab(on, async (lab) => {
        await refused(lab, lab.deploy(firmware("0.9.0", "pass", { seed: 1 })), "same-version");
        const [trial] = lab.boots.filter((boot) => boot.startsWith("ota_1"));
        equal(trial, "ota_1 0.9.1", "there was no self-test boot");
      }));

    it("SameVersion, the very image that runs", () =>
      withLab(on, async (lab) => {
        const { status, statusDetails } = await lab.ended(lab.deploy(firmware("0.9.0")));
        // Over plain HTTP anybody can have sent that head.
        const expected = on.hawkbit ? ["FAILED", "same-version"] : ["SUCCEEDED", undefined];
        deepEqual([status, statusDetails["code"]], expected);
        deepEqual(lab.boots, ["ota_0 0.9.0"]);
      }));

    it("PreviousVersion", () =>
      withLab(on, (lab) => refused(lab, lab.deploy(firmware("0.8.0")), "downgrade")));

    it("UnsignedImage", () =>
      withLab(on, async (lab) => {
        await refused(lab, lab.deploy(firmware("0.9.1"), { signature: null }), "signature-missing");
      }));

    it("UntrustedCertificate", () =>
      withLab(on, async (lab) => {
        const image = firmware("0.9.1");
        const stranger = await generateIdentity();
        await refused(
          lab,
          lab.deploy(image, { signature: signImage(image, stranger.privateKeyPem) }),
          "signature-check",
        );
      }));

    it("UntrustedCertificate, of another name", () =>
      withLab(on, (lab) =>
        refused(lab, lab.deploy(firmware("0.9.1"), { certFile: "/other.pem" }), "bad-signer"),
      ));

    it("IncorrectPlatform (IncorrectSigningAlgorithm)", () =>
      withLab(on, async (lab) => {
        const image = firmware("0.9.1");
        const { value } = signImage(image, lab.identity.privateKeyPem);
        await refused(
          lab,
          lab.deploy(image, { signature: null, attributes: { "sig-sha1-rsa": value } }),
          "signature-missing",
        );
      }));

    it("SingleByteImage", () =>
      withLab(on, (lab) => refused(lab, lab.deploy(Uint8Array.of(0xe9)), "bad-image")));

    it("CorruptImageBeforeSigning", () =>
      withLab(on, async (lab) => {
        const image = firmware("0.9.1");
        image[image.length >> 1] ^= 1;
        await refused(lab, lab.deploy(image), "activate-failed");
      }));

    it("CorruptImageAfterSigning", () =>
      withLab(on, async (lab) => {
        const image = firmware("0.9.1");
        const signature = signImage(image, lab.identity.privateKeyPem);
        image[image.length >> 1] ^= 1;
        await refused(lab, lab.deploy(image, { signature }), "signature-check");
      }));

    it("IncorrectWifiPassword (RollbackIfUnableToConnectAfterUpdate)", () =>
      // Longer than the second which the service makes a client wait that connects again.
      withLab({ ...on, agent: { selfTestTimeoutMs: 4000 } }, async (lab) => {
        await refused(lab, lab.deploy(firmware("0.9.1", "no-network", { seed: 1 })), "rolled-back");
        deepEqual(lab.boots.slice(0, 3), ["ota_0 0.9.0", "ota_1 0.9.1", "ota_0 0.9.0"]);
      }));

    it("DisconnectCancelUpdate", () =>
      withLab({ ...on, agent: SLOWLY }, async (lab) => {
        const first = lab.deploy(firmware("0.9.1"));
        let second = "";
        await lab.received(20_000);
        await lab.interrupt(() => {
          lab.service.cancel(first, true);
          second = lab.deploy(firmware("0.9.2"));
        });
        equal((await lab.ended(second)).status, "SUCCEEDED");
        equal(lab.execution(first).status, "CANCELED");
      }));

    it("2UpdatesCancel1st", () =>
      withLab({ ...on, agent: SLOWLY }, async (lab) => {
        const first = lab.deploy(firmware("0.9.1"));
        const second = lab.deploy(firmware("0.9.2"));
        await lab.received(20_000);
        lab.service.cancel(first, true);
        equal((await lab.ended(second)).status, "SUCCEEDED");
        equal(lab.execution(first).status, "CANCELED");
        await lab.runs("0.9.2");
      }));
  });

for (const [name, on] of Object.entries(EVERYWHERE).filter(([, { broker }]) => !broker))
  describe(`OTAE2E over ${name}, a bad image`, () => {
    it("ImageCrashed", () =>
      withLab(on, async (lab) => {
        await refused(lab, lab.deploy(firmware("0.9.1", "crash", { seed: 1 })), "rolled-back");
        deepEqual(lab.boots.slice(0, 3), ["ota_0 0.9.0", "ota_1 0.9.1", "ota_0 0.9.0"]);
        equal(lab.crashes.length, 1);
      }));

    it("ImageCrashed, by hanging", () =>
      withLab(on, async (lab) => {
        await refused(lab, lab.deploy(firmware("0.9.1", "hang", { seed: 1 })), "rolled-back");
      }));

    it("self-test failed", () =>
      withLab(on, async (lab) => {
        await refused(lab, lab.deploy(firmware("0.9.1", "fail", { seed: 1 })), "self-test-rejected");
      }));
  });
