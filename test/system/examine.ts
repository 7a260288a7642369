/**
 * Plays a seed, and tells its story when it fails.
 * @module
 */
import { storyOf } from "./extras.js";
import type { Foundry } from "./images.js";
import { type Outcome, play } from "./play.js";

import { shrink } from "./shrink.js";
import { tell } from "./story.js";

/** @throws Error with the shortest story that fails in the same manner */
export async function examine(seed: number, foundry: Foundry): Promise<Outcome> {
  const scenario = storyOf(seed);
  const outcome = await play(scenario, foundry);
  if (!outcome.violation) return outcome;
  const shrunk = await shrink(scenario, outcome, (candidate) => play(candidate, foundry));
  throw Object.assign(new Error(tell(shrunk.scenario, shrunk.outcome, seed)), { stack: undefined });
}
