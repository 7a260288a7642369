/**
 * The CBOR (RFC 8949) messages of AWS IoT file streams: GetStream request, data block, rejection. Strict where
 * it matters (types, lengths, duplicates, missing keys, trailing bytes), open where the service may vary (key
 * order, width of integers, definite or indefinite maps, unknown keys).
 * @module
 */
import { decodeUtf8 } from "../bytes.js";
import { OtaError } from "../errors.js";

/** How deep a message may nest: the map, and in it values of unknown keys, tags and strings in chunks included. */
const MAX_DEPTH = 9;

/**
 * Where `decodeMessage` leaves what it found, in an array of `FIELDS` numbers: a number, or the length of a string, at
 * the last four bits of the letter that is its key; the offset of a string's first byte `START` behind it.
 */
export const START = 16;
/** `f`: file id. */
export const FILE_ID = 6;
/** `i`: index of the block in the file. */
export const INDEX = 9;
/** `l`: what the service says the payload's length is. */
export const LENGTH = 12;
/** `p`: payload. */
export const PAYLOAD = 0;
/** `c`: the request's token; 0 for none. Whoever has read it sets it back. */
export const TOKEN = 3;
/** The character before those that tokens of requests are. */
export const TOKEN_ZERO = 0x30;
/** `o`: why a request was refused, in a word; `m`: in a sentence. */
const CODE = 15;
const SENTENCE = 13;
/** From here on: what is left at the levels around the one being read. */
const LEVELS = 32;
export const FIELDS = LEVELS + MAX_DEPTH;

/** Bytes of the longest key that is known, `clientToken`. */
const LONGEST_KEY = 11;

/** Bytes of a refusal's text that are read. */
const LONGEST_TEXT = 256;

/** Sets of keys: a letter is the bit that its last five bits name. */
const NUMBERS = (1 << 0x66) | (1 << 0x69) | (1 << 0x6c);
const BYTES = 1 << 0x70;
const BLOCK = NUMBERS | BYTES;
const REFUSAL = 1 << 0x6f;
const TEXTS = REFUSAL | (1 << 0x6d) | (1 << 0x63);

/**
 * Reads a data block, `{f, i, l, p}`, or a rejection, `{o, m}` or the older `{code, message}`, each with or without
 * a token, `c` or `clientToken`. Whether the numbers are those asked for is left to the caller: `l` may differ from the
 * length of `p`.
 * @param fields `FIELDS` numbers, to be used again and again; the payload stays where it is in the message
 * @returns nothing for a block; for a rejection its code and message, such as "ResourceNotFound: no such stream"
 * @throws OtaError "cbor-decode"
 */
