/**
 * Earlier places of what follows a position in the same bytes: hash chains.
 * @module
 */

/** Places looked at for one position, and bits of the hash of four bytes. */
const DEPTH = 96;
const HASH_BITS = 18;
/** A match this long needs no better one. */
const LONG_ENOUGH = 1024;

export class Matches {
  readonly #bytes: Uint8Array;
  /** Last position of each pair of bytes, of each hash of three and of four, plus one. */
  readonly #pairs = new Int32Array(1 << 16);
  readonly #triples = new Int32Array(1 << 16);
  readonly #heads = new Int32Array(1 << HASH_BITS);
  /** The position before with the same hash of four bytes, plus one. */
  readonly #before: Int32Array;
  #next = 0;
  /** What `find` found, lengths rising: each at its nearest place. */
  readonly lengths: number[] = [];
  readonly distances: number[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#before = new Int32Array(bytes.length);
  }

  /** Takes in all positions below `end`. */
  advance(end: number): void {
    for (; this.#next < end; this.#next++) this.#insert(this.#next);
  }

  #insert(at: number): void {
    const bytes = this.#bytes;
    if (at + 4 > bytes.length) return;
    const four = this.#four(at);
    this.#pairs[bytes[at] | (bytes[at + 1] << 8)] = at + 1;
    this.#triples[this.#three(at)] = at + 1;
    this.#before[at] = this.#heads[four];
    this.#heads[four] = at + 1;
  }

  #three(at: number): number {
    const bytes = this.#bytes;
    return Math.imul(bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16), 0x9e3779b1) >>> 16;
  }

  #four(at: number): number {
    const bytes = this.#bytes;
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    return Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
  }

  /** Matches of what follows `at`, no longer than `most`, at least two bytes; positions from `at` on are not taken in yet. */
  find(at: number, most: number): void {
    const { lengths, distances } = this;
    lengths.length = distances.length = 0;
    this.advance(at);
    if (most < 2 || at + 4 > this.#bytes.length) return;
    let best = this.#try(at, this.#pairs[this.#bytes[at] | (this.#bytes[at + 1] << 8)] - 1, most, 1);
    best = this.#try(at, this.#triples[this.#three(at)] - 1, most, best);
    let place = this.#heads[this.#four(at)] - 1;
    for (let n = 0; n < DEPTH && place >= 0 && best < most && best < LONG_ENOUGH; n++) {
      best = this.#try(at, place, most, best);
      place = this.#before[place] - 1;
    }
  }

  #try(at: number, place: number, most: number, best: number): number {
    const bytes = this.#bytes;
    if (place < 0 || bytes[place + best] !== bytes[at + best] || best >= most) return best;
    let n = 0;
    while (n < most && bytes[place + n] === bytes[at + n]) n++;
    if (n <= best) return best;
    this.lengths.push(n);
    this.distances.push(at - place);
    return n;
  }
}
