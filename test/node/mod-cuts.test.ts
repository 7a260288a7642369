import { ok } from "../support/assert.js";
import { cutMods, MOD_UPDATES } from "../support/mod-cuts.js";

describe("mods: a power cut at every single operation, in every manner", () => {
  for (const update of MOD_UPDATES)
    for (const encrypted of [false, true])
      it(`${update}${encrypted ? ", encrypted" : ""}: the old or the new, as signed`, () => {
        ok(cutMods(update, encrypted, 1) > 20);
      });
});
