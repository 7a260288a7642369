/**
 * What a story's jobs bring beside the image or instead of it: deltas, packed images, components, sets. Chosen by dice of
 * their own, so that the rest of a story stays what its seed always was.
 * @module
 */
import { CUT_MOMENTS } from "../../hosts/emulated/flash-faults.js";
import { Dice } from "./dice.js";
import {
  BOOTABLE,
  type Fault,
  type GearStory,
  type JobStory,
  type PayloadStory,
  type Scenario,
  type SetStory,
  type When,
} from "./scenario.js";
import { scenarioOf, when } from "./seed.js";

/** Few, so that the same payloads are made for many stories. */
const IMAGE_SIZES = Object.freeze([9_000, 20_000, 40_000, 56_000]);
const ASSETS_SIZES = Object.freeze([300, 4_096, 9_000, 19_000]);
const GEAR_SIZES = Object.freeze([700, 4_000, 9_000]);
const GEAR_FAULTS = Object.freeze(["unsigned", "tampered", "other", "firmware"] as const);
/**
 * The first seed whose story may have a mod and a second processor. Those before stay what they always were: some of them
 * found faults.
 */
export const FIRST_WITH_PARTS = 3_100_000;
/** The first seed whose jobs may have weights. */
const FIRST_WITH_WEIGHTS = 6_000_000;
const PAYLOAD_FAULTS = Object.freeze(["spoiled", "forged", "base", "image"] as const);

/** Whether nothing speaks against what the job brings. */
export function isGood(scenario: Scenario, { kind, set, gear }: JobStory): boolean {
  const fits = !gear || (!!scenario.device.processor && gear.quality === "good");
  return kind === "good" && fits && (!set || isWhole(scenario, set));
}

/** Whether nothing speaks against a set as such, whatever its members do. */
export function isWhole({ device }: Scenario, { firmware, assets, statement }: SetStory): boolean {
  return (
    !!device.components && assets === "good" && (statement === "good" || (statement === "none" && !firmware))
  );
}

/** The story of a seed. */
export function storyOf(seed: number): Scenario {
  const scenario = scenarioOf(seed);
  const dice = new Dice(seed + 0x51ed_270b);
  const staged = dice.chance(0.4);
  const components = dice.chance(0.35);
  const jobs = scenario.jobs.map((job, index) => {
    // A device without the means gets such jobs now and then, too.
    const isSet = dice.chance(components ? 0.6 : 0.05);
    const hasPayloads = dice.chance(staged ? 0.75 : 0.05);
    if (job.kind === "custom" || job.kind === "again") return job;
    if (isSet) return { ...job, set: set(dice, job) };
    return hasPayloads ? { ...job, size: dice.pick(IMAGE_SIZES), payloads: payloads(dice, index) } : job;
  });
  const faults = [...scenario.faults];
  if (components && faults.length)
    for (let count = dice.pick([0, 1, 1, 2]); count > 0; count--) faults.push(fault(dice));
  const story = { ...scenario, device: { ...scenario.device, staged, components }, jobs, faults };
  if (seed < FIRST_WITH_PARTS) return story;
  return seed < FIRST_WITH_WEIGHTS ? withParts(story) : withWeights(withParts(story));
}

/** The same with jobs that come in front of others, over hawkBit. */
function withWeights(story: Scenario): Scenario {
  if (!story.ddi?.queue) return story;
  const dice = new Dice(story.seed ^ 0x1f83_d9ab);
  return { ...story, jobs: story.jobs.map((job) => ({ ...job, weight: dice.pick([0, 0, 500, 1000]) })) };
}

/** The same on a device that may have a mod for assets, and a second processor. */
function withParts(story: Scenario): Scenario {
  const dice = new Dice(story.seed ^ 0x6ea4_0000);
  const processor = dice.chance(0.35);
  const device = {
    ...{ ...story.device, processor, silentGear: dice.chance(0.3) },
    mod: !!story.device.components && dice.chance(0.5),
  };
  const jobs = story.jobs.map((job) => {
    if (!dice.chance(processor ? 0.5 : 0.05) || job.kind === "custom" || job.kind === "again") return job;
    const { payloads, set, ...rest } = job;
    return { ...rest, kind: dice.chance(0.8) ? "good" : "fail", gear: gear(dice) } as const;
  });
  const faults = [...story.faults];
  const end = story.horizon;
  if (processor && (faults.length || dice.chance(0.5)))
    for (let count = dice.pick([0, 1, 1, 2]); count > 0; count--)
      faults.push({
        ...{ kind: "line", when: onTheLine(dice, end), span: dice.int(100, 60_000) },
        what: dice.pick(["loses", "loses", "dead"] as const),
      });
  return { ...story, device, jobs, faults };
}

/** Mostly when there is something to be passed on. */
function onTheLine(dice: Dice, end: number): When {
  if (dice.chance(0.3)) return when(dice, end);
  return { on: "received-job", nth: dice.int(0, 3), delay: dice.scaled(3_000) };
}

function gear(dice: Dice): GearStory {
  const quality = dice.chance(0.75) ? "good" : dice.pick(GEAR_FAULTS);
  return { quality, size: dice.pick(GEAR_SIZES) };
}

function payloads(dice: Dice, index: number): PayloadStory[] {
  const list: PayloadStory[] = [];
  for (let from = index - 1; from >= -1; from--) if (dice.chance(0.7)) list.push({ from, ...quality(dice) });
  if (dice.chance(0.5)) list.push(quality(dice));
  return list;
}

function quality(dice: Dice): PayloadStory {
  const fault = dice.chance(0.25) ? dice.pick(PAYLOAD_FAULTS) : undefined;
  // Nobody signs another image and says it were this one.
  return { fault, signed: dice.chance(0.2) && fault !== "image" };
}

function set(dice: Dice, { kind }: JobStory): SetStory {
  const firmware = dice.chance(0.6) || !BOOTABLE.has(kind);
  return {
    firmware,
    assets: dice.chance(0.85) ? "good" : dice.pick(["tampered", "host", "old"] as const),
    statement: dice.chance(0.8) ? "good" : dice.pick(["none", "other", "old"] as const),
    size: dice.pick(ASSETS_SIZES),
  };
}

/** Where the components are: their places and the record log. */
function fault(dice: Dice): Fault {
  const zone = dice.pick(["place", "log"] as const);
  const nth = dice.scaled(zone === "place" ? 150 : 40);
  if (dice.chance(0.7)) {
    const off = dice.pick([0, 10, 500, 20_000]);
    return { kind: "cut", zone, nth, moment: dice.pick(CUT_MOMENTS), tear: dice.int(0, 999), off };
  }
  const command = dice.pick(["write", "erase", "read"] as const);
  const fate = command === "read" ? "fail" : dice.pick(["fail", "ignore"] as const);
  // A log that takes nothing any more has nobody to tell.
  const count = zone === "log" ? 1 : dice.pick([1, 3, 40]);
  return { kind: "flash", zone, command, fate, nth, count };
}
