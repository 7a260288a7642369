/**
 * Base64 decoding (RFC 4648 §4, standard alphabet), with the tolerance of the FreeRTOS OTA agent: CR and LF
 * anywhere, spaces at the end, padding optional. Everything else is refused.
 * @module
 */
import { OtaError } from "./errors.js";

function fail(why: string): never {
  throw new OtaError("bad-base64", `base64 ${why}`);
}

/** Value of a symbol, 0…63; −1 for any other character. */
function sextet(code: number): number {
  if (code > 0x60 && code < 0x7b) return code - 0x47;
  if (code > 0x40 && code < 0x5b) return code - 0x41;
  if (code > 0x2f && code < 0x3a) return code + 4;
  return code === 0x2b ? 62 : code === 0x2f ? 63 : -1;
}

/**
 * @param maxLength the most bytes the text may stand for
 * @throws OtaError "bad-base64": foreign symbol, symbol after padding or space, padding that does not fit,
 * padding bits that are not zero, a length no data has, nothing at all, or more than `maxLength` bytes
 */
export function decodeBase64(text: string, maxLength: number): Uint8Array {
  // Bounds the loop: four symbols for three bytes, and as many line ends again.
  if (text.length > maxLength * 3 + 8) fail("is too long");
  const bytes = new Uint8Array(maxLength);
  let length = 0;
  let symbols = 0;
  let padding = 0;
  let space = false;
  let bits = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x0a || code === 0x0d) continue;
    if (code === 0x20) {
      space = true;
      continue;
    }
    if (space) fail("has a space inside");
    if (code === 0x3d) {
      padding++;
      continue;
    }
    const value = sextet(code);
    if (value < 0) fail("has a foreign symbol");
    if (padding > 0) fail("goes on after its padding");
    bits = ((bits << 6) | value) & 0xffff;
    // Every symbol but the first of four completes a byte.
    if (symbols++ & 3) {
      if (length === maxLength) fail("is too long");
      const rest = (4 - (symbols & 3)) & 3;
      bytes[length++] = bits >> (rest * 2);
    }
  }
  const tail = symbols & 3;
  if (symbols === 0 || tail === 1) fail("is cut");
  if (padding > 0 && padding !== ((4 - tail) & 3)) fail("has wrong padding");
  if (tail > 0 && bits & (tail === 2 ? 15 : 3)) fail("has padding bits that are not zero");
  return bytes.slice(0, length);
}
