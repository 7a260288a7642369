/**
 * The end-to-end cases of the original's test suite that concern HTTP, under their names: images over HTTP with
 * pre-signed URLs, jobs over MQTT.
 * @module
 */
import type { EngineName } from "../../hosts/node/engine.js";
import { deviceBundle } from "../../hosts/xs/bundle.js";
import { signImage } from "../../service/signer.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { firmware, type Lab, withLab } from "../support/lab.js";

const BOTH = ["MQTT", "HTTP"] as const;

/** Signed, then damaged. */
function wronglySigned(
  lab: Lab,
  version: string,
): { image: Uint8Array; signature: ReturnType<typeof signImage> } {
  const image = firmware(version);
  const signature = signImage(image, lab.identity.privateKeyPem);
  image[image.length >> 1] ^= 1;
  return { image, signature };
}

for (const engine of ["node", "xs"] satisfies EngineName[])
  describe(`OTAE2E over HTTP, device on ${engine}`, () => {
    before(() => {
      // Made once, after a change of its sources: no part of an update.
      if (engine === "xs") deviceBundle();
    });

    it("GreaterVersion", () =>
      withLab({ engine, protocols: ["HTTP"], service: { http: {} } }, async (lab) => {
        equal(await lab.update(firmware("0.9.1"), { protocols: ["HTTP"] }), "SUCCEEDED");
        await lab.runs("0.9.1");
        equal(lab.requests.length, 0, "block requests over MQTT");
      }));

    it("GreaterVersion, with a URL of 4000 characters", () =>
      withLab({ engine, protocols: ["HTTP"], service: { http: { urlLength: 4000 } } }, async (lab) => {
        equal(await lab.update(firmware("0.9.1"), { protocols: ["HTTP"] }), "SUCCEEDED");
        await lab.runs("0.9.1");
      }));

    for (const [first, second] of [
      ["MQTT", "HTTP"],
      ["HTTP", "MQTT"],
    ] as const)
      it(`BackToBackSwitchProtocol, ${first} then ${second}`, () =>
        withLab({ engine, protocols: BOTH, service: { http: {} } }, async (lab) => {
          const { image, signature } = wronglySigned(lab, "0.9.1");
          equal(await lab.update(image, { signature, protocols: [first] }), "FAILED");
          equal(await lab.update(firmware("0.9.2"), { protocols: [second] }), "SUCCEEDED");
          await lab.runs("0.9.2");
        }));

    for (const [preferred, other] of [
      ["MQTT", "HTTP"],
      ["HTTP", "MQTT"],
    ] as const)
      it(`DefaultDataProtocol, ${preferred} preferred`, () =>
        withLab({ engine, protocols: [preferred, other], service: { http: {} } }, async (lab) => {
          equal(await lab.update(firmware("0.9.1"), { protocols: [other, preferred] }), "SUCCEEDED");
          equal(lab.requests.length > 0, preferred === "MQTT", "blocks came over MQTT");
        }));

    it("PresignedUrlExpired", () => {
      let later = 0;
      const http = { expiresIn: 60, now: () => Date.now() + later };
      const agent = { rateLimit: 64 * 1024 };
      return withLab({ engine, protocols: ["HTTP"], service: { http }, agent }, async (lab) => {
        const started = http.now();
        const jobId = lab.deploy(firmware("0.9.1"), { protocols: ["HTTP"] });
        await lab.received(20_000);
        later += 61_000;
        equal((await lab.ended(jobId)).status, "SUCCEEDED");
        ok(http.now() - started > 60_000);
        const verified = lab.events.find((event) => event.type === "verified");
        const { packetsProcessed, refusals } = (verified as { statistics: Record<string, number> })
          .statistics;
        equal(packetsProcessed, 24, "each block is written once");
        ok(refusals >= 1, "the old URL was refused");
      });
    });
  });

describe("OTAE2E over HTTP", () => {
  it("a data plane that fails gives way to the other one", () =>
    withLab({ protocols: BOTH, service: { http: {} } }, async (lab) => {
      const image = firmware("0.9.1");
      lab.service.once("job", (job) => {
        const { streamname } = (job.document as { afr_ota: { streamname: string } }).afr_ota;
        lab.service.streams.delete(streamname);
      });
      const jobId = lab.deploy(image, { protocols: BOTH });
      deepEqual([(await lab.ended(jobId)).status, lab.failures()], ["SUCCEEDED", []]);
    }));
});
