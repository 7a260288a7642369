/**
 * `ecdsa` (modules/crypt/etc/ecdsa.js): arithmetic without a check. It takes any point for a key, on the curve or not,
 * any digest as it is, r of any size; an `s` that has no inverse never comes back, which is an error here. The result
 * is compared with r itself, not with r modulo n.
 * @module
 */
import type Curve from "./curve.js";
import { type default as ECPoint, toBigInt } from "./ecp.js";

type Point = readonly [x: bigint, y: bigint] | undefined;

const modulo = (value: bigint, m: bigint) => ((value % m) + m) % m;

/** Extended Euclid. */
function inverse(value: bigint, m: bigint): bigint {
  let [a, b, x, y] = [modulo(value, m), m, 1n, 0n];
  if (a === 0n) throw new Error("the machine hangs: inverse of 0");
  while (a > 1n) {
    const q = b / a;
    [a, b, x, y] = [b - q * a, a, y - q * x, x];
    if (a === 0n) throw new Error("the machine hangs: no inverse");
  }
  return modulo(x, m);
}

export default class ECDSA {
  readonly #key: ECPoint;
  readonly #curve: Curve;

  constructor(key: ECPoint, curve: Curve) {
    this.#key = key;
    this.#curve = curve;
  }

  verify(digest: ArrayBuffer, signature: ArrayBuffer, asn1: boolean): boolean {
    if (asn1) throw new Error("the stand-in does not parse");
    if (!(digest instanceof ArrayBuffer && signature instanceof ArrayBuffer))
      throw new TypeError("BigInt.fromArrayBuffer: no ArrayBuffer");
    const { n, G } = this.#curve;
    const bytes = new Uint8Array(signature);
    const r = toBigInt(bytes.slice(0, 32));
    const w = inverse(toBigInt(bytes.slice(32, 64)), n);
    const u1 = modulo(toBigInt(new Uint8Array(digest)) * w, n);
    const u2 = modulo(r * w, n);
    const sum = this.#add(this.#times(u1, [G.X, G.Y]), this.#times(u2, [this.#key.X, this.#key.Y]));
    return sum !== undefined && sum[0] === r;
  }

  #add(one: Point, other: Point): Point {
    const { a, m } = this.#curve.ec;
    if (!one) return other;
    if (!other) return one;
    if (one[0] === other[0] && modulo(one[1] + other[1], m) === 0n) return undefined;
    const slope =
      one[0] === other[0]
        ? (3n * one[0] * one[0] + a) * inverse(2n * one[1], m)
        : (other[1] - one[1]) * inverse(other[0] - one[0], m);
    const x = modulo(slope * slope - one[0] - other[0], m);
    return [x, modulo(slope * (one[0] - x) - one[1], m)];
  }

  #times(factor: bigint, point: Point): Point {
    let result: Point;
    for (const bit of factor.toString(2)) {
      result = this.#add(result, result);
      if (bit === "1") result = this.#add(result, point);
    }
    return result;
  }
}
