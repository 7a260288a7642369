/** A server this project did not write: nginx serves an image over HTTPS to a device on each engine. */
import type { EngineName } from "../../hosts/node/engine.js";
import { deviceBundle } from "../../hosts/xs/bundle.js";
import { TestCa } from "../../service/test-ca.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { firmware, type LabOptions, withLab } from "../support/lab.js";
import { type Nginx, startNginx } from "../support/nginx.js";

const IMAGE = "app.bin";
const SIZE = 1_500_000;

describe("nginx over HTTPS", () => {
  const image = firmware("0.9.1", "pass", { size: SIZE });
  let ca: TestCa;
  let nginx: Nginx;

  before(async () => {
    // Made once, after a change of its sources: no part of an update.
    deviceBundle();
    ca = await TestCa.create();
    nginx = await startNginx({ [IMAGE]: image }, await ca.issue(["127.0.0.1"]));
  });
  after(() => nginx?.stop());

  const lab = (options: LabOptions): LabOptions => ({ protocols: ["HTTP"], slotSize: 0x1c0000, ...options });
  const deployed = () => ({ protocols: ["HTTP"] as const, url: `${nginx.origin}/${IMAGE}` });

  for (const engine of ["node", "xs"] satisfies EngineName[])
    it(`serves ${SIZE} bytes to a device on ${engine}, over one connection`, () =>
      withLab(lab({ engine, tls: { ca: ca.certificate } }), async (device) => {
        const before = nginx.requests().length;
        const execution = await device.ended(device.deploy(image, deployed()), 100_000);
        equal(execution.status, "SUCCEEDED", JSON.stringify(execution.statusDetails));
        await device.runs("0.9.1");
        const served = nginx.requests().slice(before);
        ok(served.length >= 2 && served.every(({ status }) => status === 206), JSON.stringify(served));
        equal(new Set(served.map(({ connection }) => connection)).size, 1, "connections");
        equal(
          served.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0),
          image.length,
          "each byte once",
        );
      }));

  it("is refused when its certificate comes from a stranger", async () => {
    const { certificate } = await TestCa.create();
    const agent = { noProgressTimeoutMs: 1000 };
    await withLab(lab({ tls: { ca: certificate }, agent }), async (device) => {
      const { status, statusDetails } = await device.ended(device.deploy(image, deployed()));
      deepEqual([status, statusDetails["code"]], ["FAILED", "no-progress"]);
      ok(/certificate/.test(statusDetails["message"]), statusDetails["message"]);
    });
  });
});
