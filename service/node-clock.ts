/**
 * Real time for the service.
 * @module
 */
import type { Clock } from "../src/ports.js";

/** Milliseconds since the process started; timers do not keep the process alive. */
export const nodeClock: Clock = Object.freeze({
  now: () => performance.now(),
  set: (callback: () => void, ms: number) => setTimeout(callback, ms).unref(),
  clear: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout | undefined),
});
