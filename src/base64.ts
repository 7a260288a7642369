/**
 * Base64 decoding (RFC 4648 §4, standard alphabet), with the tolerance of the FreeRTOS OTA agent: CR and LF
 * anywhere, spaces at the end, padding optional. Everything else is refused.
 * @module
 */
import { OtaError } from "./errors.js";

/** The symbols by value, then what may stand between them and behind them. */
const CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \r\n";
const PADDING = 64;
const SPACE = 65;

/**
 * @param maxLength the most bytes the text may stand for
 * @throws OtaError "bad-base64": foreign symbol, symbol after padding or space, padding that does not fit,
 * padding bits that are not zero, a length no data has, nothing at all, or more than `maxLength` bytes
 */
export function decodeBase64(text: string, maxLength: number): Uint8Array {
  const bytes = new Uint8Array(maxLength);
  let length = 0;
  let symbols = 0;
  let padding = 0;
  let bits = 0;
  /** Symbols, padding, spaces come in this order: the least value a character may still have. */
  let least = 0;
  // Bounds the loop: four symbols for three bytes, and as many line ends again.
  let valid = text.length <= maxLength * 3 + 8;
  for (let at = 0; valid && at < text.length; at++) {
    const value = CHARACTERS.indexOf(text[at]);
    if (value > SPACE) continue;
    valid = value >= least;
    if (value < PADDING) {
      bits = (bits << 6) | value;
      // Every symbol but the first of four completes a byte.
      if (symbols++ & 3) bytes[length++] = bits >> ((-symbols & 3) * 2);
    } else {
      least = value;
      if (value === PADDING) padding++;
    }
  }
  const spare = -symbols & 3;
  if (
    !valid ||
    length === 0 ||
    length > maxLength ||
    spare === 3 ||
    (padding > 0 && padding !== spare) ||
    bits & ((1 << (spare * 2)) - 1)
  )
    throw new OtaError("bad-base64", `not base64 of 1 to ${maxLength} bytes`);
  return bytes.slice(0, length);
}
