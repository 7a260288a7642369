/**
 * A `Store` over one that loses a value when the power goes while it is replaced: each value lies under two keys in turn,
 * with a number that tells the newer one. Pure.
 * @module
 */
import type { Store } from "../../src/ports.js";

/** Numbers run from 0 to 3: the newer of two is one ahead. */
const NUMBERS = 4;

export class TwoKeys implements Store {
  readonly #store: Store;

  /** @param store keys are a character longer there */
  constructor(store: Store) {
    this.#store = store;
  }

  get(key: string): string | undefined {
    // Before there were two keys there was this one.
    return this.#newest(key)?.text.slice(1) ?? this.#store.get(key);
  }

  set(key: string, value: string): void {
    if (this.get(key) === value) return;
    const newest = this.#newest(key);
    const number = newest ? (Number(newest.text[0]) + 1) % NUMBERS : 0;
    this.#store.set(`${key}${newest ? 1 - newest.index : 0}`, `${number}${value}`);
  }

  #newest(key: string): { index: number; text: string } | undefined {
    const [a, b] = [0, 1].map((index) => this.#store.get(`${key}${index}`));
    if (a === undefined) return b === undefined ? undefined : { index: 1, text: b };
    const isOlder = b !== undefined && Number(b[0]) === (Number(a[0]) + 1) % NUMBERS;
    return isOlder ? { index: 1, text: b } : { index: 0, text: a };
  }
}
