/**
 * The CBOR (RFC 8949) messages of AWS IoT file streams: GetStream request, data block, rejection. Strict where
 * it matters (types, lengths, duplicates, missing keys, trailing bytes), open where the service may vary (key
 * order, width of integers, definite or indefinite maps, unknown keys).
 * @module
 */
import { decodeUtf8 } from "./bytes.js";
import { OtaError } from "./errors.js";

/** How deep values of unknown keys may nest, tags included: bounds the stack. */
const MAX_DEPTH = 8;
/** `value` of a head whose length is indefinite. */
const INDEFINITE = -1;

function fail(why: string): never {
  throw new OtaError("cbor-decode", `CBOR message ${why}`);
}

/** Cursor over one message. */
class Reader {
  protected bytes: Uint8Array = new Uint8Array(0);
  protected at = 0;
  /** Major type of the head last read, and its argument. */
  protected major = 0;
  protected value = 0;

  /** Reads one head. Bytes beyond the end read as undefined, which the check at the end catches. */
  protected head(): void {
    const bytes = this.bytes;
    let at = this.at;
    const first = bytes[at++];
    const major = (this.major = first >> 5);
    let value = first & 31;
    if (value > 23) {
      if (value === 25) value = (bytes[at++] << 8) | bytes[at++];
      else if (value === 24) value = bytes[at++];
      else if (value === 26)
        value = (((bytes[at++] << 8) | bytes[at++]) * 256 + bytes[at++]) * 256 + bytes[at++];
      else if (value === 27) {
        value = 0;
        for (let n = 0; n < 8; n++) value = value * 256 + bytes[at++];
        // Major type 7 holds a double here, which is only ever stepped over.
        if (value > Number.MAX_SAFE_INTEGER && major !== 7) fail("has a number beyond 2^53");
      } else if (value === 31 && major > 1 && major !== 6) value = INDEFINITE;
      else fail("has a reserved length");
    }
    if (at > bytes.length) fail("is cut");
    this.at = at;
    this.value = value;
  }

  /** A definite string: leaves its start in `at`, returns its length. */
  protected string(major: 2 | 3): number {
    this.head();
    const length = this.value;
    if (this.major !== major || length < 0) fail(major === 2 ? "lacks a byte string" : "lacks a text");
    if (length > this.bytes.length - this.at) fail("is cut");
    return length;
  }

  protected skipString(major: 2 | 3): void {
    const length = this.string(major);
    this.at += length;
  }

  protected text(): string {
    const length = this.string(3);
    const start = this.at;
    this.at = start + length;
    return decodeUtf8(this.bytes, start, this.at, "cbor-decode");
  }

  /** Begins a message, which must be a map. Returns how many entries follow, negative when a break ends them. */
  protected open(message: Uint8Array): number {
    this.bytes = message;
    this.at = 0;
    this.head();
    if (this.major !== 5) fail("is not a map");
    return this.value;
  }

  /** True when a map with `left` more entries has ended; steps over the break. */
  protected ended(left: number): boolean {
    if (left >= 0) return left === 0;
    if (this.bytes[this.at] !== 0xff) return false;
    this.at++;
    return true;
  }

  protected close(): void {
    if (this.at !== this.bytes.length) fail("has trailing bytes");
  }

  /** Steps over one value of any type. */
  protected skip(depth = 0): void {
    if (depth > MAX_DEPTH) fail("nests too deep");
    this.head();
    const { major, value } = this;
    if (major === 2 || major === 3) {
      if (value < 0) this.chunks(major);
      else if (value > this.bytes.length - this.at) fail("is cut");
      else this.at += value;
    } else if (major === 6) this.skip(depth + 1);
    else if (major === 4 || major === 5) {
      for (let left = value; !this.ended(left); left--) {
        this.skip(depth + 1);
        if (major === 5) this.skip(depth + 1);
      }
    } else if (value < 0) fail("has a break out of place");
  }

  /** Steps over the chunks of an indefinite string. */
  private chunks(major: 2 | 3): void {
    while (!this.ended(INDEFINITE)) this.skipString(major);
  }
}

