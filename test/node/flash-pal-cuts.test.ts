import { ok } from "../support/assert.js";
import { cutEverywhere } from "../support/pal-rig.js";

describe("flash PAL: a power cut at every single operation, in every manner", () => {
  for (const encrypted of [false, true])
    it(encrypted ? "encrypted" : "plain", () => {
      ok(cutEverywhere({ encrypted }, 1) > 250);
    });

  it("with the journal in a partition of its own", () => {
    ok(cutEverywhere({ size: 0x4000, journal: true }, 1) > 250);
  });
});
