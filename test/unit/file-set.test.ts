import { PlannedFiles } from "../../src/components/file-set.js";
import { MAX_COMPONENTS } from "../../src/components/records.js";
import { receiving } from "../../src/control/status.js";
import { plainDetails } from "../../src/control/words.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { fileOf } from "../support/pal-rig.js";

const files = (...types: number[]) => types.map((fileType) => fileOf(new Uint8Array(9), { fileType }));
/** Longest value of a pair in `statusDetails` (AWS IoT Jobs quotas). */
const LONGEST_VALUE = 1024;

describe("files that are installed together", () => {
  it("the heads of all first, then file after file", () => {
    const order = files(255, 0, 10);
    const set = new PlannedFiles(order, true);
    const told: [boolean, number | undefined][] = [];
    for (let n = 0; n < 6; n++) told.push([set.judging, set.next(order)?.fileType]);
    deepEqual(told, [
      [true, 0],
      [true, 10],
      [true, 255],
      [false, 0],
      [false, 10],
      [false, undefined],
    ]);
  });

  it("one alone is fetched at once", () => {
    const order = files(10);
    const set = new PlannedFiles(order, true);
    equal(set.judging, false);
    equal(set.next(order), undefined);
  });

  it("a job that was made anew brings its files by their types", () => {
    const set = new PlannedFiles(files(255, 0, 10), true);
    const anew = files(10, 0, 255);
    deepEqual([set.next(anew), set.next(anew)], [anew[1], anew[0]]);
  });

  it("says where each of them is", () => {
    const order = files(255, 0, 10);
    const set = new PlannedFiles(order, true);
    equal(set.progress(0, 3), "255:0% 0:waits 10:waits");
    for (let n = 0; n < 4; n++) set.next(order);
    equal(set.progress(2, 3), "255:ready 0:66% 10:waits");
  });

  it("of as many as there can be within what AWS takes", () => {
    const types = Array.from({ length: MAX_COMPONENTS }, (_, n) => 240 + n);
    const order = files(255, 0, ...types);
    const set = new PlannedFiles(order, true);
    let longest = 0;
    do {
      for (const received of [0, 99, 100]) {
        longest = Math.max(longest, set.progress(received, 100).length);
        const details = receiving(received, 100, set);
        deepEqual(plainDetails(details), details, "what AWS does not take is replaced or left out");
        equal(Object.keys(details).length, 2);
      }
    } while (set.next(order));
    ok(longest > 100 && longest <= LONGEST_VALUE, `${longest} characters`);
  });
});