/**
 * One data block, `{f, i, l, p}` in any order. The object is made once and filled by every `decode`; the payload
 * stays where it is in the message.
 */
export class DataBlock extends Reader {
  /** `f`. */
  fileId = 0;
  /** `i`: index of the block in the file. */
  index = 0;
  /** `l`: what the service says the payload's length is. */
  length = 0;
  /** `p`: offset of the payload in the message, and its real length, in bytes. */
  offset = 0;
  byteLength = 0;

  /**
   * Whether the numbers are those asked for is left to the caller: `length` may differ from `byteLength`.
   * @throws OtaError "cbor-decode"
   */
  decode(message: Uint8Array): void {
    // Runs for every block: the usual forms are read in place, without calls, and the variables are declared
    // once. `at` may pass the end of the message, but no such message gets through.
    let at = 1;
    let left = message[0] - 0xa0;
    let key = 0;
    let start = 0;
    let first = 0;
    let value = 0;
    let fileId = -1;
    let index = -1;
    let length = -1;
    let byteLength = -1;
    let token = -1;
    this.bytes = message;
    if (!(left >= 0 && left < 24)) {
      left = this.open(message);
      at = this.at;
    }
    while (left !== 0) {
      left--;
      first = message[at];
      if (first === 0x61) {
        key = message[at + 1];
        at += 2;
      } else if (first === 0xff && left < 0) {
        at++;
        break;
      } else {
        this.at = at;
        value = this.string(3);
        at = this.at;
        key = value === 1 ? message[at] : 0;
        at += value;
      }
      start = at;
      first = message[at];
      value = first & 31;
      if (value < 24) at++;
      else if (value === 25) {
        value = (message[at + 1] << 8) | message[at + 2];
        at += 3;
      } else {
        this.at = at;
        this.head();
        value = this.value;
        at = this.at;
      }
      if (key === 0x66 || key === 0x69 || key === 0x6c) {
        if (first > 0x1f) fail("lacks an unsigned integer");
        if (key === 0x69) {
          if (index >= 0) fail("has i twice");
          index = value;
        } else if (key === 0x6c) {
          if (length >= 0) fail("has l twice");
          length = value;
        } else {
          if (fileId >= 0) fail("has f twice");
          fileId = value;
        }
      } else if (key === 0x70 || key === 0x63) {
        if (first >> 5 !== (key === 0x70 ? 2 : 3) || value < 0) fail("lacks a definite string");
        if (key === 0x70) {
          if (byteLength >= 0) fail("has p twice");
          byteLength = value;
          this.offset = at;
        } else {
          if (token >= 0) fail("has c twice");
          token = value;
        }
        at += value;
      } else {
        this.at = start;
        this.skip();
        at = this.at;
      }
    }
    if (at !== message.length) fail("is cut or has trailing bytes");
    if (fileId < 0 || index < 0 || length < 0 || byteLength < 0) fail("lacks f, i, l or p");
    this.fileId = fileId;
    this.index = index;
    this.length = length;
    this.byteLength = byteLength;
  }
}

/** Why the service refused a request. */
export interface Rejection {
  /** `o` or `code`, such as "ResourceNotFound". */
  readonly code: string;
  /** `m` or `message`; empty when absent. */
  readonly message: string;
  /** `c` or `clientToken`; empty when absent. */
  readonly clientToken: string;
}

class RejectionReader extends Reader {
  decode(payload: Uint8Array): Rejection {
    let code: string | undefined;
    let message: string | undefined;
    let clientToken: string | undefined;
    for (let left = this.open(payload); !this.ended(left); left--) {
      const key = this.text();
      let known: string | undefined;
      if (key === "o" || key === "code") {
        known = code;
        code = this.text();
      } else if (key === "m" || key === "message") {
        known = message;
        message = this.text();
      } else if (key === "c" || key === "clientToken") {
        known = clientToken;
        clientToken = this.text();
      } else this.skip();
      if (known !== undefined) fail("has a key twice");
    }
    this.close();
    if (!code) fail("lacks a code");
    return { code, message: message ?? "", clientToken: clientToken ?? "" };
  }
}

