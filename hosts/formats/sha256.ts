/**
 * SHA-256 (FIPS 180-4) in plain TypeScript, for hosts and tests without native cryptography. Slow: a device
 * or a real host supplies its own through the `Crypto` port.
 * @module
 */
import type { Hash } from "../../src/ports.js";

/** FIPS 180-4 §4.2.2: fractional parts of the cube roots of the first 64 primes. */
function roundConstants(): Int32Array {
  const constants = new Int32Array(64);
  for (let candidate = 2, count = 0; count < 64; candidate++)
    if (isPrime(candidate)) constants[count++] = fraction(Math.cbrt(candidate));
  return constants;
}

/** FIPS 180-4 §5.3.3: fractional parts of the square roots of the first 8 primes. */
function initialState(): Int32Array {
  return Int32Array.of(...[2, 3, 5, 7, 11, 13, 17, 19].map((prime) => fraction(Math.sqrt(prime))));
}

function fraction(value: number): number {
  return ((value - Math.floor(value)) * 0x1_0000_0000) | 0;
}

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return true;
}

const ROUND_CONSTANTS = roundConstants();

export class PureSha256 implements Hash {
  readonly #state = initialState();
  readonly #words = new Int32Array(64);
  readonly #block = new Uint8Array(64);
  #filled = 0;
  #length = 0;

  update(bytes: Uint8Array): void {
    this.#length += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(64 - this.#filled, bytes.length - at);
      this.#block.set(bytes.subarray(at, at + count), this.#filled);
      at += count;
      this.#filled += count;
      if (this.#filled === 64) this.#compress();
    }
  }

  digest(): Uint8Array {
    const block = this.#block;
    block[this.#filled++] = 0x80;
    block.fill(0, this.#filled);
    if (this.#filled > 56) {
      this.#compress();
      block.fill(0);
    }
    const view = new DataView(block.buffer);
    view.setUint32(56, Math.floor(this.#length / 0x2000_0000));
    view.setUint32(60, (this.#length * 8) >>> 0);
    this.#compress();
    const result = new Uint8Array(32);
    const out = new DataView(result.buffer);
    for (let i = 0; i < 8; i++) out.setInt32(i * 4, this.#state[i]);
    return result;
  }

  #compress(): void {
    const w = this.#words;
    const block = this.#block;
    const k = ROUND_CONSTANTS;
    const state = this.#state;
    this.#filled = 0;
    for (let i = 0, at = 0; i < 16; i++, at += 4)
      w[i] = (block[at] << 24) | (block[at + 1] << 16) | (block[at + 2] << 8) | block[at + 3];
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
  }
}
