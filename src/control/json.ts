/**
 * Reads single values out of JSON text (RFC 8259) where it lies: nothing else of it takes memory. `JSON.parse` makes
 * a property of every member, and XS keeps the name of a property for as long as it runs: a message of strangers
 * would take memory that never comes back.
 *
 * Time is linear in the length of the text. All of it has to be JSON; only what is read has to be UTF-8.
 * @module
 */
import { decodeUtf8 } from "../bytes.js";
import { OtaError } from "../errors.js";

/** How deep a value inside an object or array may nest; a bit each. */
const MAX_DEPTH = 31;
/** Longest key that is compared, in bytes as written: the longest name asked for, all in escapes. */
const MAX_KEY = 128;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const LIST = 0x5b;
const BACKSLASH = 0x5c;
const OBJECT = 0x7b;
/** From a bracket that opens to the one that closes. */
const CLOSE = 2;
/** What may follow a backslash. */
const ESCAPES = '"\\/bfnrtu';

function bad(why = "not JSON"): never {
  throw new OtaError("job-parser", why);
}

/** @returns where something else than white space is */
function skipBlanks(json: Uint8Array, at: number): number {
  for (;;) {
    const byte = json[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at++;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function skipDigits(json: Uint8Array, at: number): number {
  if (!isDigit(json[at])) bad();
  while (isDigit(json[at])) at++;
  return at;
}

/** @returns the end of the string at `at` */
function endOfString(json: Uint8Array, at: number): number {
  if (json[at] !== QUOTE) bad();
  for (;;) {
    const byte = json[++at];
    if (byte === QUOTE) return at + 1;
    // Beyond the end there is nothing, which is not greater either.
    if (!(byte >= 0x20)) bad();
    if (byte !== BACKSLASH) continue;
    const escaped = json[++at];
    if (!(escaped < 0x80) || !ESCAPES.includes(String.fromCharCode(escaped))) bad();
    if (escaped !== 0x75) continue;
    for (let n = 0; n < 4; n++) {
      const digit = json[++at] | 0x20;
      if (!isDigit(digit) && !(digit >= 0x61 && digit <= 0x66)) bad();
    }
  }
}

/** @returns the end of the number or word at `at` */
function endOfScalar(json: Uint8Array, at: number): number {
  const first = json[at];
  const word = first === 0x74 ? "true" : first === 0x66 ? "false" : first === 0x6e ? "null" : "";
  if (word) return equals(json, at, word) ? at + word.length : bad();
  if (first === MINUS) at++;
  at = json[at] === 0x30 ? at + 1 : skipDigits(json, at);
  if (json[at] === 0x2e) at = skipDigits(json, at + 1);
  if ((json[at] | 0x20) === 0x65) {
    const sign = json[++at];
    at = skipDigits(json, sign === MINUS || sign === 0x2b ? at + 1 : at);
  }
  return at;
}

/** Whether the bytes at `at` are those of an ASCII text. */
function equals(json: Uint8Array, at: number, text: string): boolean {
  for (let n = 0; n < text.length; n++) if (json[at + n] !== text.charCodeAt(n)) return false;
  return true;
}

/** From the key at `at` to the value behind it. */
function valueAt(json: Uint8Array, at: number): number {
  at = skipBlanks(json, endOfString(json, at));
  if (json[at] !== COLON) bad();
  return skipBlanks(json, at + 1);
}

/** @returns the end of the value at `at`, without recursion whatever it nests */
function endOfValue(json: Uint8Array, at: number): number {
  let depth = 0;
  /** A bit for each level, the innermost last: 1 for an object. */
  let objects = 0;
  for (;;) {
    const first = json[at];
    if (first === OBJECT || first === LIST) {
      at = skipBlanks(json, at + 1);
      if (json[at] !== first + CLOSE) {
        if (++depth > MAX_DEPTH) bad("JSON nested too deep");
        objects = (objects << 1) | (first === OBJECT ? 1 : 0);
        if (first === OBJECT) at = valueAt(json, at);
        continue;
      }
      at++;
    } else at = first === QUOTE ? endOfString(json, at) : endOfScalar(json, at);
    for (;;) {
      if (depth === 0) return at;
      at = skipBlanks(json, at);
      const next = json[at];
      if (next === COMMA) break;
      if (next !== (objects & 1 ? OBJECT : LIST) + CLOSE) bad();
      at++;
      depth--;
      objects >>>= 1;
    }
    at = skipBlanks(json, at + 1);
    if (objects & 1) at = valueAt(json, at);
  }
}

/**
 * Goes through the members of an object or the elements of an array.
 * @example
 * const cursor = new JsonCursor(json, 0);
 * while (cursor.next()) if (cursor.is("name")) name = readScalar(json, cursor.value, 64);
 */
export class JsonCursor {
  readonly #json: Uint8Array;
  readonly #bracket: number;
  /** Where the member's key begins and ends, its quotes included. */
  #key = 0;
  #keyEnd = 0;
  /** The key is written in escapes, or in part. */
  #escaped = false;
  /** Where the value begins. */
  value = 0;
  /** Once there is no further one: where the object or array ends. */
  end: number;

  /** @param at where the object or array begins; anything else has no members */
  constructor(json: Uint8Array, at: number) {
    this.#json = json;
    this.#bracket = json[at] === OBJECT || json[at] === LIST ? json[at] : 0;
    this.end = at;
  }

  /**
   * @returns false when there is no further one
   * @throws OtaError "job-parser" for what is no JSON
   */
  next(): boolean {
    const json = this.#json;
    const bracket = this.#bracket;
    if (!bracket) return false;
    const first = this.value === 0;
    let at = skipBlanks(json, first ? this.end + 1 : endOfValue(json, this.value));
    if (json[at] === bracket + CLOSE) {
      this.end = at + 1;
      return false;
    }
    if (!first) {
      if (json[at] !== COMMA) bad();
      at = skipBlanks(json, at + 1);
    }
    if (bracket === OBJECT) {
      this.#key = at;
      const end = endOfString(json, at);
      this.#keyEnd = end;
      this.#escaped = false;
      if (end - at <= MAX_KEY) for (let n = at; n < end; n++) if (json[n] === BACKSLASH) this.#escaped = true;
      at = valueAt(json, at);
    }
    this.value = at;
    return true;
  }

  /** The member's name; empty for one of more than `MAX_KEY` bytes. */
  get name(): string {
    const short = this.#keyEnd - this.#key <= MAX_KEY;
    return short ? (readScalar(this.#json, this.#key, MAX_KEY) as string) : "";
  }

  /** Whether this is the member `name`, an ASCII text. */
  is(name: string): boolean {
    if (this.#escaped) return this.name === name;
    return this.#keyEnd - this.#key === name.length + 2 && equals(this.#json, this.#key + 1, name);
  }
}

/**
 * Finds members of an object by name; of several with the same name the last one counts, as for `JSON.parse`.
 * @param found as `names`: where each value begins, −1 for what is not there. Good as far as the text was read when it throws
 * @returns where the object ends; `at` when it is none
 * @throws OtaError "job-parser" for what is no JSON
 */
export function findMembers(json: Uint8Array, at: number, names: readonly string[], found: number[]): number {
  for (let n = 0; n < names.length; n++) found[n] = -1;
  if (json[at] !== OBJECT) return at;
  const cursor = new JsonCursor(json, at);
  while (cursor.next())
    for (let n = 0; n < names.length; n++) if (cursor.is(names[n])) found[n] = cursor.value;
  return cursor.end;
}

/**
 * The text, number, boolean or null at `at`.
 * @param most longest in bytes, as it is written
 * @returns undefined for −1; true for an object, an array, and for what is too long: no text, no number
 * @throws OtaError "job-parser" or "bad-utf8"
 */
export function readScalar(json: Uint8Array, at: number, most: number): unknown {
  if (at < 0) return undefined;
  const first = json[at];
  if (first === OBJECT || first === LIST) return true;
  const end = first === QUOTE ? endOfString(json, at) : endOfScalar(json, at);
  // A text has two quotes in addition.
  return end - at > most + 2 || JSON.parse(decodeUtf8(json, at, end));
}

/** The bytes of the value at `at`. @throws OtaError "job-parser" for what is no JSON */
export function bytesOf(json: Uint8Array, at: number): Uint8Array {
  return json.subarray(at, endOfValue(json, at));
}

/** Where the value begins that the whole text is. */
export function startOf(json: Uint8Array): number {
  return skipBlanks(json, 0);
}

/** @throws OtaError "job-parser" when there is anything but white space from `at` on */
export function expectEnd(json: Uint8Array, at: number): void {
  if (skipBlanks(json, at) !== json.length) bad();
}
