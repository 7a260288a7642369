/**
 * `crypt` (modules/crypt/digest/modCrypt.c): only types it knows; a string is hashed up to its first NUL, a view as its bytes;
 * after `close` a digest cannot be written to, and closing it again reads through a null pointer.
 * @module
 */
import { encodeUtf8 } from "../../../src/bytes.js";
import type { Hash } from "../../../src/ports.js";
import { newSha256 } from "../sha256.js";

export class Digest {
  #hash: Hash | undefined = newSha256();

  constructor(type: string) {
    if (type !== "SHA256") throw new Error("crypt: unsupported digest");
  }

  write(data: ArrayBuffer | Uint8Array | string): void {
    if (!this.#hash) throw new Error("crypt: can't call digest write after close");
    if (typeof data === "string") this.#hash.update(encodeUtf8(data.split("\0", 1)[0]));
    else if (data instanceof Uint8Array) this.#hash.update(data);
    else if (data instanceof ArrayBuffer) this.#hash.update(new Uint8Array(data));
    else throw new TypeError("no buffer");
  }

  close(): ArrayBuffer {
    if (!this.#hash) throw new Error("the machine has crashed: null digest");
    const digest = this.#hash.digest();
    this.#hash = undefined;
    return digest.slice().buffer as ArrayBuffer;
  }
}
