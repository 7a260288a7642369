/**
 * Chooses the tokens of a segment: the cheapest way to its end by the prices of the moment, as LZMA's encoder does it.
 * @module
 */
import * as Model from "../../src/payload/model.js";
import type { Stretch } from "./alignment.js";
import { Coder, newNumberPrices, numberPrice, type Prices } from "./coder.js";
import type { Matches } from "./matches.js";
import type { Prediction } from "./prediction.js";

/** Positions weighed against each other at a time, and how far beyond them a copy may lead. */
const WINDOW = 2048;
const SPILL = 1024;
/** A copy of so many bytes is taken at once. */
const TAKE = 128;
/** Copies are tried at all lengths up to this, then at their whole length and a few below. */
const ALL_LENGTHS = 24;
const BELOW = 3;
/** Bytes a copy saves, in bits: what two long ones are compared by. */
const WORTH = 3;
/** Stretches this near are tried as well. */
const NEAR = 64;

const LITERAL = 0;
const OLD = 1;
const MOVED = 2;
const REPEATED = 3;
const NEW = 4;

const NODES = WINDOW + SPILL + 1;

/** What the tokens up to a position leave to the next one. */
class State {
  shift = 0;
  distance = 1;
  last = 0;
  run = Model.NO_RUN;
}

export interface Sources {
  readonly image: Uint8Array;
  readonly baseLength: number;
  readonly prediction: Prediction | undefined;
  readonly stretches: readonly Stretch[];
  readonly matches: Matches;
}

export class Parser {
  readonly #sources: Sources;
  readonly #cost = new Float64Array(NODES);
  readonly #kind = new Uint8Array(NODES);
  readonly #length = new Int32Array(NODES);
  /** State on arrival. */
  readonly #shift = new Int32Array(NODES);
  readonly #distance = new Int32Array(NODES);
  readonly #last = new Uint8Array(NODES);
  readonly #run = new Uint8Array(NODES);
  /** Stretch that begins last at or before the position. */
  #stretch = 0;
  #coder = new Coder();
  #state = new State();
  // Prices of the moment.
  readonly #differences: Prices = new Float64Array(256);
  readonly #literals: Prices = new Float64Array(256);
  readonly #oldLengths = newNumberPrices();
  readonly #newLengths = newNumberPrices();
  readonly #short = newNumberPrices();
  readonly #long = newNumberPrices();
  readonly #shifts = newNumberPrices();
  readonly #flags: Prices = new Float64Array(2 * Model.DIFFERENCE);
  // The node at hand.
  #base = 0;
  #reach = 0;
  #limit = 0;

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  /** Codes the bytes from `start` up to `end` of the image: a segment. */
  segment(start: number, end: number): Uint8Array {
    this.#coder = new Coder();
    this.#state = new State();
    this.#limit = end;
    let at = start;
    while (at < end) at = this.#window(at);
    return this.#coder.finish();
  }

