/**
 * `ecp` (modules/crypt/arith/ecp.js): a point is whatever two halves the octets have; nothing is checked but the first
 * octet. The octets have to be a view: those of an `ArrayBuffer` have no `length`.
 * @module
 */

export function toBigInt(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

export default class ECPoint {
  constructor(
    readonly X: bigint,
    readonly Y: bigint,
  ) {}

  static fromOctetString(octets: Uint8Array): ECPoint {
    if (octets[0] !== 4) throw new Error("unsupported format");
    const half = (octets.length - 1) >> 1;
    return new ECPoint(toBigInt(octets.slice(1, 1 + half)), toBigInt(octets.slice(1 + half)));
  }
}
