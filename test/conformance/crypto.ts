/**
 * What every `Crypto` has to do. A port's author calls `cryptoConformance` with his implementation.
 * @module
 */
import type { Crypto } from "../../src/ports.js";
import { CRYPTO_VECTORS as V } from "../data/crypto-vectors.js";
import { deepEqual, equal } from "../support/assert.js";
import { hex } from "../support/hex.js";
import { pattern } from "../support/mqtt-peer.js";

const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** `bytes` with one bit inverted. */
function flipped(bytes: Uint8Array, at = bytes.length - 1): Uint8Array {
  const copy = bytes.slice();
  copy[at] ^= 1;
  return copy;
}

/** `bytes` in the middle of a larger buffer, so that an implementation that ignores the view fails. */
function view(bytes: Uint8Array): Uint8Array {
  const large = new Uint8Array(bytes.length + 20).fill(0xa5);
  large.set(bytes, 7);
  return large.subarray(7, 7 + bytes.length);
}

export function cryptoConformance(title: string, create: () => Crypto): void {
  describe(title, () => {
    const digest = hex(V.digest);
    let crypto: Crypto;
    before(() => {
      crypto = create();
    });

    describe("SHA-256", () => {
      it("knows the answers of FIPS 180-4", () => {
        const hash = crypto.sha256();
        hash.update(Uint8Array.of(0x61, 0x62, 0x63));
        deepEqual(hash.digest(), hex(ABC));
        deepEqual(crypto.sha256().digest(), hex(EMPTY));
      });

      it("does not care how the data is cut", () => {
        const data = pattern(1_000);
        const whole = crypto.sha256();
        whole.update(data);
        const expected = whole.digest();
        for (const size of [1, 55, 56, 63, 64, 65, 999]) {
          const hash = crypto.sha256();
          for (let at = 0; at < data.length; at += size) hash.update(view(data.subarray(at, at + size)));
          deepEqual(hash.digest(), expected, `pieces of ${size}`);
        }
      });

      it("computes several at a time", () => {
        const first = crypto.sha256();
        const second = crypto.sha256();
        first.update(Uint8Array.of(0x61));
        second.update(pattern(100));
        first.update(Uint8Array.of(0x62, 0x63));
        deepEqual(first.digest(), hex(ABC));
      });
    });

    describe("ECDSA on P-256", () => {
      const key = hex(V.ecdsa.publicKey);
      const r = hex(V.ecdsa.r);
      const s = hex(V.ecdsa.s);
      const one = new Uint8Array(32);
      one[31] = 1;

      it("accepts a signature", () => {
        equal(crypto.verifyEcdsaP256(view(key), view(digest), view(r), view(s)), true);
      });
      it("refuses another digest", () => equal(crypto.verifyEcdsaP256(key, flipped(digest), r, s), false));
      it("refuses another r", () => equal(crypto.verifyEcdsaP256(key, digest, flipped(r), s), false));
      it("refuses another s", () => equal(crypto.verifyEcdsaP256(key, digest, r, flipped(s)), false));
      it("refuses r and s exchanged", () => equal(crypto.verifyEcdsaP256(key, digest, s, r), false));
      it("refuses the smallest r and s", () => {
        equal(crypto.verifyEcdsaP256(key, digest, one, s), false);
        equal(crypto.verifyEcdsaP256(key, digest, r, one), false);
        equal(crypto.verifyEcdsaP256(key, digest, one, one), false);
      });
      it("refuses a key that is not on the curve", () => {
        equal(crypto.verifyEcdsaP256(flipped(key), digest, r, s), false);
      });
      it("takes a digest of zeros for what it is", () => {
        equal(crypto.verifyEcdsaP256(key, new Uint8Array(32), r, s), false);
      });
    });

    describe("RSA with PKCS #1 v1.5", () => {
      const modulus = hex(V.rsa.modulus);
      const exponent = hex(V.rsa.exponent);
      const signature = hex(V.rsa.signature);
      const verify = (bytes: Uint8Array, over = digest) => crypto.verifyRsa(modulus, exponent, over, bytes);

      it("accepts a signature", () => {
        equal(crypto.verifyRsa(view(modulus), view(exponent), view(digest), view(signature)), true);
      });
      it("refuses another digest", () => equal(verify(signature, flipped(digest)), false));
      it("refuses another signature", () => equal(verify(flipped(signature)), false));
      it("refuses the name of another hash algorithm", () => {
        equal(verify(hex(V.rsa.wrongAlgorithm)), false);
      });
      it("refuses a value that is not below the modulus", () => {
        equal(verify(modulus), false);
        equal(verify(new Uint8Array(256).fill(0xff)), false);
      });
      it("refuses 0 and 1", () => {
        const small = new Uint8Array(256);
        equal(verify(small), false);
        small[255] = 1;
        equal(verify(small), false);
      });
      it("works with exponent 3, and refuses a forgery that exploits it", () => {
        const three = hex(V.rsa3.exponent);
        const n = hex(V.rsa3.modulus);
        equal(crypto.verifyRsa(n, three, digest, hex(V.rsa3.signature)), true);
        equal(crypto.verifyRsa(n, three, digest, hex(V.rsa3.forged)), false);
      });
    });
  });
}
