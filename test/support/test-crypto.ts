/**
 * Cryptography for tests that run on XS as well: real SHA-256, and in the place of the native signature check one
 * that knows a single key and signatures of the form (r = digest, s = 1). Runs on Node and on XS.
 * @module
 */
import type { Crypto } from "../../src/ports.js";
import { TrustedKeys } from "../../src/slot/signature.js";
import { hex } from "./hex.js";
import { newSha256 } from "./sha256.js";

/** The base point of P-256 (FIPS 186-4 D.1.2.3), as good a public key as any. */
export const KEY_POINT = hex(`04
  6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296
  4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5`);

/** Trusts `KEY_POINT` for every `certfile`. */
export const TEST_KEYS = new TrustedKeys({ "": KEY_POINT });

/** r of a signature over `digest`: within the group's order. */
function rOf(digest: Uint8Array): Uint8Array {
  const r = digest.slice();
  r[0] = (r[0] & 0x3f) | 0x40;
  return r;
}

/** DER, base64: SEQUENCE { INTEGER r, INTEGER 1 } */
export function signDigest(digest: Uint8Array): string {
  const der = [0x30, 0x25, 0x02, 0x20, ...rOf(digest), 0x02, 0x01, 0x01];
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  let text = "";
  for (let at = 0; at < der.length; at += 3) {
    const word = (der[at] << 16) | (der[at + 1] << 8) | der[at + 2];
    text +=
      alphabet[word >> 18] + alphabet[(word >> 12) & 63] + alphabet[(word >> 6) & 63] + alphabet[word & 63];
  }
  return text;
}

export const testCrypto: Crypto = Object.freeze({
  sha256: newSha256,
  verifyEcdsaP256: (publicKey: Uint8Array, digest: Uint8Array, r: Uint8Array, s: Uint8Array) =>
    publicKey.every((byte, i) => byte === KEY_POINT[i]) &&
    rOf(digest).every((byte, i) => byte === r[i]) &&
    s.every((byte, i) => byte === (i === s.length - 1 ? 1 : 0)),
  verifyRsa: () => false,
});
