/**
 * Modules of the Moddable SDK's `crypt` that its published typings lack, as far as they are used here.
 */
declare module "crypt" {
  export class Digest {
    constructor(type: "SHA256");
    write(data: ArrayBuffer | Uint8Array): void;
    close(): ArrayBuffer;
  }
}

declare module "ecp" {
  export default class ECPoint {
    /** @param octets uncompressed point: 4, x, y */
    static fromOctetString(octets: Uint8Array): ECPoint;
    readonly X: bigint;
    readonly Y: bigint;
  }
}

declare module "curve" {
  export default class Curve {
    constructor(name: "secp256r1" | "secp384r1");
    readonly ec: { readonly a: bigint; readonly b: bigint; readonly m: bigint };
  }
}

declare module "ecdsa" {
  import type Curve from "curve";
  import type ECPoint from "ecp";
  export default class ECDSA {
    constructor(publicKey: ECPoint, curve: Curve);
    /** @param signature r and s, each as long as the curve's order */
    verify(digest: ArrayBuffer, signature: ArrayBuffer, asn1: false): boolean;
  }
}

declare module "rsa" {
  export default class RSA {
    constructor(exponent: bigint, modulus: bigint);
    /** `value` to the power of the exponent. */
    process(value: bigint): bigint;
  }
}
