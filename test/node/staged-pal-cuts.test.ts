/** Every operation of an update by payload, in every manner. */
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { ok } from "../support/assert.js";
import { appImage, cutUpdates, delta, deltaFile, packed, packedFile } from "../support/payload-rig.js";

describe("staged PAL: a power cut at every single operation, in every manner", function () {
  this.timeout(300_000);
  const base = appImage("1.0.0");
  const next = appImage("1.1.0");
  const payload = delta(base, next);
  const other = appImage("1.2.0", { seed: 8 });
  const small = packed(other);
  const deltaUpdate = { file: deltaFile(payload, next, base), payload, image: next };
  const packedUpdate = { file: packedFile(small, other), payload: small, image: other };

  for (const encrypted of [false, true]) {
    const name = encrypted ? ", encrypted" : "";
    it(`a delta${name}`, () => ok(cutUpdates({ encrypted }, deltaUpdate, encrypted ? 3 : 1) > 100));
    it(`a compressed image that is overwritten as it is applied${name}`, () =>
      ok(cutUpdates({ encrypted, slot: 14 * SECTOR_SIZE }, packedUpdate, encrypted ? 3 : 1) > 100));
  }

  it("and again at one of those that follow", () => {
    ok(cutUpdates({}, deltaUpdate, 5, 97) > 100);
    ok(cutUpdates({ slot: 14 * SECTOR_SIZE }, packedUpdate, 5, 97) > 100);
  });
});
