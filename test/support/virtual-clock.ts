/**
 * Virtual time. `VirtualTime` is the world's event queue; `VirtualClock` is the clock of one simulated device in
 * it, whose processor can be busy (a flash erase, say) while the rest of the world goes on. Pure: runs on Node
 * and on XS.
 * @module
 */
import type { Clock, Timer } from "../../src/ports.js";

/** Something that will happen; also the `Timer` of a `VirtualClock`. */
export interface VirtualEvent {
  time: number;
  readonly order: number;
  action: (() => void) | undefined;
  isTimer?: boolean;
}

/** An event queue. Events at the same time happen in the order they were arranged. */
export class VirtualTime {
  #now = 0;
  #order = 0;
  #heap: VirtualEvent[] = [];

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#now;
  }

  /** How many events are still to come, cancelled ones included. */
  get pending(): number {
    return this.#heap.length;
  }

  /** Arranges for `action` at `time` (or now, when that has passed). */
  at(time: number, action: () => void): VirtualEvent {
    if (!Number.isFinite(time)) throw new RangeError(`event at ${time}`);
    const event = { time: Math.max(time, this.#now), order: this.#order++, action };
    this.#push(event);
    return event;
  }

  cancel(event: VirtualEvent | undefined): void {
    if (event) event.action = undefined;
  }

  /** Lets the next event happen. @returns false when there is none, or none up to and including `limit` */
  step(limit = Number.POSITIVE_INFINITY): boolean {
    for (;;) {
      const event = this.#heap[0];
      if (!event || event.time > limit) return false;
      this.#pop();
      if (!event.action) continue;
      this.#now = event.time;
      const { action } = event;
      event.action = undefined;
      action();
      return true;
    }
  }

  /** Everything up to and including `time` happens; then it is `time`. */
  runUntil(time: number): void {
    while (this.step(time));
    if (time > this.#now) this.#now = time;
  }

  /** The next `ms` milliseconds pass. */
  run(ms: number): void {
    this.runUntil(this.#now + ms);
  }

  /**
   * Events happen until `done()` is true, at most `ms` milliseconds from now.
   * @returns whether `done()` came true; false as well when nothing is left to happen
   */
  runUntilDone(done: () => boolean, ms = 3_600_000): boolean {
    const limit = this.#now + ms;
    while (!done()) if (!this.step(limit)) return done();
    return true;
  }

  #push(event: VirtualEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
      if (!before(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: VirtualEvent, b: VirtualEvent): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}

/** The clock and the processor of one simulated device. */
export class VirtualClock implements Clock {
  readonly time: VirtualTime;
  /** After it was busy the processor looks at its timers before it looks at what has arrived, as Node's loop does. */
  timersFirst = false;
  #busyUntil = 0;
  /** What is due, in the order it became due, while the processor is busy or serving. */
  #due: VirtualEvent[] = [];
  #draining = false;
  #life = 0;

  /** @param time the world this device lives in; its own when left out */
  constructor(time = new VirtualTime()) {
    this.time = time;
  }

  /** As this device sees it: inside a turn that was busy, later than the world's. */
  now(): number {
    return Math.max(this.time.now, this.#busyUntil);
  }

  set(callback: () => void, ms: number): Timer {
    // Real hosts count in 32 bits.
    if (!(ms >= 0 && ms < 0x80000000)) throw new RangeError(`timer of ${ms} ms`);
    const timer = this.post(this.now() + ms, callback);
    timer.isTimer = true;
    return timer;
  }

  clear(timer: Timer | undefined): void {
    this.time.cancel(timer as VirtualEvent | undefined);
  }

  /** The processor does nothing else for `ms`. Called within a turn of this device. */
  busy(ms: number): void {
    this.#busyUntil = this.now() + ms;
  }

  /** Runs `action` in a turn of this device, at `time` or as soon after as the processor is free, in due order. */
  post(time: number, action: () => void): VirtualEvent {
    const life = this.#life;
    const event: VirtualEvent = { time, order: 0, action };
    this.time.at(time, () => {
      if (life !== this.#life || !event.action) return;
      this.#due.push(event);
      if (!this.#draining) this.#arrange();
    });
    return event;
  }

  /** Power off: nothing arranged so far will happen. The clock can be used for the next life at once. */
  halt(): void {
    this.#life++;
    this.#due = [];
    this.#draining = false;
    this.#busyUntil = this.time.now;
  }

  run(ms: number): void {
    this.time.run(ms);
  }

  runUntil(time: number): void {
    this.time.runUntil(time);
  }

  runUntilDone(done: () => boolean, ms?: number): boolean {
    return this.time.runUntilDone(done, ms);
  }

  #arrange(): void {
    this.#draining = true;
    const life = this.#life;
    this.time.at(this.#busyUntil, () => {
      if (life !== this.#life) return;
      if (this.time.now < this.#busyUntil) this.#arrange();
      else this.#serve();
    });
  }

  #next(): VirtualEvent | undefined {
    const place = this.timersFirst ? this.#due.findIndex(({ isTimer }) => isTimer) : 0;
    return this.#due.splice(Math.max(place, 0), 1)[0];
  }

  #serve(): void {
    let event = this.#next();
    while (event && !event.action) event = this.#next();
    this.#draining = false;
    const action = event?.action;
    if (this.#due.length > 0) this.#arrange();
    if (!event || !action) return;
    event.action = undefined;
    action();
  }
}

/** A small seeded generator of numbers in [0, 1) (xorshift32), the same on every engine. */
export function seeded(seed: number): () => number {
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ 0xc2b2ae35) | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x100000000;
  };
}
