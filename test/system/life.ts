/**
 * What one life of a device runs on. When the life ends, nothing that belongs to it happens any more, whatever its
 * code still tries.
 * @module
 */
import type { Clock, Timer } from "../../src/ports.js";
import { VirtualClock, type VirtualEvent } from "../support/virtual-clock.js";

export class LifeClock extends VirtualClock {
  #over = false;

  get over(): boolean {
    return this.#over;
  }

  override post(time: number, action: () => void): VirtualEvent {
    if (this.#over) return { time, order: 0, action: undefined };
    return super.post(time, action);
  }

  override halt(): void {
    this.#over = true;
    super.halt();
  }
}

/** A clock that knows its timers. */
export class CountingClock implements Clock {
  readonly #clock: VirtualClock;
  /** Timers that will fire. */
  pending = 0;
  /** The longest ever armed, milliseconds. */
  longest = 0;

  /** How far it is ahead of the world, milliseconds. */
  ahead = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now() + this.ahead;
  }

  set(callback: () => void, ms: number): Timer {
    this.pending++;
    this.longest = Math.max(this.longest, ms);
    return this.#clock.set(() => {
      this.pending--;
      callback();
    }, ms);
  }

  clear(timer: Timer | undefined): void {
    if ((timer as VirtualEvent | undefined)?.action) this.pending--;
    this.#clock.clear(timer);
  }
}