export function decodeMessage(message: Uint8Array, fields: Float64Array): string {
  const end = message.length;
  let at = 1;
  let seen = 0;
  let key = 0;
  // The usual form of a block, read without calls: keys of one letter, numbers below 65536. An indefinite map looks as
  // if it had 31 entries: 27 are left after its fourth.
  let left = message[0] - 0xa0;
  for (; left > 0 && message[at] === 0x61; left--) {
    key = message[at + 1];
    const first = message[at + 2];
    let value = first & 31;
    at += 3;
    if (value > 23) {
      if (value === 25) value = message[at++] << 8;
      else if (value === 24) value = 0;
      else key = 0;
      value |= message[at++];
    }
    const bit = 1 << key;
    if (key >> 5 !== 3 || !(bit & ~seen & (first < 0x20 ? NUMBERS : first >> 5 === 2 ? BYTES : 0))) {
      seen = 0;
      break;
    }
    seen |= bit;
    fields[key & 15] = value;
    if (bit === BYTES) {
      fields[START + PAYLOAD] = at;
      at += value;
    }
  }
  if (seen === BLOCK && (left ? left === 27 && message[at] === 0xff && at + 1 : at) === end) return "";
  // Any other form: one loop over the heads of all items. Bytes beyond the end read as undefined; no such head gets
  // through.
  at = seen = key = fields[SENTENCE] = fields[TOKEN] = 0;
  let depth = 0;
  // Items left at this depth × 8 + major type of what holds them; negative when a break ends them.
  let level = 8;
  for (;;) {
    if (level >>> 3 === 0) {
      if (depth > 0) {
        level = fields[LEVELS + --depth];
        continue;
      }
      if (at !== end) break;
      if ((seen & BLOCK) === BLOCK) return "";
      if (!(seen & REFUSAL && fields[CODE])) break;
      return `${decodeText(message, fields, CODE)}: ${decodeText(message, fields, SENTENCE)}`;
    }
    const first = message[at++];
    if (first === 0xff) {
      // Not in the place of a value, which leaves an odd number in a map.
      if (level >= 0 || (level & 15) === 13) break;
      level = 0;
      continue;
    }
    const major = first >> 5;
    let value = first & 31;
    if (value > 23) {
      if (value < 28) {
        let more = 1 << (value - 24);
        for (value = 0; more > 0; more--) value = value * 256 + message[at++];
      } else if (value === 31 && major > 1 && major < 6) value = -2;
      else break;
    }
    // What a string or a container holds takes at least a byte an item.
    if (!(at + (major > 1 && major < 6 ? value : 0) <= end)) break;
    // A string in chunks holds definite strings of its own type.
    if ((level & 6) === 2 && (major !== (level & 7) || value < 0)) break;
    level -= 8;
    if (depth === 0 && major !== 5) break;
    if (depth === 1) {
      if (level & 8) {
        if (major !== 3 || value < 0) break;
        key = value === 1 && message[at] < 0x80 ? message[at] : letterOf(message, at, at + value);
      } else if (key >> 5 === 3) {
        const bit = 1 << key;
        const wanted = bit & NUMBERS ? 0 : bit & BYTES ? 2 : bit & TEXTS ? 3 : -1;
        if (wanted >= 0) {
          if (seen & bit || major !== wanted || value < 0 || value > Number.MAX_SAFE_INTEGER) break;
          seen |= bit;
          fields[key & 15] = value;
          fields[START + (key & 15)] = at;
        }
      }
    }
    if (value < 0 || (major & 6) === 4 || major === 6) {
      if (++depth > MAX_DEPTH) break;
      fields[LEVELS + depth - 1] = level;
      level = (major === 6 ? 1 : major === 5 ? value * 2 : value) * 8 + major;
    } else if ((major & 6) === 2) at += value;
  }
  fields[TOKEN] = 0;
  throw new OtaError("cbor-decode", "not a CBOR message of a file stream");
}

/** The letter that stands for a key of several characters; 0 for one that is not known. */
function letterOf(message: Uint8Array, start: number, end: number): number {
  if (end - start > LONGEST_KEY) return 0;
  const name = decodeUtf8(message, start, end, "cbor-decode");
  return name === "code" ? 0x6f : name === "message" ? 0x6d : name === "clientToken" ? 0x63 : 0;
}

/** The string of a field, cut at a character when it is long. */
function decodeText(message: Uint8Array, fields: Float64Array, field: number): string {
  const start = fields[START + field];
  let end = start + fields[field];
  if (end - start > LONGEST_TEXT) for (end = start + LONGEST_TEXT; message[end] >> 6 === 2; ) end--;
  return decodeUtf8(message, start, end, "cbor-decode");
}

/**
 * Encodes a GetStream request, keys in the order of the FreeRTOS OTA agent: c, f, l, o, b, n. The numbers are in the
 * service's ranges already (AWS IoT developer guide, "MQTT-based file delivery").
 * @param fileId 0…255
 * @param blockSize 256…131072 bytes
 * @param first block the bitmap begins with, 0…98304
 * @param bitmap bit k of byte j (least significant first) is block `first` + 8j + k
 * @param count the most blocks to send
 * @param token 1…63, which becomes the one character of `c`; 0: no `c`
 */
export function encodeGetStream(
  fileId: number,
  blockSize: number,
  first: number,
  bitmap: Uint8Array,
  count: number,
  token: number,
): Uint8Array {
  const message = token ? [0xa6, 0x61, 0x63, 0x61, TOKEN_ZERO + token] : [0xa5];
  const values = Array.of(fileId, blockSize, first, bitmap.length, count);
  for (let n = 0; n < 5; n++) {
    const value = values[n];
    let width = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : 4;
    message.push(0x61, "flobn".charCodeAt(n), (n === 3 ? 0x40 : 0) + (width ? 24 + (width >> 1) : value));
    while (width > 0) message.push(value >> (--width * 8));
    if (n === 3) message.push.apply(message, bitmap as unknown as number[]);
  }
  return new Uint8Array(message);
}
