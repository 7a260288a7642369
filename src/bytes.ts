/**
 * Strict UTF-8 and small byte helpers: the device has neither TextDecoder nor Buffer.
 * @module
 */
import { OtaError, type OtaErrorCode } from "./errors.js";

/** Bytes turned into text at a time: bounds the stack a call takes. */
const RUN = 64;

/**
 * Decodes UTF-8 as RFC 3629 defines it: overlong forms, surrogates, values above U+10FFFF and cut sequences are
 * errors, nothing is replaced. A byte order mark is kept.
 * @param start first byte; the first of all by default
 * @param end byte after the last; the end by default
 * @param code error code to throw with, for a caller whose format has one of its own
 * @throws OtaError "bad-utf8" or `code`
 */
export function decodeUtf8(
  bytes: Uint8Array,
  start?: number,
  end?: number,
  code: OtaErrorCode = "bad-utf8",
): string {
  const pieces: string[] = [];
  readUtf8(bytes.subarray(start, end), code, pieces);
  return pieces.join("");
}

/**
 * Checks that `bytes` are UTF-8, as `decodeUtf8` does, without the memory that the text takes.
 * @throws OtaError "bad-utf8"
 */
export function checkUtf8(bytes: Uint8Array): void {
  readUtf8(bytes, "bad-utf8");
}

/**
 * @param pieces gets the text in parts that double in length from the last to the first, so that no character is
 * copied more often than that
 */
function readUtf8(part: Uint8Array, code: OtaErrorCode, pieces?: string[]): void {
  let at = 0;
  let next = 0;
  try {
    for (let runs = 1; at < part.length; runs++) {
      next += RUN;
      // A run takes the rest of its last character along.
      while (part[next] >> 6 === 2 && next - at < RUN + 3) next++;
      // One character for each byte; `escape` writes those the way URIs have them.
      const octets = String.fromCharCode.apply(null, part.subarray(at, next) as unknown as number[]);
      let text = decodeURIComponent(escape(octets));
      // Not every engine's decoder is strict, but text has one encoding only.
      if (unescape(encodeURIComponent(text)) !== octets) break;
      if (pieces) {
        for (let bits = runs; bits % 2 === 0; bits /= 2) text = pieces.pop() + text;
        pieces.push(text);
      }
      at = next;
    }
  } catch {
    // No URI: `at` stays where it is.
  }
  if (at < part.length) throw new OtaError(code, "text is not UTF-8");
}

/**
 * Encodes text as UTF-8.
 * @throws OtaError "bad-utf8" for a lone surrogate, which no UTF-8 text can hold
 */
export function encodeUtf8(text: string): Uint8Array {
  try {
    text = unescape(encodeURIComponent(text));
  } catch {
    throw new OtaError("bad-utf8", "text has a lone surrogate");
  }
  const bytes = new Uint8Array(text.length);
  // XS counts characters from the first: far into a text each one would take its time.
  for (let at = 0; at < bytes.length; at += RUN) {
    const run = text.slice(at, at + RUN);
    for (let n = 0; n < run.length; n++) bytes[at + n] = run.charCodeAt(n);
  }
  return bytes;
}

/** True when both hold the same bytes. Not constant-time: nothing here is secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  let at = a.length;
  if (at !== b.length) return false;
  while (at-- > 0) if (a[at] !== b[at]) return false;
  return true;
}

/** Lower-case hexadecimal digits, two for each byte. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += (byte + 256).toString(16).slice(1);
  return text;
}
