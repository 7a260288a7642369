/**
 * Time and chance of a Node process, as ports.
 * @module
 */
import type { Clock, Random } from "../../src/ports.js";

export const nodeClock: Clock = Object.freeze({
  now: () => performance.now(),
  set: (callback: () => void, ms: number) => setTimeout(callback, ms),
  clear: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout | undefined),
});

export const nodeRandom: Random = Math.random;
