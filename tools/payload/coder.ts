/**
 * The counterpart of the device's range decoder: codes bits with adaptive probabilities, and tells what a token would
 * cost. Carries go back into bytes that are out already.
 * @module
 */
import * as Model from "../../src/payload/model.js";

/** Bits a 0 costs, by its probability in 2048th. */
const BITS = Float64Array.from({ length: 2049 }, (_, p) => -Math.log2(Math.max(p, 1) / 2048));

/** Outcomes of a number that have a price of their own: 25 lengths in binary, with two digits more. */
const OUTCOMES = 4 * (Model.MAX_EXPONENT + 1);

export type Prices = Float64Array;

export class Coder {
  readonly #odds = new Uint16Array(Model.PROBABILITIES).fill(Model.HALF);
  #bytes = new Uint8Array(4096);
  #length = 0;
  /** Below 2^32, or 2^31 at the start; carries are settled at once. */
  #low = 0;
  #range = Model.RANGE;

  bit(place: number, bit: number): void {
    const p = this.#odds[place];
    const bound = (this.#range >>> 11) * p;
    if (bit) {
      this.#add(bound);
      this.#range -= bound;
      this.#odds[place] = p - (p >> 4);
    } else {
      this.#range = bound;
      this.#odds[place] = p + ((2048 - p) >> 4);
    }
    this.#settle();
  }

  tree(place: number, bits: number, value: number): void {
    let node = 1;
    for (let n = bits - 1; n >= 0; n--) {
      const bit = (value >> n) & 1;
      this.bit(place + node, bit);
      node = 2 * node + bit;
    }
  }

  number(place: number, value: number): void {
    const exponent = 31 - Math.clz32(value + 1);
    const modelled = Math.min(exponent, 2);
    this.tree(place, 5, exponent);
    this.tree(
      place + 32 + 4 * exponent,
      modelled,
      ((value + 1) >> (exponent - modelled)) & ((1 << modelled) - 1),
    );
    for (let n = exponent - modelled - 1; n >= 0; n--) {
      this.#range >>>= 1;
      if (((value + 1) >> n) & 1) this.#add(this.#range);
      this.#settle();
    }
  }

  #add(value: number): void {
    this.#low += value;
    if (this.#low < 2 ** 32) return;
    this.#low -= 2 ** 32;
    let at = this.#length - 1;
    while (this.#bytes[at] === 255) this.#bytes[at--] = 0;
    this.#bytes[at]++;
  }

  #settle(): void {
    while (this.#range < Model.LOW_RANGE) {
      this.#push(this.#low >>> 24);
      this.#low = (this.#low & 0xffffff) * 256;
      this.#range *= 256;
    }
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const longer = new Uint8Array(2 * this.#length);
      longer.set(this.#bytes);
      this.#bytes = longer;
    }
    this.#bytes[this.#length++] = byte;
  }

  /** Ends, with as few bytes as tell the code; the coder is spent. */
  finish(): Uint8Array {
    // Of the numbers in the range, the one with the most zeros at its end.
    for (let zeros = 31; zeros >= 0; zeros--) {
      const unit = 2 ** zeros;
      const value = Math.ceil(this.#low / unit) * unit;
      if (value >= this.#low + this.#range) continue;
      this.#add(value - this.#low);
      break;
    }
    for (let shift = 24; shift >= 0; shift -= 8) this.#push((this.#low >>> shift) & 255);
    while (this.#length > 0 && this.#bytes[this.#length - 1] === 0) this.#length--;
    return this.#bytes.slice(0, this.#length);
  }

  /** Bits `bit` would cost now. */
  bitPrice(place: number, bit: number): number {
    const p = this.#odds[place];
    return BITS[bit ? 2048 - p : p];
  }

  /** Bits each byte would cost by the tree of 8 bits at `place`. */
  bytePrices(place: number, prices: Prices): void {
    // From the root on, each node's price is in place of its own number.
    const nodes = new Float64Array(512);
    for (let node = 1; node < 256; node++) {
      const p = this.#odds[place + node];
      nodes[2 * node] = nodes[node] + BITS[p];
      nodes[2 * node + 1] = nodes[node] + BITS[2048 - p];
    }
    prices.set(nodes.subarray(256));
  }

  /** Bits the outcomes of a number at `place` would cost, for `numberPrice`. */
  numberPrices(place: number, prices: Prices): void {
    for (let exponent = 0; exponent <= Model.MAX_EXPONENT; exponent++) {
      const modelled = Math.min(exponent, 2);
      const length = this.#treePrice(place, 5, exponent) + exponent - modelled;
      for (let digits = 0; digits < 1 << modelled; digits++)
        prices[4 * exponent + digits] = length + this.#treePrice(place + 32 + 4 * exponent, modelled, digits);
    }
  }

  #treePrice(place: number, bits: number, value: number): number {
    let node = 1;
    let price = 0;
    for (let n = bits - 1; n >= 0; n--) {
      const bit = (value >> n) & 1;
      price += this.bitPrice(place + node, bit);
      node = 2 * node + bit;
    }
    return price;
  }
}

export function newNumberPrices(): Prices {
  return new Float64Array(OUTCOMES);
}

export function numberPrice(prices: Prices, value: number): number {
  const exponent = 31 - Math.clz32(value + 1);
  return prices[4 * exponent + (exponent < 2 ? (value + 1) & exponent : ((value + 1) >> (exponent - 2)) & 3)];
}
