/**
 * Time on the Moddable runtime, as the `Clock` port.
 * @module
 */
import Time from "time";
import Timer from "timer";
import type { Clock } from "../../src/ports.js";

/** Longest wait the SDK's timer is trusted with: its intervals are 32-bit integers. */
const LONGEST = 0x3fffffff;

class LongTimer {
  constructor(public id: unknown) {}
}

export class ModdableClock implements Clock {
  #ticks = Time.ticks;
  #now = 0;

  /**
   * `Time.ticks` starts again after 49 days; its differences do not. In a simulator it is the wall clock, which may
   * be set back: time goes on from there.
   */
  now(): number {
    const ticks = Time.ticks;
    const passed = Time.delta(this.#ticks, ticks);
    if (passed > 0) this.#now += passed;
    this.#ticks = ticks;
    return this.#now;
  }

  set(callback: () => void, ms: number): unknown {
    if (ms <= LONGEST) return Timer.set(() => callback(), Math.max(0, Math.ceil(ms)));
    const timer = new LongTimer(undefined);
    const end = this.now() + ms;
    const wait = () => {
      const left = end - this.now();
      timer.id = left > LONGEST ? Timer.set(wait, LONGEST) : Timer.set(() => callback(), Math.ceil(left));
    };
    wait();
    return timer;
  }

  clear(timer: unknown): void {
    Timer.clear((timer instanceof LongTimer ? timer.id : timer) as Parameters<typeof Timer.clear>[0]);
  }
}