/**
 * Decodes the answer on a stream's `rejected` topic: `{o, m, c}`, or the older `{code, message, clientToken}`.
 * @throws OtaError "cbor-decode"
 */
export function decodeRejection(payload: Uint8Array): Rejection {
  return new RejectionReader().decode(payload);
}

/** A GetStream request. Ranges are the service's (AWS IoT developer guide, "MQTT-based file delivery"). */
export interface GetStream {
  /** `c`: up to 64 ASCII characters; left out when absent. */
  readonly clientToken?: string;
  /** `s`: version the stream must have; left out when absent. */
  readonly streamVersion?: number;
  /** `f`: 0…255. */
  readonly fileId: number;
  /** `l`: 256…131072 bytes. */
  readonly blockSize: number;
  /** `o`: first block the bitmap speaks of, 0…98304. */
  readonly offset: number;
  /** `b`: 1…12287 bytes; bit k of byte j (least significant first) is block `offset` + 8j + k. */
  readonly bitmap: Uint8Array;
  /** `n`: the most blocks to send, 1…98304. */
  readonly count: number;
}

/** Writes one head at `at` and returns the offset behind it. */
function putHead(into: Uint8Array, at: number, major: number, value: number): number {
  major <<= 5;
  if (value < 24) into[at++] = major | value;
  else if (value < 0x100) {
    into[at++] = major | 24;
    into[at++] = value;
  } else {
    if (value < 0x10000) into[at++] = major | 25;
    else {
      into[at++] = major | 26;
      into[at++] = value >>> 24;
      into[at++] = value >>> 16;
    }
    into[at++] = value >>> 8;
    into[at++] = value;
  }
  return at;
}

/** Writes an unsigned integer under a key of one character. */
function putEntry(into: Uint8Array, at: number, key: number, value: number, max: number): number {
  if (!(Number.isInteger(value) && value >= 0 && value <= max))
    throw new RangeError(`GetStream ${String.fromCharCode(key)} is out of range: ${value}`);
  into[at++] = 0x61;
  into[at++] = key;
  return putHead(into, at, 0, value);
}

/**
 * Encodes a GetStream request, keys in the order of the FreeRTOS OTA agent: c, (s), f, l, o, b, n.
 * @param into where to; bytes behind the message are undefined
 * @returns the part of `into` that holds the message
 * @throws RangeError when a number is out of range or `into` is too short
 */
export function encodeGetStream(into: Uint8Array, request: GetStream): Uint8Array {
  const { clientToken, streamVersion, bitmap, count, blockSize } = request;
  if (blockSize < 256) throw new RangeError(`GetStream l is out of range: ${blockSize}`);
  if (count < 1) throw new RangeError(`GetStream n is out of range: ${count}`);
  if (bitmap.length < 1 || bitmap.length > 12287)
    throw new RangeError(`GetStream b is out of range: ${bitmap.length} bytes`);
  let entries = 5;
  let at = 1;
  if (clientToken !== undefined) {
    entries++;
    if (clientToken.length > 64) throw new RangeError("GetStream c is out of range");
    into[at++] = 0x61;
    into[at++] = 0x63;
    at = putHead(into, at, 3, clientToken.length);
    for (let n = 0; n < clientToken.length; n++) {
      const code = clientToken.charCodeAt(n);
      if (code > 0x7e) throw new RangeError("GetStream c is out of range");
      into[at++] = code;
    }
  }
  if (streamVersion !== undefined) {
    entries++;
    at = putEntry(into, at, 0x73, streamVersion, 0xffffffff);
  }
  into[0] = 0xa0 | entries;
  at = putEntry(into, at, 0x66, request.fileId, 255);
  at = putEntry(into, at, 0x6c, blockSize, 131072);
  at = putEntry(into, at, 0x6f, request.offset, 98304);
  into[at++] = 0x61;
  into[at++] = 0x62;
  at = putHead(into, at, 2, bitmap.length);
  const end = at + bitmap.length;
  if (end <= into.length) into.set(bitmap, at);
  at = putEntry(into, end, 0x6e, count, 98304);
  if (at > into.length) throw new RangeError("GetStream request does not fit its buffer");
  return into.subarray(0, at);
}
