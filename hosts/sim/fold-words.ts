/**
 * The exclusive or over an image, by XS's native big integers: what ESP-IDF checks in one go must not keep the
 * application waiting for an interpreter to walk through it.
 * @module
 */
import type { XorWords } from "../formats/esp-image-check.js";

/** Bits of half of what is summed up at most at once. */
const HALF = 65536;
const WORD = 32;

/** @throws RangeError for more than 16 KB at once */
export const foldWords: XorWords = (bytes) => {
  if (bytes.length * 8 > 2 * HALF) throw new RangeError(`${bytes.length} bytes are too many at once`);
  if (bytes.length === 0) return 0;
  const { byteOffset, length } = bytes;
  const buffer = bytes.buffer as ArrayBuffer;
  const whole = length === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + length);
  let sum = BigInt.fromArrayBuffer(whole) as unknown as bigint;
  for (let half = HALF; half >= WORD; half /= 2) sum = (sum >> BigInt(half)) ^ BigInt.asUintN(half, sum);
  return Number(sum) | 0;
};
