/**
 * Timers inside XS. The host wakes the engine when the first one is due.
 * @module
 */
import type { Clock } from "../../../src/ports.js";

interface Entry {
  readonly at: number;
  readonly callback: () => void;
}

export class XsClock implements Clock {
  /** By time, then in the order they were set. */
  readonly #queue: Entry[] = [];
  #base = 0;
  #started = 0;
  #latest = 0;

  /** Takes over the host's time, at the start of each command. */
  synchronize(now: number): void {
    this.#base = now;
    this.#started = performance.now();
  }

  now(): number {
    // The engine's clock may be put back, time here may not.
    const now = this.#base + Math.max(0, performance.now() - this.#started);
    if (now > this.#latest) this.#latest = now;
    return this.#latest;
  }

  set(callback: () => void, ms: number): Entry {
    const entry = { at: this.now() + Math.max(0, ms), callback };
    const queue = this.#queue;
    let i = queue.length;
    while (i > 0 && (queue[i - 1] as Entry).at > entry.at) i--;
    queue.splice(i, 0, entry);
    return entry;
  }

  clear(timer: unknown): void {
    const i = this.#queue.indexOf(timer as Entry);
    if (i >= 0) this.#queue.splice(i, 1);
  }

  /** When the first timer is due; Infinity without one. */
  get deadline(): number {
    return this.#queue[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Runs the first timer if it is due: one, so that each has a turn of its own. */
  tick(): void {
    if (this.deadline <= this.now()) this.#queue.shift()?.callback();
  }
}
