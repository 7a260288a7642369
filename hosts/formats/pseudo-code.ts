/**
 * Deterministic filling for made-up firmware: bytes that compress about as well as real code and texts do.
 * @module
 */

/** Marsaglia's xorshift32; the same seed gives the same numbers everywhere. */
export class Xorshift {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 0x6d2b79f5;
  }

  /** 32 random bits, signed. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (this.#state = x);
  }
}

/** RISC-V instructions, most frequent ones more than once, and which of their bits vary. */
const TEMPLATES: readonly number[] = Object.freeze([
  0x00000013, 0x00000013, 0x00000013, 0x00002003, 0x00002003, 0x00002023, 0x00000063, 0x00001063, 0x0000006f,
  0x000000ef, 0x00000037, 0x00000017, 0x00000033, 0x00004003, 0x00000093, 0x00008067,
]);
const VARIABLE_BITS: readonly number[] = Object.freeze([
  0x0fff8f80, 0x07f78f80, 0x03ff8f80, 0x07ff8f80, 0x07f78780, 0x0ff78f80, 0x7fff8f80, 0x1ff78f00, 0x7ffff000,
  0x7ffff000, 0x3ffff780, 0x0ffff780, 0x01ff8f80, 0x0fff8780, 0x0ff78000, 0,
]);

const WORDS =
  "error failed cannot open socket timeout connect publish invalid length buffer memory wifi mqtt task heap " +
  "partition flash update image version %s %d %u 0x%08x assert expected component driver config event handler ";

/** Fills with what looks like machine code: instructions with operands, and sequences seen before. */
export function fillCode(bytes: Uint8Array, random: Xorshift): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 4 <= bytes.length; ) {
    const bits = random.next();
    if ((bits & 15) === 0 && at >= 4096) {
      const length = Math.min(16 + ((bits >>> 4) & 0x3c), bytes.length - at) & ~3;
      const from = at - 4096 + ((bits >>> 16) & 0xfbc);
      bytes.copyWithin(at, from, from + length);
      at += length;
      continue;
    }
    const kind = (bits >>> 4) & 15;
    view.setInt32(at, TEMPLATES[kind] | (random.next() & VARIABLE_BITS[kind]), true);
    at += 4;
  }
}

/** Fills with what looks like read-only data: messages and tables of numbers. */
export function fillText(bytes: Uint8Array, random: Xorshift): void {
  const words = WORDS.split(" ");
  for (let at = 0; at < bytes.length; ) {
    const bits = random.next();
    if ((bits & 3) === 0) {
      for (let i = 0; i < 16 && at < bytes.length; i++) bytes[at++] = random.next() & 0xff;
      continue;
    }
    const word = words[(bits >>> 2) % words.length];
    for (let i = 0; i < word.length && at < bytes.length; i++) bytes[at++] = word.charCodeAt(i);
    if (at < bytes.length) bytes[at++] = bits & 0x40000000 ? 0x20 : 0;
  }
}
