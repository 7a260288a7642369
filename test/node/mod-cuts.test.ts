import { CUT_MOMENTS } from "../../hosts/emulated/flash-faults.js";
import { ok } from "../support/assert.js";
import { cutMods, MOD_UPDATES } from "../support/mod-cuts.js";

describe("mods: a power cut at every single operation, in every manner", () => {
  for (const update of MOD_UPDATES)
    for (const encrypted of [false, true])
      it(`${update}${encrypted ? ", encrypted" : ""}: the old or the new, as signed`, () => {
        // Encrypted every operation as well, in one manner each, by turns.
        ok(cutMods(update, encrypted, encrypted ? CUT_MOMENTS.length : 1) > 20);
      });
});
