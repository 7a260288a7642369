/**
 * Every operation of an update by payload, in every manner; then some of the pairs of cuts, of which
 * `npm run cuts:payload` makes all.
 */
import { ok } from "../support/assert.js";
import { cutPairs, cutUpdates, updateThrough } from "../support/payload-rig.js";
import { cutScenes } from "../support/payload-scenes.js";

describe("staged PAL: a power cut at every single operation, in every manner", function () {
  this.timeout(300_000);
  for (const { name, options, update, segment } of cutScenes()) {
    const isFull = !options.encrypted && segment === 1;
    it(name, () => ok(cutUpdates(options, update, isFull ? 1 : 3, segment) > 100));
  }

  for (const { name, options, update, segment } of cutScenes().filter((scene) => !scene.options.encrypted))
    it(`${name}; and at one of those that follow`, () =>
      ok(cutPairs(options, update, { first: 13, second: 41 }, segment) > 100));

  it("in the header of a journal and in its first record, which read right once: a second cut costs one sector", () => {
    const scene = cutScenes()[1];
    ok(scene);
    const { options, update, segment } = scene;
    let cuts = 0;
    // Its journal's sector is erased, the header written, the first record.
    for (const at of [124, 125, 126])
      for (let next = at + 1; next < 420; next += 5)
        cuts += updateThrough(
          options,
          update,
          [
            { moment: "weak", at },
            { moment: "after", at: next },
          ],
          segment,
        ).made;
    ok(cuts > 200, `${cuts}`);
  });
});
