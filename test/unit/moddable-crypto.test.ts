import { ModdableCrypto } from "../../hosts/moddable/crypto.js";
import { cryptoConformance } from "../conformance/crypto.js";
import { CRYPTO_VECTORS as V } from "../data/crypto-vectors.js";
import { deepEqual, equal, throws } from "../support/assert.js";
import { hex } from "../support/hex.js";
import { Digest } from "../support/sdk/crypt.js";
import Curve from "../support/sdk/curve.js";
import ECDSA from "../support/sdk/ecdsa.js";
import ECPoint from "../support/sdk/ecp.js";
import RSA from "../support/sdk/rsa.js";

cryptoConformance("crypto on the SDK's", () => new ModdableCrypto());

function bytesOf(value: bigint, length: number): Uint8Array {
  return hex(value.toString(16).padStart(2 * length, "0"));
}

describe("crypto on the SDK's", () => {
  const crypto = new ModdableCrypto();
  const digest = hex(V.digest);
  const r = hex(V.ecdsa.r);
  const s = hex(V.ecdsa.s);
  const { m } = new Curve("secp256r1").ec;
  const half = (at: number) => BigInt(`0x${V.ecdsa.publicKey.slice(at, at + 64)}`);
  const point = (x: bigint, y: bigint) => Uint8Array.of(4, ...bytesOf(x, 32), ...bytesOf(y, 32));

  it("takes no key whose coordinates are another point's, beside the curve", () => {
    const [x, y] = [half(2), half(66)];
    equal(crypto.verifyEcdsaP256(point(x, y), digest, r, s), true);
    equal(crypto.verifyEcdsaP256(point(x, (y + 1n) % m), digest, r, s), false);
    equal(crypto.verifyEcdsaP256(point(y, x), digest, r, s), false);
    equal(crypto.verifyEcdsaP256(point(0n, 0n), digest, r, s), false);
  });

  it("takes no coordinate of the prime or more, though it stands for a point of the curve", () => {
    // The points with the smallest x (x³ − 3x + b has a root for x = 5), and the same with the prime added.
    const x = 5n;
    const { a, b } = new Curve("secp256r1").ec;
    const y = power((x * x * x + a * x + b) % m, (m + 1n) / 4n, m);
    equal((y * y - (x * x * x + a * x + b)) % m, 0n, "5 is no x of the curve");
    let asked = 0;
    const original = ECDSA.prototype.verify;
    ECDSA.prototype.verify = () => {
      asked++;
      return true;
    };
    try {
      equal(crypto.verifyEcdsaP256(point(x, y), digest, r, s), true);
      equal(crypto.verifyEcdsaP256(point(x, (y + 1n) % m), digest, r, s), false, "beside the curve");
      equal(crypto.verifyEcdsaP256(point(x + m, y), digest, r, s), false);
      // The point with the smallest y: 5.
      const other = 0xd7325d7646cd60d80a92738ceb345f844cffaf35841022cab176f692de8de1d7n;
      equal(crypto.verifyEcdsaP256(point(other, 5n), digest, r, s), true);
      equal(crypto.verifyEcdsaP256(point(other, 5n + m), digest, r, s), false);
    } finally {
      ECDSA.prototype.verify = original;
    }
    equal(asked, 2);
  });

  describe("RSA", () => {
    const modulus = hex(V.rsa3.modulus);
    const three = Uint8Array.of(3);

    it("takes no signature whose value is that of another plus the modulus", () => {
      const value = BigInt(`0x${V.rsa.signature}`) + BigInt(`0x${V.rsa.modulus}`);
      equal(value < 1n << 2048n, true, "the sum needs another byte");
      const verify = (signature: Uint8Array) =>
        crypto.verifyRsa(hex(V.rsa.modulus), hex(V.rsa.exponent), digest, signature);
      equal(verify(hex(V.rsa.signature)), true);
      equal(verify(bytesOf(value, 256)), false);
    });

    it("takes no signature longer or shorter than the modulus", () => {
      const signature = hex(V.rsa3.signature);
      equal(crypto.verifyRsa(modulus, three, digest, Uint8Array.of(0, ...signature)), false);
      equal(crypto.verifyRsa(modulus, three, digest, signature.subarray(1)), false);
    });

    it("takes no padding of less than eight bytes (RFC 8017 §9.2)", () => {
      // With exponent 1 a value is its own signature: 62 bytes hold the encoding with eight bytes of padding.
      const info = "3031300d060960864801650304020105000420";
      const one = Uint8Array.of(1);
      for (const [padding, good] of [
        [8, true],
        [7, false],
        [0, false],
      ] as const) {
        const length = 3 + padding + info.length / 2 + 32;
        const odd = new Uint8Array(length).fill(0xff);
        const encoded = hex(`0001${"ff".repeat(padding)}00${info}${V.digest}`);
        equal(crypto.verifyRsa(odd, one, digest, encoded), good, `${padding} bytes`);
      }
    });

    it("takes no even modulus", () => {
      const even = modulus.slice();
      even[255] ^= 1;
      equal(crypto.verifyRsa(even, three, digest, hex(V.rsa3.signature)), false);
    });
  });
});

describe("stand-ins of the SDK's crypto", () => {
  it("do not check what the SDK does not", () => {
    const curve = new Curve("secp256r1");
    const off = new ECPoint(1n, 1n);
    const signature = new Uint8Array(64).fill(1).buffer;
    equal(typeof new ECDSA(off, curve).verify(new ArrayBuffer(32), signature, false), "boolean");
    equal(new RSA(1n, 35n).process(40n), 5n);
    throws(() => ECPoint.fromOctetString(new Uint8Array(65)));
  });
  it("fail where the SDK hangs or crashes", () => {
    const curve = new Curve("secp256r1");
    const key = ECPoint.fromOctetString(hex(V.ecdsa.publicKey));
    throws(() => new ECDSA(key, curve).verify(new ArrayBuffer(32), new ArrayBuffer(64), false));
    throws(() => new RSA(3n, 34n));
    const spent = new Digest("SHA256");
    deepEqual(spent.close().byteLength, 32);
    throws(() => spent.write(new Uint8Array(1)));
    throws(() => spent.close());
    throws(() => new Digest("SHA3"));
  });
});

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  return new RSA(exponent, modulus).process(base);
}
