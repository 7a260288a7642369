/**
 * Feeds one target: inputs from its grammar and mutations of what is known to be interesting, where interesting
 * is every input with an outcome not seen before.
 * @module
 */
import { mutate } from "./mutate.js";
import { Random } from "./random.js";
import type { FuzzTarget } from "./target.js";

/** Most inputs kept to mutate. */
const POOL = 512;
const MAX_LENGTH = 4096;

export class Fuzzer {
  /** How often each outcome came. */
  readonly outcomes = new Map<string, number>();
  /** Inputs so far. */
  inputs = 0;
  readonly #target: FuzzTarget;
  readonly #random: Random;
  readonly #pool: Uint8Array[];
  readonly #observe: (input: Uint8Array) => void;

  /** @param observe sees each input before the parser does */
  constructor(target: FuzzTarget, seed: number, observe: (input: Uint8Array) => void = () => undefined) {
    this.#target = target;
    this.#random = new Random(seed, target.name);
    this.#pool = [...target.corpus];
    this.#observe = observe;
  }

  /** Runs the next input; throws what the target throws. */
  step(): void {
    const input = this.#next();
    this.inputs++;
    this.#observe(input);
    let outcome = this.#target.run(input);
    // Messages may quote the input: there is no end to those.
    if (this.outcomes.size >= POOL && !this.outcomes.has(outcome)) outcome = "other";
    const count = this.outcomes.get(outcome) ?? 0;
    this.outcomes.set(outcome, count + 1);
    if (count === 0) this.#keep(input);
  }

  #next(): Uint8Array {
    const target = this.#target;
    const random = this.#random;
    // The corpus as it is comes first.
    if (this.inputs < target.corpus.length) return target.corpus[this.inputs]!;
    const generated = target.generate && random.oneIn(2) ? target.generate(random) : undefined;
    const { maxLength = MAX_LENGTH, dictionary = [] } = target;
    if (generated && random.oneIn(2)) return generated.slice(0, maxLength);
    return mutate(
      generated ?? random.pick(this.#pool),
      random,
      random.pick(this.#pool),
      dictionary,
      maxLength,
    );
  }

  #keep(input: Uint8Array): void {
    const kept = input.slice();
    if (this.#pool.length < POOL) this.#pool.push(kept);
    else this.#pool[this.#random.below(POOL)] = kept;
  }
}

/** What a target throws at an input; undefined when nothing. */
export function failureOf(target: FuzzTarget, input: Uint8Array): Error | undefined {
  try {
    target.run(input);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
  return undefined;
}

/** Takes pieces out of an input as long as the same error comes. */
export function shrink(target: FuzzTarget, input: Uint8Array): Uint8Array {
  const message = failureOf(target, input)?.message;
  if (message === undefined) return input;
  let best = input;
  for (let size = best.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < best.length; ) {
      const shorter = new Uint8Array([...best.subarray(0, at), ...best.subarray(at + size)]);
      if (failureOf(target, shorter)?.message === message) best = shorter;
      else at += size;
    }
  }
  return best;
}