  #look(): void {
    const coder = this.#coder;
    coder.bytePrices(Model.DIFFERENCE, this.#differences);
    coder.bytePrices(Model.LITERAL, this.#literals);
    coder.numberPrices(Model.OLD_LENGTH, this.#oldLengths);
    coder.numberPrices(Model.NEW_LENGTH, this.#newLengths);
    coder.numberPrices(Model.SHORT, this.#short);
    coder.numberPrices(Model.LONG, this.#long);
    coder.numberPrices(Model.SHIFT, this.#shifts);
    for (let place = 0; place < Model.DIFFERENCE; place++)
      for (let bit = 0; bit < 2; bit++) this.#flags[2 * place + bit] = coder.bitPrice(place, bit);
  }

  /** Codes what follows `start`, as far as it has been weighed. @returns where that ends */
  #window(start: number): number {
    const { image, baseLength, prediction, matches } = this.#sources;
    const flags = this.#flags;
    const cost = this.#cost;
    this.#look();
    this.#base = start;
    this.#reach = 0;
    cost.fill(Number.POSITIVE_INFINITY);
    cost[0] = 0;
    this.#shift[0] = this.#state.shift;
    this.#distance[0] = this.#state.distance;
    this.#last[0] = this.#state.last;
    this.#run[0] = this.#state.run;
    const shifts: number[] = [];
    let node = 0;
    for (; ; node++) {
      const at = start + node;
      if (at === this.#limit || (node >= WINDOW && this.#reach === node) || node === NODES - 1) break;
      const paid = cost[node];
      const last = this.#last[node];
      const run = this.#run[node];
      const shift = this.#shift[node];
      const distance = this.#distance[node];
      const most = Math.min(this.#limit - at, 1 << 16);
      // A literal.
      const place = at + shift;
      const isDifference = run < Model.RUN && prediction && place >= 0 && place < baseLength;
      const literal = isDifference
        ? this.#differences[(image[at] - prediction.byte(place, shift)) & 255]
        : this.#literals[image[at]];
      if (this.#arrive(node + 1, paid + flags[2 * (Model.IS_COPY + last)] + literal, LITERAL, 1)) {
        this.#shift[node + 1] = shift;
        this.#distance[node + 1] = distance;
        this.#last[node + 1] = isDifference ? 2 : 0;
        this.#run[node + 1] = Math.min(run + 1, Model.NO_RUN);
      }
      const copy = paid + flags[2 * (Model.IS_COPY + last) + 1];
      let bestGain = 0;
      let bestKind = LITERAL;
      let bestLength = 0;
      let bestValue = 0;
      const weigh = (kind: number, length: number, price: number, value: number) => {
        if (length < TAKE) return;
        const gain = length * WORTH - (price - paid);
        if (gain <= bestGain) return;
        bestGain = gain;
        bestKind = kind;
        bestLength = length;
        bestValue = value;
      };
      if (prediction) {
        const same = prediction.match(place, shift, image, at, at + most);
        const head = copy + flags[2 * (Model.IS_OTHER + last)];
        if (same > 0) this.#old(node, same, head, OLD, shift, distance);
        weigh(OLD, same, head + numberPrice(this.#oldLengths, Math.max(same, 1) - 1), shift);
        this.#candidates(at, shifts);
        const other = copy + flags[2 * (Model.IS_OTHER + last) + 1] + flags[2 * Model.IS_NEW];
        if (same < TAKE)
          for (const candidate of shifts) {
            if (candidate === shift) continue;
            const length = prediction.match(at + candidate, candidate, image, at, at + most);
            if (length < 2) continue;
            const by = candidate - shift;
            const price =
              other +
              flags[2 * Model.IS_MINUS + Number(by < 0)] +
              numberPrice(this.#shifts, Math.abs(by) - 1);
            this.#old(node, length, price, MOVED, candidate, distance);
            weigh(MOVED, length, price + numberPrice(this.#oldLengths, length - 1), candidate);
          }
      }
      if (bestLength < TAKE) {
        const head = copy + flags[2 * (Model.IS_OTHER + last) + 1] + flags[2 * Model.IS_NEW + 1];
        if (distance <= at) {
          let length = 0;
          while (length < most && image[at + length - distance] === image[at + length]) length++;
          const price = head + flags[2 * Model.IS_REPEATED + 1];
          for (let n = 2; n <= length; n = this.#next(n, length))
            this.#new(node, n, price, REPEATED, shift, distance);
          if (length >= TAKE)
            weigh(REPEATED, length, price + numberPrice(this.#newLengths, length - 2), distance);
        }
        matches.find(at, most);
        const fresh = head + flags[2 * Model.IS_REPEATED];
        const { lengths, distances } = matches;
        let n = 2;
        for (let m = 0; m < lengths.length; m++) {
          const far = fresh + numberPrice(this.#long, distances[m] - 1);
          const near = fresh + numberPrice(this.#short, distances[m] - 1);
          for (; n <= lengths[m]; n = this.#next(n, lengths[m]))
            this.#new(node, n, n > Model.SHORT_LENGTH ? far : near, NEW, shift, distances[m]);
          if (lengths[m] >= TAKE)
            weigh(NEW, lengths[m], far + numberPrice(this.#newLengths, lengths[m] - 2), distances[m]);
        }
      }
      if (bestLength >= TAKE) {
        this.#emit(node);
        this.#token(bestKind, at, bestLength, bestValue);
        matches.advance(at + bestLength);
        return at + bestLength;
      }
    }
    this.#emit(node);
    return start + node;
  }

  /** All lengths of a copy while they are short, then the last ones alone. */
  #next(n: number, length: number): number {
    return n >= ALL_LENGTHS && n < length - BELOW ? length - BELOW : n + 1;
  }

  /** Shifts by which what is at `at` may come from the base. */
  #candidates(at: number, shifts: number[]): void {
    const { stretches } = this.#sources;
    shifts.length = 0;
    while (this.#stretch + 1 < stretches.length && stretches[this.#stretch + 1].at <= at) this.#stretch++;
    for (let n = this.#stretch - 1; n <= this.#stretch + 1; n++) {
      const stretch = stretches[n];
      if (stretch && at > stretch.at - NEAR && at < stretch.at + stretch.length + NEAR)
        shifts.push(stretch.from - stretch.at);
    }
  }

  /** @returns whether this is the cheapest way to `node` so far */
  #arrive(node: number, price: number, kind: number, length: number): boolean {
    if (node >= NODES || price >= this.#cost[node]) return false;
    this.#cost[node] = price;
    this.#kind[node] = kind;
    this.#length[node] = length;
    if (node > this.#reach) this.#reach = node;
    return true;
  }

  #old(node: number, most: number, head: number, kind: number, shift: number, distance: number): void {
    for (let n = 1; n <= most; n = this.#next(n, most)) {
      const price = head + numberPrice(this.#oldLengths, n - 1);
      if (!this.#arrive(node + n, price, kind, n)) continue;
      this.#shift[node + n] = shift;
      this.#distance[node + n] = distance;
      this.#last[node + n] = 1;
      this.#run[node + n] = 0;
    }
  }

  #new(node: number, n: number, head: number, kind: number, shift: number, distance: number): void {
    const price = head + numberPrice(this.#newLengths, n - 2);
    if (!this.#arrive(node + n, price, kind, n)) return;
    this.#shift[node + n] = shift;
    this.#distance[node + n] = distance;
    this.#last[node + n] = 3;
    this.#run[node + n] = Model.NO_RUN;
  }

  /** Codes the cheapest way to `node`. */
  #emit(node: number): void {
    const path: number[] = [];
    for (let at = node; at > 0; at -= this.#length[at]) path.push(at);
    for (const end of path.reverse()) {
      const kind = this.#kind[end];
      const length = this.#length[end];
      const value = kind < REPEATED ? this.#shift[end] : this.#distance[end];
      this.#token(kind, this.#base + end - length, length, value);
    }
  }

  /** @param value the shift, or the distance */
  #token(kind: number, at: number, length: number, value: number): void {
    const { image, baseLength, prediction } = this.#sources;
    const coder = this.#coder;
    const state = this.#state;
    const { last } = state;
    coder.bit(Model.IS_COPY + last, Number(kind !== LITERAL));
    if (kind === LITERAL) {
      const place = at + state.shift;
      if (prediction && state.run < Model.RUN && place >= 0 && place < baseLength) {
        coder.tree(Model.DIFFERENCE, 8, (image[at] - prediction.byte(place, state.shift)) & 255);
        state.last = 2;
      } else {
        coder.tree(Model.LITERAL, 8, image[at]);
        state.last = 0;
      }
      state.run = Math.min(state.run + 1, Model.NO_RUN);
      return;
    }
    coder.bit(Model.IS_OTHER + last, Number(kind !== OLD));
    if (kind !== OLD) coder.bit(Model.IS_NEW, Number(kind >= REPEATED));
    if (kind >= REPEATED) {
      coder.bit(Model.IS_REPEATED, Number(kind === REPEATED));
      coder.number(Model.NEW_LENGTH, length - 2);
      if (kind === NEW) coder.number(length > Model.SHORT_LENGTH ? Model.LONG : Model.SHORT, value - 1);
      state.distance = value;
      state.last = 3;
      state.run = Model.NO_RUN;
      return;
    }
    if (kind === MOVED) {
      const by = value - state.shift;
      coder.bit(Model.IS_MINUS, Number(by < 0));
      coder.number(Model.SHIFT, Math.abs(by) - 1);
      state.shift = value;
    }
    coder.number(Model.OLD_LENGTH, length - 1);
    state.last = 1;
    state.run = 0;
  }
}
