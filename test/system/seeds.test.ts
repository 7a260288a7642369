import { deepEqual, equal, ok } from "../support/assert.js";
import { newSha256 } from "../support/sha256.js";
import { examine } from "./examine.js";
import { FIRST_WITH_PARTS, storyOf } from "./extras.js";
import { Foundry } from "./images.js";
import { type Outcome, play } from "./play.js";
import type { Scenario } from "./scenario.js";
import { shrink } from "./shrink.js";
import { tell } from "./story.js";

const FIRST = 1;
const SEEDS = 12;
const WITH_PARTS = 8;

/** Seeds that found faults, and what they found. */
const FOUND = [
  [2_001_290, "an error of flash was reported without a code"],
  [2_001_822, "an error of flash went through the connection"],
  [2_002_282, "after a pause the last file of a set was activated without the others"],
  [2_005_684, "over hawkBit an image on trial was a stranger when its signature was not to be had any more"],
  [2_014_451, "over hawkBit a job ended without a word when the device was not known for a moment"],
  [2_021_748, "with components, a device without deltas fetched them as images"],
  [2_026_783, "a payload that had been given up kept the next file from being created"],
  [2_051_134, "over hawkBit components in use were said to have been stopped"],
  [3_010_992, "components whose trial had failed before it began were tried at the next start"],
  [3_101_632, "a second processor started what the flash no longer held as it was verified"],
  [4_003_926, "over a slow link in small blocks the head of a whole image was given up in the middle"],
  [7_016_586, "an old notification about an earlier attempt made the image on trial one without a job"],
  [7_039_332, "after a mod that could not be linked the one in use was linked anew where it lay"],
  [7_082_125, "after a power cut the application aborted what a second processor had confirmed"],
  [7_074_790, "a power cut hid that a second processor had confirmed, and the signature was gone"],
  [10_011_082, "a second processor waited for ever for the rest of a frame that had lost a byte"],
  [10_235_473, "after a power cut what a second processor had confirmed came damaged"],
  [
    11_130_469,
    "a mod that had moved with firmware the service knew nothing of was looked for at its old place",
  ],
  [11_106_145, "a read that failed cost half of a trial's time, and a good set was rolled back"],
  [10_103_998, "the service called a job over while a second processor confirmed it, and cancelled it later"],
  [7_096_336, "a job made anew under its name ended SUCCEEDED with the image of the one before"],
] as const;

describe("the whole system in virtual time, a sample", () => {
  const foundry = new Foundry(newSha256);

  for (const [first, count] of [
    [FIRST, SEEDS],
    [FIRST_WITH_PARTS, WITH_PARTS],
  ])
    for (let seed = first; seed < first + count; seed++)
      it(`seed ${seed}`, async () => {
        await examine(seed, foundry);
      });

  for (const [seed, fault] of FOUND)
    it(`seed ${seed}: ${fault}`, async () => {
      await examine(seed, foundry);
    });

  it("plays a seed the same way again", async () => {
    const seed = 5;
    const once = await play(storyOf(seed), foundry);
    const again = await play(storyOf(seed), new Foundry(newSha256));
    deepEqual(again, once);
  });

  it("shrinks a story that fails, and tells it", async () => {
    const scenario: Scenario = {
      ...storyOf(3),
      faults: [
        { kind: "power", when: { at: 900 }, off: 10 },
        { kind: "rot", when: { on: "progress", nth: 2, delay: 5 }, place: 0.01, mask: 64 },
        { kind: "app", when: { at: 2_000 }, what: "check", span: 0 },
      ],
    };
    // As if flipped bits had been fatal.
    const replay = async (candidate: Scenario): Promise<Outcome> => {
      const violation = candidate.faults.some(({ kind }) => kind === "rot")
        ? "after 7 s all is lost"
        : undefined;
      return {
        violation,
        log: ["    1.000  boots"],
        results: [],
        lives: 1,
        wear: 0,
        duration: 0,
        troubles: new Map(),
      };
    };
    const shrunk = await shrink(scenario, await replay(scenario), replay);
    deepEqual(shrunk.scenario.faults, scenario.faults.slice(1, 2));
    equal(shrunk.scenario.jobs.length, 1);
    deepEqual(shrunk.scenario.link, { rtt: 20 });
    const story = tell(shrunk.scenario, shrunk.outcome, 3);
    for (const line of [
      "seed 3 FAILS: after 7 s all is lost",
      'fault    rot 5 ms after the 3. "progress": place 0.01, mask 64',
      "    1.000  boots",
      "again: npm run soak -- --seeds 1 --start 3",
    ])
      ok(story.includes(`${line}\n`), story);
  });
});
