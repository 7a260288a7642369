import { CUT_MOMENTS } from "../../hosts/emulated/flash-faults.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { newSha256 } from "../support/sha256.js";
import { Foundry } from "./images.js";
import { oneUpdate, type Setup } from "./one-update.js";

const SETUP: Setup = { size: 5_000, blockSize: 1024 };
/** Every so many operations; `node/power-cut.test.ts` takes them all. */
const STEP = 4;

describe("power cuts, a sample", () => {
  const foundry = new Foundry(newSha256);

  it("without one the update is done in one go", () => {
    const { violation, status, cuts, surplus } = oneUpdate(SETUP, [], foundry);
    deepEqual([violation, status, cuts], [undefined, "SUCCEEDED", 0]);
    ok(surplus <= 0);
  });

  for (const [words, more] of [
    ["", {}],
    [", encrypted", { encrypted: true }],
    [", with hawkBit", { ddi: true }],
  ] as const)
    it(`the device boots, ends right, and resumes${words}`, () => {
      const setup: Setup = { ...SETUP, ...more };
      const { operations } = oneUpdate(setup, [], foundry);
      for (let index = 0, turn = 0; index < operations.length; index += STEP, turn++) {
        const moment = CUT_MOMENTS[turn % CUT_MOMENTS.length];
        const { violation, surplus, cuts } = oneUpdate(setup, [{ index, moment }], foundry);
        equal(violation, undefined, `${moment} operation ${index}`);
        equal(cuts, 1);
        ok(surplus <= 0, `${surplus} bytes too many after a cut ${moment} operation ${index}`);
      }
    });
});
