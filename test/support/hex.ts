/**
 * Bytes as text in tests. Runs on Node and on XS.
 * @module
 */

/** Bytes from hexadecimal digits; white space between them is ignored. */
export function hex(digits: string): Uint8Array {
  const text = digits.split(/\s+/).join("");
  if (text.length % 2 || /[^0-9a-f]/i.test(text)) throw new TypeError(`not hexadecimal: ${digits}`);
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at++) bytes[at] = parseInt(text.slice(at * 2, at * 2 + 2), 16);
  return bytes;
}

/** The bytes of ASCII text. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** All parts in one array. */
export function concat(...parts: ArrayLike<number>[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
