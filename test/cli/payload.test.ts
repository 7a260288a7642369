/** `xs-ota delta`, `pack`, and `inspect` of what they make. */
import { readFileSync } from "node:fs";
import { decodePayload } from "../../tools/payload/encoder.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { appImage, buildIdOf } from "../support/payload-rig.js";
import { Folder } from "./run.js";

describe("command line: small payloads", () => {
  const folder = new Folder();
  const v1 = appImage("1.0.0");
  const v2 = appImage("1.1.0");
  const read = (name: string) => new Uint8Array(readFileSync(folder.file(name)));

  before(() => {
    folder.write("v1.bin", v1);
    folder.write("v2.bin", v2);
  });
  after(() => folder.close());

  it("delta makes what turns one image into the other; inspect tells what it needs", async () => {
    const stdout = await folder.good("delta", "v1.bin", "v2.bin", "-o", "d.xsp");
    ok(stdout.includes("of the image"), stdout);
    deepEqual(decodePayload(read("d.xsp"), v1), v2);
    const json = await folder.good("inspect", "d.xsp", "--json");
    const inspection = JSON.parse(json);
    deepEqual(
      [inspection.payload, inspection.app.buildId, inspection.base.bytes, inspection.imageBytes],
      ["delta", buildIdOf(v2), v1.length, v2.length],
    );
    equal(inspection.problem, undefined);
  });

  it("pack compresses an image; inspect notices a damaged one", async () => {
    await folder.good("pack", "v2.bin", "-o", "p.xsp");
    const payload = read("p.xsp");
    deepEqual(decodePayload(payload), v2);
    payload[payload.length - 5] ^= 1;
    folder.write("bad.xsp", payload);
    const { code, stdout } = await folder.run("inspect", "bad.xsp");
    equal(code, 1);
    ok(stdout.includes("damaged"), stdout);
  });

  it("replaces nothing unasked, and takes images alone", async () => {
    const before = read("v1.bin");
    equal((await folder.run("delta", "v1.bin", "v2.bin", "-o", "v1.bin")).code, 2);
    deepEqual(read("v1.bin"), before);
    folder.write("text.bin", "no image");
    equal((await folder.run("pack", "text.bin", "-o", "t.xsp")).code, 2);
  });
});
