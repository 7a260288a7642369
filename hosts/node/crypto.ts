/**
 * The `Crypto` port over `node:crypto`, which checks RSA and hashes; ECDSA over a digest made elsewhere, which
 * it does not offer, is @noble/curves'.
 * @module
 */
import { constants, createHash, createPublicKey, publicDecrypt } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import type { Crypto, Hash } from "../../src/ports.js";

/** DigestInfo of a SHA-256 digest without the digest itself (RFC 8017 §9.2, note 1). */
const DIGEST_INFO = Buffer.from("3031300d060960864801650304020105000420", "hex");

export const nodeCrypto: Crypto = Object.freeze({
  sha256(): Hash {
    const hash = createHash("sha256");
    return {
      update: (bytes: Uint8Array) => void hash.update(bytes),
      digest: () => new Uint8Array(hash.digest()),
    };
  },

  verifyEcdsaP256(publicKey: Uint8Array, digest: Uint8Array, r: Uint8Array, s: Uint8Array): boolean {
    const signature = new Uint8Array(64);
    signature.set(r);
    signature.set(s, 32);
    // False for a point that is not on the curve as well.
    return p256.verify(signature, digest, publicKey, { prehash: false, lowS: false });
  },

  verifyRsa(modulus: Uint8Array, exponent: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
    const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
    try {
      const key = createPublicKey({
        key: { kty: "RSA", n: base64url(modulus), e: base64url(exponent) },
        format: "jwk",
      });
      const info = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
      return info.equals(Buffer.concat([DIGEST_INFO, digest]));
    } catch {
      return false; // not even padded as a signature, or no RSA key
    }
  },
});
