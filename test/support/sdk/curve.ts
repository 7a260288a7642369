/**
 * `curve` (modules/crypt/etc/curve.js) with secp256r1 (SEC 2, §2.4.2) alone. A name it does not know makes an empty
 * object, not an error.
 * @module
 */
import ECPoint from "./ecp.js";

const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;

export default class Curve {
  readonly ec!: { readonly a: bigint; readonly b: bigint; readonly m: bigint };
  readonly n!: bigint;
  readonly G!: ECPoint;

  constructor(name: string) {
    if (name !== "secp256r1") return;
    this.ec = {
      a: P - 3n,
      b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
      m: P,
    };
    this.n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    this.G = new ECPoint(
      0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
      0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
    );
  }
}
