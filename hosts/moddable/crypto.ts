/**
 * The `Crypto` port over the SDK's `crypt` modules, whose digests and big-number arithmetic are native.
 *
 * Not used is what they would parse themselves: the SDK's reading of a PKCS #1 signature accepts other hash
 * algorithms' names and bytes behind the digest, which lets signatures be forged for keys with exponent 3. Here
 * the one encoding that is right is built and compared as a whole (RFC 8017 §8.2.2). An ECDSA `s` of 0, which
 * the SDK's code never comes back from, does not get here: the agent has checked the range.
 * @module
 */
import { Digest } from "crypt";
import Curve from "curve";
import ECDSA from "ecdsa";
import ECPoint from "ecp";
import RSA from "rsa";
import { toHex } from "../../src/bytes.js";
import type { Crypto, Hash } from "../../src/ports.js";

/** DigestInfo of a SHA-256 digest without the digest itself (RFC 8017 §9.2, note 1). */
const DIGEST_INFO = "3031300d060960864801650304020105000420";

class Sha256 implements Hash {
  readonly #digest = new Digest("SHA256");

  update(bytes: Uint8Array): void {
    this.#digest.write(bytes);
  }

  digest(): Uint8Array {
    return new Uint8Array(this.#digest.close());
  }
}

export class ModdableCrypto implements Crypto {
  sha256(): Hash {
    return new Sha256();
  }

  verifyEcdsaP256(publicKey: Uint8Array, digest: Uint8Array, r: Uint8Array, s: Uint8Array): boolean {
    const curve = new Curve("secp256r1");
    const point = ECPoint.fromOctetString(publicKey);
    const { a, b, m } = curve.ec;
    const { X, Y } = point;
    if (X >= m || Y >= m || (Y * Y - ((X * X + a) * X + b)) % m !== 0n) return false;
    const signature = new Uint8Array(64);
    signature.set(r);
    signature.set(s, 32);
    return new ECDSA(point, curve).verify(digest.slice().buffer as ArrayBuffer, signature.buffer, false);
  }

  verifyRsa(modulus: Uint8Array, exponent: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
    const n = toInteger(modulus);
    const value = toInteger(signature);
    // RFC 8017 §8.2.2 and §9.2: the value is below n, and at least eight bytes of padding fit.
    const padding = modulus.length - 3 - (DIGEST_INFO.length >> 1) - digest.length;
    if (signature.length !== modulus.length || value >= n || padding < 8 || n % 2n === 0n) return false;
    const encoded = BigInt(`0x01${"ff".repeat(padding)}00${DIGEST_INFO}${toHex(digest)}`);
    return new RSA(toInteger(exponent), n).process(value) === encoded;
  }
}

function toInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}
