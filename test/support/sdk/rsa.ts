/**
 * `rsa` (modules/crypt/etc/rsa.js): the value to the power of the exponent. The native code reduces by Montgomery's
 * method, which needs an odd modulus: an even one is an error here. A value above the modulus is reduced, not refused.
 * @module
 */

export default class RSA {
  readonly #exponent: bigint;
  readonly #modulus: bigint;

  constructor(exponent: bigint, modulus: bigint) {
    if (modulus % 2n === 0n) throw new Error("the machine hangs: even modulus");
    this.#exponent = exponent;
    this.#modulus = modulus;
  }

  process(value: bigint): bigint {
    let result = 1n;
    let base = value % this.#modulus;
    for (let e = this.#exponent; e > 0n; e >>= 1n) {
      if (e & 1n) result = (result * base) % this.#modulus;
      base = (base * base) % this.#modulus;
    }
    return result;
  }
}
