/**
 * `timer` (modules/base/timer/modTimer.c): intervals are 32-bit integers, cut off; a callback gets its timer; a
 * repeating timer goes on until it is cleared; clearing what is no timer, or one that has fired, does nothing,
 * rescheduling it throws.
 * @module
 */
import { sdk } from "./machine.js";

interface Entry {
  readonly callback: (id: object) => void;
  event: unknown;
}

const entries = new WeakMap<object, Entry>();

function arrange(id: object, interval: number, repeat: number): void {
  const entry = entries.get(id) as Entry;
  entry.event = sdk.clock.set(
    () => {
      if (repeat > 0) arrange(id, repeat, repeat);
      else entries.delete(id);
      entry.callback(id);
    },
    Math.max(0, interval | 0),
  );
}

// biome-ignore lint/complexity/noStaticOnlyClass: the SDK's shape
export default class Timer {
  static set(callback: (id: never) => void, interval = 0, repeat = 0): object {
    if (typeof callback !== "function") throw new TypeError("no function");
    const id = {};
    entries.set(id, { callback: callback as (id: object) => void, event: undefined });
    arrange(id, interval, repeat | 0);
    return id;
  }

  static repeat(callback: (id: never) => void, interval: number): object {
    return Timer.set(callback, interval, interval);
  }

  static schedule(id: object, interval?: number, repeat?: number): void {
    const entry = entries.get(id);
    if (!entry) throw new SyntaxError("no timer");
    sdk.clock.clear(entry.event);
    if (interval !== undefined) arrange(id, interval, (repeat ?? 0) | 0);
  }

  static clear(id?: unknown): void {
    const entry = typeof id === "object" && id ? entries.get(id) : undefined;
    if (!entry) return;
    sdk.clock.clear(entry.event);
    entries.delete(id as object);
  }
}
