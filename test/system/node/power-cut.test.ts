import { deepEqual, equal, ok } from "node:assert/strict";
import { CUT_MOMENTS, type CutMoment } from "../../../hosts/emulated/flash-faults.js";
import { type Cut, oneUpdate, type Result, type Setup } from "../one-update.js";
import { nodeFoundry } from "./foundry.js";

const foundry = nodeFoundry();
const SECTOR = 4096;

const SETUPS: readonly [string, Setup][] = [
  ["a journal behind the file", { size: 9_000, blockSize: 1024 }],
  ["a link so slow that much is on its way", { size: 9_000, blockSize: 1024, bandwidth: 20_000 }],
  ["an encrypted slot", { size: 9_000, blockSize: 1024, encrypted: true }],
  ["blocks across sectors", { size: 13_000, blockSize: 1008 }],
  ["a block of several sectors", { size: 13_000, blockSize: 8192 }],
  ["a journal in a partition of its own", { size: 62_000, blockSize: 16_384, storage: true }],
  ["a slot never used", { size: 5_000, blockSize: 1024, used: false }],
  ["an image over HTTP", { size: 9_000, blockSize: 1024, http: true }],
  ["a job of hawkBit's", { size: 9_000, blockSize: 1024, ddi: true }],
  [
    "an image over HTTP into an encrypted slot",
    { size: 9_000, blockSize: 1024, encrypted: true, http: true },
  ],
];

/** Where the switch to the new image begins. */
function switchIndex({ operations }: Result): number {
  const last = operations.findLastIndex((operation) => operation.startsWith("data"));
  return operations.findIndex((operation, index) => index > last && operation.startsWith("otadata"));
}

function check(setup: Setup, cuts: readonly Cut[]): Result {
  const result = oneUpdate(setup, cuts, foundry);
  const where = cuts.map(({ index, moment }) => `${moment} operation ${index}`).join(", then ");
  equal(result.violation, undefined, `${where}\n${result.log.join("\n")}`);
  // A second cut, while what tells of the trial is written anew, leaves what the store knows: it was given up here.
  const codes = cuts.length > 1 ? ["rolled-back", "failed-before"] : ["rolled-back"];
  if (result.status !== "SUCCEEDED") {
    equal(result.status, "FAILED", where);
    ok(codes.includes(result.code), `${where}: ${result.code}`);
  }
  return result;
}

describe("power cut at every flash operation of an update, from the first boot to the accepted image", () => {
  for (const [title, setup] of SETUPS)
    describe(title, () => {
      const clean = oneUpdate(setup, [], foundry);
      const { operations } = clean;
      const bound = setup.blockSize > SECTOR ? setup.blockSize : 0;

      it("ends in success without one, and erases each sector of the file once", () => {
        equal(clean.violation, undefined);
        equal(clean.status, "SUCCEEDED");
        const sectors = Math.ceil(setup.size / SECTOR);
        const wear = clean.wear.slice(0, sectors);
        deepEqual(wear, new Array(sectors).fill(1));
      });

      for (const moment of CUT_MOMENTS)
        it(`${moment}: boots, ends truthfully, fetches at most a sector and what was on its way again`, function () {
          this.timeout(240_000);
          for (let index = 0; index < operations.length; index++) {
            const result = check(setup, [{ index, moment }]);
            equal(result.cuts, 1);
            ok(result.surplus <= bound, `${result.surplus} bytes too many, ${moment} operation ${index}`);
            // Before the switch nothing is decided: the update goes on.
            if (index < switchIndex(clean)) equal(result.status, "SUCCEEDED", `${moment} operation ${index}`);
          }
        });
    });
});

describe("a second power cut at every flash operation of what follows the first", () => {
  const setup: Setup = { size: 5_000, blockSize: 1024 };
  const moments: readonly CutMoment[] = ["before", "bits", "weak"];
  const { operations } = oneUpdate(setup, [], foundry);
  let played = 0;

  for (let index = 0; index < operations.length; index++)
    it(`after one at operation ${index} (${operations[index]})`, function () {
      this.timeout(120_000);
      for (const [turn, moment] of moments.entries()) {
        const first = check(setup, [{ index, moment }]);
        for (let second = index + 1; second < first.operations.length; second++) {
          // By turns: in three pairs of operations that follow each other are all the pairs of manners.
          const then = moments[(turn + index + second) % moments.length]!;
          const result = check(setup, [
            { index, moment },
            { index: second, moment: then },
          ]);
          equal(result.cuts, 2);
          ok(result.surplus <= 0, `${result.surplus} bytes too many: ${moment} ${index}, ${then} ${second}`);
          played++;
        }
      }
    });

  it("were many", () => {
    ok(played > operations.length ** 2, `${played}`);
  });
});
