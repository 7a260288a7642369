/**
 * CBOR (RFC 8949) as file streams use it: unsigned and negative integers, byte strings, text strings, arrays and
 * maps with text keys. The service reads every well-formed encoding of these, definite or indefinite, any
 * integer width.
 * @module
 */
import { decodeUtf8, encodeUtf8 } from "../src/bytes.js";

export type CborValue = number | string | boolean | null | Uint8Array | CborValue[] | CborMap;
export type CborMap = { [key: string]: CborValue };

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const BREAK = 0xff;
const INDEFINITE = 31;
/** Deeper nesting is refused: no message of the service has more than three levels. */
const MAX_DEPTH = 16;

/** A map with indefinite length, which the service uses for its error replies. */
export function encodeIndefiniteMap(map: CborMap): Uint8Array {
  return concat([
    Uint8Array.of((MAP << 5) | INDEFINITE),
    ...Object.entries(map).flatMap(([key, value]) => [...encode(key), ...encode(value)]),
    Uint8Array.of(BREAK),
  ]);
}

/** Shortest integers, definite lengths, map keys in the order given. @throws TypeError for other values */
export function encodeCbor(value: CborValue): Uint8Array {
  return concat(encode(value));
}

function encode(value: CborValue): Uint8Array[] {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new TypeError(`no CBOR encoding here for ${value}`);
    return [value < 0 ? head(NEGATIVE, -1 - value) : head(UNSIGNED, value)];
  }
  if (typeof value === "string") {
    const bytes = encodeUtf8(value);
    return [head(TEXT, bytes.length), bytes];
  }
  if (typeof value === "boolean") return [Uint8Array.of(value ? 0xf5 : 0xf4)];
  if (value === null) return [Uint8Array.of(0xf6)];
  if (value instanceof Uint8Array) return [head(BYTES, value.length), value];
  if (Array.isArray(value)) return [head(ARRAY, value.length), ...value.flatMap(encode)];
  if (typeof value !== "object") throw new TypeError(`no CBOR encoding here for ${typeof value}`);
  const entries = Object.entries(value);
  return [head(MAP, entries.length), ...entries.flatMap(([key, item]) => [...encode(key), ...encode(item)])];
}

function head(major: number, argument: number): Uint8Array {
  const type = major << 5;
  if (argument < 24) return Uint8Array.of(type | argument);
  if (argument < 0x100) return Uint8Array.of(type | 24, argument);
  if (argument < 0x10000) return Uint8Array.of(type | 25, argument >> 8, argument & 0xff);
  const wide = argument >= 0x1_0000_0000;
  const bytes = new Uint8Array(wide ? 9 : 5);
  const view = new DataView(bytes.buffer);
  bytes[0] = type | (wide ? 27 : 26);
  if (wide) view.setUint32(1, Math.floor(argument / 0x1_0000_0000));
  view.setUint32(wide ? 5 : 1, argument >>> 0);
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** One data item, and nothing after it. @throws RangeError when `bytes` are anything else */
export function decodeCbor(bytes: Uint8Array): CborValue {
  const reader = new Reader(bytes);
  const value = reader.item(0);
  if (reader.at !== bytes.length) throw new RangeError("bytes after the CBOR item");
  return value;
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  item(depth: number): CborValue {
    if (depth > MAX_DEPTH) throw new RangeError("CBOR nested too deep");
    const initial = this.#take(1)[0];
    const major = initial >> 5;
    const info = initial & 31;
    if (major === 7) return simple(initial);
    if (info === INDEFINITE) return this.#indefinite(major, depth);
    const argument = this.#argument(info);
    switch (major) {
      case UNSIGNED:
        return argument;
      case NEGATIVE:
        return -1 - argument;
      case BYTES:
        return this.#take(argument).slice();
      case TEXT:
        return decodeUtf8(this.#take(argument));
      case ARRAY:
      case MAP:
        // Each element takes at least one byte: a length beyond what is left is a lie.
        if (argument > this.#bytes.length - this.at) throw new RangeError("CBOR length beyond the end");
        return major === ARRAY ? this.#array(argument, depth) : this.#map(argument, depth);
      default:
        throw new RangeError("CBOR tags are not used here");
    }
  }

  #indefinite(major: number, depth: number): CborValue {
    if (major === ARRAY) return this.#array(Infinity, depth);
    if (major === MAP) return this.#map(Infinity, depth);
    if (major !== BYTES && major !== TEXT) throw new RangeError("CBOR item without a length");
    const chunks: Uint8Array[] = [];
    while (!this.#atBreak()) {
      const initial = this.#take(1)[0];
      if (initial >> 5 !== major || (initial & 31) === INDEFINITE) throw new RangeError("bad CBOR chunk");
      chunks.push(this.#take(this.#argument(initial & 31)));
    }
    return major === BYTES ? concat(chunks) : chunks.map((chunk) => decodeUtf8(chunk)).join("");
  }

  #array(length: number, depth: number): CborValue[] {
    const array: CborValue[] = [];
    for (let i = 0; i < length && !(length === Infinity && this.#atBreak()); i++)
      array.push(this.item(depth + 1));
    return array;
  }

  #map(length: number, depth: number): CborMap {
    const map = new Map<string, CborValue>();
    for (let i = 0; i < length && !(length === Infinity && this.#atBreak()); i++) {
      const key = this.item(depth + 1);
      if (typeof key !== "string") throw new RangeError("CBOR map key is not text");
      if (map.has(key)) throw new RangeError(`CBOR map key "${key}" comes twice`);
      map.set(key, this.item(depth + 1));
    }
    return Object.fromEntries(map);
  }

  #argument(info: number): number {
    if (info < 24) return info;
    if (info > 27) throw new RangeError("reserved CBOR length");
    let argument = 0;
    for (const byte of this.#take(1 << (info - 24))) argument = argument * 256 + byte;
    if (!Number.isSafeInteger(argument)) throw new RangeError("CBOR integer too large");
    return argument;
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.at) throw new RangeError("CBOR ends early");
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  #atBreak(): boolean {
    if (this.#bytes[this.at] !== BREAK) return false;
    this.at++;
    return true;
  }
}

function simple(initial: number): boolean | null {
  if (initial === 0xf4) return false;
  if (initial === 0xf5) return true;
  if (initial === 0xf6) return null;
  throw new RangeError("CBOR floats and simple values are not used here");
}
