/**
 * SHA-256 for tests that are not about it. Where what runs the tests offers its own, that is taken: on XS digests in
 * TypeScript are a good part of what a test costs.
 * @module
 */
import { PureSha256 } from "../../hosts/formats/sha256.js";
import type { Hash } from "../../src/ports.js";

declare global {
  /** SHA-256 of the bytes, 32 of them. Set by `own-sha256.ts` on Node, by `test/xs/shim.ts` on XS. */
  var ownSha256: ((bytes: Uint8Array) => Uint8Array) | undefined;
}

/** Keeps what it is given until the digest is wanted. */
class KeptSha256 implements Hash {
  #bytes = new Uint8Array(256);
  #length = 0;

  update(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  digest(): Uint8Array {
    return globalThis.ownSha256!(this.#bytes.subarray(0, this.#length));
  }
}

export function newSha256(): Hash {
  return globalThis.ownSha256 ? new KeptSha256() : new PureSha256();
}

export function sha256(bytes: Uint8Array): Uint8Array {
  const hash = newSha256();
  hash.update(bytes);
  return hash.digest();
}
