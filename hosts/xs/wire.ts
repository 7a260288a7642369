/**
 * The messages between the XS engine and its host; numbers are little-endian. Both sides use this file.
 *
 * A call (XS to host, synchronous): code, fields. Its answer: 0 and the result, or 1 and name and message of
 * an error. A command (host to XS): code, the host's time (f64, ms), fields. Its answer: the time (f64) XS wants
 * to be woken at, Infinity for never.
 * @module
 */

/** Calls. Fields in brackets; text is preceded by its length (u16), bytes and JSON run to the end. */
export const Call = Object.freeze({
  /** [level text, text bytes] */
  log: 1,
  /** [JSON] An event of the application. */
  event: 2,
  /** [partition u8, offset u32, length u32] → bytes */
  flashRead: 10,
  /** [partition u8, offset u32, bytes] */
  flashWrite: 11,
  /** [partition u8, start u32, end u32] */
  flashErase: 12,
  /** [partition u8] → JSON */
  flashStatus: 13,
  /** [method bytes] → JSON */
  boot: 20,
  /** [] → id u32 */
  hashNew: 30,
  /** [id u32, bytes] */
  hashUpdate: 31,
  /** [id u32] → bytes */
  hashDigest: 32,
  /** [public key, digest, r, s: 65 + 32 + 32 + 32 bytes] → u8 */
  verifyEcdsa: 33,
  /** [modulus length u16, modulus, exponent length u16, exponent, digest (32), signature] → u8 */
  verifyRsa: 34,
  /** [key text] → u8 (is there), bytes */
  storeGet: 40,
  /** [key text, value bytes] */
  storeSet: 41,
  /** [id u32 (0: nobody wants to know), qos u8, topic text, payload] */
  publish: 50,
  /** [id u32, qos u8, filter bytes] */
  subscribe: 51,
  /** [id u32] */
  unsubscribe: 52,
  /** [id u32, JSON: url, headers] */
  http: 60,
  /** [id u32] */
  httpCancel: 61,
});

export const Command = Object.freeze({
  /** [JSON: configuration] */
  start: 1,
  /** [] A timer is due. */
  tick: 2,
  /** [] */
  online: 10,
  /** [] */
  offline: 11,
  /** [subscription u32, topic text, payload] */
  message: 12,
  /** [id u32, error bytes (empty: none)] A publish is done. */
  published: 13,
  /** [subscription u32, error bytes] */
  subscribed: 14,
  /** [id u32, status u16, JSON: headers] */
  httpHeaders: 20,
  /** [id u32, bytes] */
  httpData: 21,
  /** [id u32, error bytes] */
  httpDone: 22,
});

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Writer {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** @param length bytes of the whole message */
  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): this {
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
    return this;
  }
  u16(value: number): this {
    this.#view.setUint16(this.#at, value, true);
    this.#at += 2;
    return this;
  }
  u32(value: number): this {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
    return this;
  }
  f64(value: number): this {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
    return this;
  }
  bytes(value: Uint8Array): this {
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }
  /** Exactly the message. @throws RangeError when it is not as long as announced */
  finish(): Uint8Array<ArrayBuffer> {
    if (this.#at !== this.#bytes.length)
      throw new RangeError(`message of ${this.#at} bytes, announced as ${this.#bytes.length}`);
    return this.#bytes as Uint8Array<ArrayBuffer>;
  }
}

export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u8(): number {
    return this.#view.getUint8(this.#at++);
  }
  u16(): number {
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2, true);
  }
  u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }
  f64(): number {
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }
  /** The next `length` bytes, or all that are left; a view. */
  bytes(length = this.#bytes.length - this.#at): Uint8Array {
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
  /** Text preceded by its length. */
  text(): string {
    return fromUtf8(this.bytes(this.u16()));
  }
  /** Text to the end of the message. */
  rest(): string {
    return fromUtf8(this.bytes());
  }
}

export function toUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
