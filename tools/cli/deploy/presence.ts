/**
 * Which devices of a deployment are still to be waited for: boards that restart into a new image are away for a while,
 * perhaps all at the same moment.
 * @module
 */
import { type DeviceView, isAway } from "../../../service/views.js";

export class Presence {
  readonly #patience: number;
  /** By name: when it was known to be there last, on the caller's clock; `-Infinity`: it was away from the beginning. */
  readonly #last = new Map<string, number>();
  /** Names of those that were connected at the last look: until now, for all that is known. */
  readonly #connected = new Set<string>();

  /** @param patience how long a device may be away that was there, ms */
  constructor(patience: number) {
    this.#patience = patience;
  }

  /**
   * @param devices all that are known
   * @param heard names of those that have said something since the last look
   * @param now ms
   */
  look(devices: Iterable<DeviceView>, heard: Iterable<string>, now: number): void {
    for (const device of devices) {
      const { thingName, connected } = device;
      const isNew = !this.#last.has(thingName);
      if (connected || isNew || this.#connected.has(thingName))
        this.#last.set(thingName, isNew && isAway(device) ? -Infinity : now);
      if (connected) this.#connected.add(thingName);
      else this.#connected.delete(thingName);
    }
    for (const name of heard) this.#last.set(name, now);
  }

  /** Milliseconds from `now` until all of these devices count as away: 0 when they do, at most the patience. */
  left(names: Iterable<string>, now: number): number {
    let left = 0;
    for (const name of names)
      left = Math.max(left, (this.#last.get(name) ?? -Infinity) + this.#patience - now);
    return left;
  }
}
