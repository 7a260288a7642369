/**
 * Strict UTF-8 and small byte helpers: the device has neither TextDecoder nor Buffer.
 * @module
 */
import { OtaError, type OtaErrorCode } from "./errors.js";

/** Code points turned into text at a time: bounds the stack a call takes. */
const RUN = 64;

/**
 * Decodes UTF-8 as RFC 3629 defines it: overlong forms, surrogates, values above U+10FFFF and cut sequences are
 * errors, nothing is replaced. A byte order mark is kept.
 * @param start first byte
 * @param end byte after the last
 * @param code error code to throw with, for a caller whose format has one of its own
 * @throws OtaError "bad-utf8" or `code`
 */
export function decodeUtf8(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
  code: OtaErrorCode = "bad-utf8",
): string {
  const parts: string[] = [];
  const run: number[] = [];
  let at = start;
  while (at < end) {
    let point = bytes[at++];
    if (point > 0x7f) {
      const more = point > 0xef ? 3 : point > 0xdf ? 2 : 1;
      let valid = point > 0xc1 && point < 0xf5 && at + more <= end;
      point &= 0x3f >> more;
      for (let n = 0; valid && n < more; n++) {
        const next = bytes[at++];
        valid = next >> 6 === 2;
        point = (point << 6) | (next & 0x3f);
      }
      if (more === 2) valid = valid && point > 0x7ff && point >> 11 !== 0x1b;
      else if (more === 3) valid = valid && point > 0xffff && point < 0x110000;
      if (!valid) throw new OtaError(code, `text is not UTF-8 near byte ${at - start}`);
    }
    if (run.push(point) === RUN || at === end) {
      parts.push(String.fromCodePoint.apply(null, run));
      run.length = 0;
    }
  }
  return parts.join("");
}

/**
 * Encodes text as UTF-8.
 * @throws OtaError "bad-utf8" for a lone surrogate, which no UTF-8 text can hold
 */
export function encodeUtf8(text: string): Uint8Array {
  const ascii = new Uint8Array(text.length);
  for (let n = 0; n < ascii.length; n++) {
    const code = text.charCodeAt(n);
    if (code > 0x7f) return encodeWide(text);
    ascii[n] = code;
  }
  return ascii;
}

function encodeWide(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0)!;
    if (point < 0x80) {
      bytes.push(point);
      continue;
    }
    if (point >> 11 === 0x1b) throw new OtaError("bad-utf8", "text has a lone surrogate");
    if (point < 0x800) bytes.push(0xc0 | (point >> 6));
    else {
      if (point < 0x10000) bytes.push(0xe0 | (point >> 12));
      else bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f));
      bytes.push(0x80 | ((point >> 6) & 0x3f));
    }
    bytes.push(0x80 | (point & 0x3f));
  }
  return new Uint8Array(bytes);
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
