/**
 * `npm run soak`: plays many seeds of the whole system in virtual time, and tells the stories that fail.
 * @module
 */
import { Command, InvalidArgumentError } from "commander";
import { examine } from "../test/system/examine.js";
import { storyOf } from "../test/system/extras.js";
import { nodeFoundry } from "../test/system/node/foundry.js";

/** Stories told in full. */
const MOST_STORIES = 5;
const REPORT_EVERY_MS = 10_000;
/** How many seeds share what is made for them: about 200 MB, most of them deltas, which take their time. */
const FOUNDRY_SEEDS = 10_000;

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

const { seeds, start, hawkbit } = new Command("npm run soak --")
  .description("Plays a device's life with network, service, flash and power failing as each seed decides.")
  .option("--seeds <count>", "how many seeds", whole, 10_000)
  .option("--start <seed>", "the first one", whole, 1)
  .option("--hawkbit", "of these the stories over hawkBit alone, a quarter")
  .parse()
  .opts<{ seeds: number; start: number; hawkbit?: true }>();

const spread = new Map<string, number>();
/** How often each trouble took effect, and in how many seeds. */
const troubles = new Map<string, { effects: number; seeds: number }>();
const failed: number[] = [];
let foundry = nodeFoundry();
let wear = { cycles: 0, seed: start };
const began = Date.now();
let reported = began;

function rate(count: number): string {
  return `${((count * 1000) / (Date.now() - began)).toFixed(1)} seeds a second`;
}

let played = 0;
for (let seed = start; seed < start + seeds; seed++) {
  if (hawkbit && !storyOf(seed).ddi) continue;
  played++;
  try {
    const outcome = await examine(seed, foundry);
    for (const result of outcome.results) spread.set(result, (spread.get(result) ?? 0) + 1);
    for (const [name, times] of outcome.troubles) {
      const { effects, seeds } = troubles.get(name) ?? { effects: 0, seeds: 0 };
      troubles.set(name, { effects: effects + times, seeds: seeds + 1 });
    }
    if (outcome.wear > wear.cycles) wear = { cycles: outcome.wear, seed };
  } catch (error) {
    failed.push(seed);
    if (failed.length <= MOST_STORIES) console.log(`\n${(error as Error).message}\n`);
  }
  if (played % FOUNDRY_SEEDS === 0) foundry = nodeFoundry();
  if (Date.now() - reported < REPORT_EVERY_MS) continue;
  reported = Date.now();
  console.log(`seed ${seed}: ${rate(played)}, ${failed.length} failed`);
}

console.log(`\n${played} of ${seeds} seeds from ${start}: ${rate(played)}`);
console.log("How the jobs ended:");
for (const [result, count] of [...spread].sort((a, b) => b[1] - a[1]))
  console.log(`${String(count).padStart(9)}  ${result}`);
console.log("What went wrong, how often, and in how many seeds:");
for (const [name, { effects, seeds }] of [...troubles].sort(([a], [b]) => (a < b ? -1 : 1)))
  console.log(`${String(effects).padStart(9)} ${String(seeds).padStart(7)}  ${name}`);
console.log(`Most erase cycles of a sector: ${wear.cycles} (seed ${wear.seed})`);
console.log(failed.length ? `FAILED: ${failed.join(", ")}` : "No seed failed.");
process.exitCode = failed.length ? 1 : 0;
