/**
 * Every operation of an update by payload, in every manner; then some of the pairs of cuts, of which
 * `npm run cuts:payload` makes all.
 */
import { ok } from "../support/assert.js";
import { cutPairs, cutUpdates } from "../support/payload-rig.js";
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
});
