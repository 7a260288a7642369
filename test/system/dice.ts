/**
 * Random choices from a seed, the same on every engine.
 * @module
 */
import { seeded } from "../support/virtual-clock.js";

export class Dice {
  /** In [0, 1). */
  readonly number: () => number;

  constructor(seed: number) {
    this.number = seeded(seed);
    // The first numbers of neighbouring seeds resemble each other.
    for (let i = 0; i < 8; i++) this.number();
  }

  chance(probability: number): boolean {
    return this.number() < probability;
  }

  /** A whole number from `least` to `greatest`. */
  int(least: number, greatest: number): number {
    return least + Math.floor(this.number() * (greatest - least + 1));
  }

  /** A whole number from 0 to `greatest`, small ones as likely as large ones. */
  scaled(greatest: number): number {
    return Math.floor((greatest + 1) ** this.number()) - 1;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.number() * choices.length)];
  }
}
