import { ok } from "../support/assert.js";
import { cutComponents } from "../support/component-cuts.js";

describe("components: a power cut at every single operation, in every manner", () => {
  for (const set of ["components", "with firmware"] as const)
    for (const encrypted of [false, true])
      it(`a set: ${set}${encrypted ? ", encrypted" : ""}: all or nothing`, () => {
        ok(cutComponents(set, encrypted, 1) > 20);
      });
});
