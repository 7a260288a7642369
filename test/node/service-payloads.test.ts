/** A job of several files that are one image, as the development service keeps it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Desk } from "../../service/desk.js";
import { generateIdentity } from "../../service/signer.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { appImage } from "../support/payload-rig.js";

describe("development service: payloads of an image", () => {
  const folder = mkdtempSync(join(tmpdir(), "payloads-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("are files of the job behind the image, with its signature, also after a restart; and go with it", async () => {
    const identity = await generateIdentity();
    const image = appImage("1.1.0");
    const payloads = [
      { kind: ";base=0a1b2c3d", bytes: Uint8Array.of(1, 2, 3) },
      { kind: ";packed", bytes: Uint8Array.of(4, 5) },
    ];
    let desk = await Desk.open({ folder, identity });
    const { jobId } = await desk.deploy({
      image,
      payloads,
      fileName: "v2.bin",
      things: ["thing-1"],
      addThings: true,
    });
    for (let life = 0; life < 2; life++) {
      const { afr_ota } = desk.service.jobs.job(jobId).document as {
        afr_ota: { streamname: string; files: Record<string, unknown>[] };
      };
      deepEqual(
        afr_ota.files.map(({ fileid, filesize }) => [fileid, filesize]),
        [
          [0, image.length],
          [1, 3],
          [2, 2],
        ],
      );
      ok(String(afr_ota.files[1]["filepath"]).endsWith(";base=0a1b2c3d"));
      equal(afr_ota.files[2]["sig-sha256-ecdsa"], afr_ota.files[0]["sig-sha256-ecdsa"]);
      ok(desk.service.streams.has(afr_ota.streamname));
      await desk.close();
      desk = await Desk.open({ folder, identity });
    }
    await desk.delete(jobId);
    await desk.close();
  });
});
