/**
 * `npm run cuts:payload -- [part/parts]`: the power is cut at every flash operation of an update by payload, in every
 * manner, and in the life behind it at every operation that follows, in manners that take turns. All of it takes half
 * an hour of a processor; `1/30` makes the first of thirty parts.
 * @module
 */
import "../test/support/own-sha256.js";
import { cutPairs } from "../test/support/payload-rig.js";
import { cutScenes } from "../test/support/payload-scenes.js";

const [part, parts] = (process.argv[2] ?? "1/1").split("/").map(Number);
if (!(part >= 1 && part <= parts)) throw new RangeError("the part must be such as 2/30");
const started = performance.now();
for (const { name, options, update, segment } of cutScenes()) {
  const cuts = cutPairs(options, update, { first: parts, second: 1, part: part - 1 }, segment);
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(`${name}: ${cuts} cuts, each update ended right; ${seconds} s`);
}
