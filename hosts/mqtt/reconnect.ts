/**
 * When to connect again, and when a connection counts as good. Pure.
 *
 * A connection that is granted and lost at once says no more than one that is refused: two devices with one client id
 * put each other off the broker, and a policy may close after SUBSCRIBE. So the waits grow until a connection has
 * lasted: twice as long as the wait before it, `LEAST_PROOF_MS` at the least.
 * @module
 */
import type { Random } from "../../src/ports.js";

/** Shortest time after which a connection counts as good, milliseconds. */
const LEAST_PROOF_MS = 10_000;

export class Reconnect {
  readonly #first: number;
  readonly #longest: number;
  readonly #random: Random;
  #failures = 0;
  #wait = 0;

  /** @param first the first wait, milliseconds; it doubles up to `longest`, less up to half of it at random */
  constructor(first: number, longest: number, random: Random) {
    this.#first = first;
    this.#longest = longest;
    this.#random = random;
  }

  /** The wait before the next attempt, milliseconds. */
  wait(): number {
    const longest = Math.min(this.#longest, this.#first * 2 ** Math.min(this.#failures, 20));
    return (this.#wait = Math.ceil(longest * (1 - this.#random() / 2)));
  }

  /** An attempt failed, or a connection was lost. */
  failed(): void {
    this.#failures++;
  }

  /** How long the connection has to last until it is `proved`, milliseconds. */
  get proof(): number {
    return Math.max(LEAST_PROOF_MS, 2 * this.#wait);
  }

  /** The connection is good: the next loss begins with the first wait again. */
  proved(): void {
    this.#failures = 0;
  }
}
