/**
 * Text forms of binary data for the pure part of the service, which also runs where there is no `Buffer`.
 * @module
 */

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Standard alphabet with padding (RFC 4648 §4). */
export function base64Encode(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const word = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    pieces.push(
      BASE64[word >> 18],
      BASE64[(word >> 12) & 63],
      i + 1 < bytes.length ? BASE64[(word >> 6) & 63] : "=",
      i + 2 < bytes.length ? BASE64[word & 63] : "=",
    );
  }
  return pieces.join("");
}

/** @returns undefined unless `text` is an even number of hexadecimal digits */
export function hexDecode(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
