/**
 * The base as the device's predictor sees it, block by block, each made once for each shift.
 * @module
 */
import type { PayloadHeader } from "../../src/payload/header.js";
import { Predictor } from "../../src/payload/predictor.js";

const LOG2 = 10;
const BLOCK = 1 << LOG2;
/** Blocks kept: 64 MB. */
const MOST = 65_536;

export class Prediction {
  readonly #base: Uint8Array;
  readonly #predictor: Predictor;
  readonly #shifts = new Map<number, (Uint8Array | undefined)[]>();
  #kept = 0;
  /** The blocks of the shift that was asked for last. */
  #shift = Number.NaN;
  #blocks: (Uint8Array | undefined)[] = [];

  constructor(header: PayloadHeader, base: Uint8Array) {
    this.#base = base;
    this.#predictor = new Predictor(header, (into, offset) =>
      into.set(base.subarray(offset, offset + into.length)),
    );
  }

  #block(index: number, shift: number): Uint8Array {
    if (shift !== this.#shift) {
      if (this.#kept > MOST) {
        this.#shifts.clear();
        this.#kept = 0;
      }
      let blocks = this.#shifts.get(shift);
      if (!blocks) this.#shifts.set(shift, (blocks = []));
      this.#blocks = blocks;
      this.#shift = shift;
    }
    const known = this.#blocks[index];
    if (known) return known;
    const start = index << LOG2;
    const block = new Uint8Array(Math.min(BLOCK, this.#base.length - start));
    this.#predictor.copy(start, shift, block, 0, block.length);
    this.#blocks[index] = block;
    this.#kept++;
    return block;
  }

  /** The predicted byte of the base at `at`, which is within it. */
  byte(at: number, shift: number): number {
    return this.#block(at >> LOG2, shift)[at & (BLOCK - 1)];
  }

  /** How many predicted bytes from `at` on are those of `bytes` from `from` on, up to `end`. */
  match(at: number, shift: number, bytes: Uint8Array, from: number, end: number): number {
    if (at < 0) return 0;
    const last = Math.min(end, from + this.#base.length - at);
    let n = from;
    while (n < last) {
      const place = at + n - from;
      const block = this.#block(place >> LOG2, shift);
      let within = place & (BLOCK - 1);
      const stop = Math.min(last, n + block.length - within);
      while (n < stop && block[within] === bytes[n]) {
        n++;
        within++;
      }
      if (n < stop) break;
    }
    return n - from;
  }
}
