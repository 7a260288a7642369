import { flipMods, MOD_FLIPS } from "../support/mod-flips.js";

describe("mods: every byte inverted on flash", () => {
  for (const what of MOD_FLIPS)
    it(what, () => {
      flipMods(what);
    });
});
