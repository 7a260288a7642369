/**
 * All that a mod of this product gets: what its host promises to keep from version to version. Small on purpose.
 * @module
 */
import Timer from "timer";

/** Shows a text, here on the console. */
export function show(text: string): void {
  trace(`mod: ${text}\n`);
}

/** Calls back every `ms` milliseconds, at least 100. */
export function every(ms: number, callback: () => void): void {
  Timer.repeat(() => callback(), Math.max(ms, 100));
}
