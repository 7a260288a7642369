/**
 * Builds a partition of ESP-IDF's non-volatile storage as `nvs_flash` leaves it: what the factory writes beside the firmware.
 * @module
 */
import { encodeUtf8 } from "../../src/bytes.js";
import {
  dataCrc,
  ENTRIES_OFFSET,
  ENTRY_COUNT,
  ENTRY_SIZE,
  ENTRY_WRITTEN,
  entryCrc,
  KEY_LENGTH,
  LARGEST_PART,
  NO_CHUNK,
  PAGE_ACTIVE,
  PAGE_FULL,
  PAGE_SIZE,
  pageCrc,
  STATES_OFFSET,
  TYPE_BLOB_DATA,
  TYPE_BLOB_INDEX,
  TYPE_I32,
  TYPE_TEXT,
  TYPE_U8,
  VERSION_2,
} from "./nvs-format.js";

/** Chunk indices of a blob run from 0; those from 128 on are for its next version. */
const MOST_CHUNKS = 127;
const MOST_NAMESPACES = 254;

/** As the SDK's preferences read them: text, blob, whole number of 32 bits (i32), boolean (u8). */
export type NvsValue = string | Uint8Array | number | boolean;

export interface NvsEntry {
  readonly namespace: string;
  readonly key: string;
  readonly value: NvsValue;
}

/** What is asked for cannot be in a partition. */
export class NvsError extends Error {
  override name = "NvsError";
}

/** A page as it is filled. */
class Page {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Entries in use. */
  count = 0;

  constructor(bytes: Uint8Array, sequence: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#view.setUint32(0, PAGE_ACTIVE, true);
    this.#view.setUint32(4, sequence, true);
    bytes[8] = VERSION_2;
    this.#view.setUint32(28, pageCrc(bytes), true);
  }

  /** Bytes a chunk can have here. */
  get room(): number {
    return Math.max(0, ENTRY_COUNT - this.count - 1) * ENTRY_SIZE;
  }

  close(): void {
    this.#view.setUint32(0, PAGE_FULL, true);
  }

  /** @param data behind the entry; without: `value` (8 bytes) lies in the entry itself @returns whether there was room */
  add(
    namespace: number,
    type: number,
    key: string,
    chunk: number,
    value: Uint8Array,
    data?: Uint8Array,
  ): boolean {
    const span = 1 + Math.ceil((data?.length ?? 0) / ENTRY_SIZE);
    if (this.count + span > ENTRY_COUNT) return false;
    const at = ENTRIES_OFFSET + this.count * ENTRY_SIZE;
    const entry = this.#bytes.subarray(at, at + ENTRY_SIZE);
    entry.set([namespace, type, span, chunk]);
    entry.fill(0, 8, 8 + KEY_LENGTH);
    for (let i = 0; i < key.length; i++) entry[8 + i] = key.charCodeAt(i);
    entry.set(value, 24);
    if (data) {
      this.#view.setUint16(at + 24, data.length, true);
      this.#view.setUint32(at + 28, dataCrc(data), true);
      this.#bytes.set(data, at + ENTRY_SIZE);
    }
    this.#view.setUint32(at + 4, entryCrc(entry), true);
    for (let i = this.count; i < this.count + span; i++)
      this.#bytes[STATES_OFFSET + (i >> 2)] &= ~((3 ^ ENTRY_WRITTEN) << (2 * (i & 3)));
    this.count += span;
    return true;
  }
}

/** Fills one page after the other, as `nvs_flash` does for a partition that is empty. */
class Writer {
  readonly bytes: Uint8Array;
  readonly #namespaces: string[] = [];
  #page: Page;
  #pages = 1;

  constructor(size: number) {
    this.bytes = new Uint8Array(size).fill(0xff);
    this.#page = new Page(this.bytes.subarray(0, PAGE_SIZE), 0);
  }

  write({ namespace, key, value }: NvsEntry): void {
    const index = this.#indexOf(namespace);
    if (typeof value === "string") {
      const text = new Uint8Array([...encodeUtf8(value), 0]);
      this.#add(index, TYPE_TEXT, key, new Uint8Array(0), text);
    } else if (typeof value === "boolean") this.#add(index, TYPE_U8, key, Uint8Array.of(Number(value)));
    else if (typeof value === "number") this.#add(index, TYPE_I32, key, uint32(value));
    else this.#addBlob(index, key, value);
  }

  #indexOf(namespace: string): number {
    const known = this.#namespaces.indexOf(namespace) + 1;
    if (known) return known;
    const index = this.#namespaces.push(namespace);
    this.#add(0, TYPE_U8, namespace, Uint8Array.of(index));
    return index;
  }

  #add(namespace: number, type: number, key: string, value: Uint8Array, data?: Uint8Array): void {
    if (this.#page.add(namespace, type, key, NO_CHUNK, value, data)) return;
    this.#nextPage();
    this.#page.add(namespace, type, key, NO_CHUNK, value, data);
  }

  #addBlob(namespace: number, key: string, value: Uint8Array): void {
    let chunks = 0;
    const { room } = this.#page;
    // `nvs_flash` begins a blob on a new page rather than with a tenth of a page.
    if ((room < value.length || (!room && !value.length)) && room < LARGEST_PART / 10) this.#nextPage();
    for (let at = 0; at < value.length || !chunks; ) {
      const before = this.#page.room;
      const part = value.subarray(at, at + before);
      this.#page.add(namespace, TYPE_BLOB_DATA, key, chunks++, new Uint8Array(0), part);
      at += part.length;
      if (at < value.length || before - part.length < ENTRY_SIZE) this.#nextPage();
    }
    const index = new Uint8Array([...uint32(value.length), chunks, 0]);
    this.#page.add(namespace, TYPE_BLOB_INDEX, key, NO_CHUNK, index);
  }

  #nextPage(): void {
    this.#page.close();
    const at = this.#pages * PAGE_SIZE;
    // Without a free page nvs_flash cannot replace a value, and refuses the partition.
    if (at + PAGE_SIZE >= this.bytes.length)
      throw new NvsError(`the values do not fit into ${this.bytes.length} bytes, of which a page stays free`);
    this.#page = new Page(this.bytes.subarray(at, at + PAGE_SIZE), this.#pages++);
  }
}

/**
 * Builds a partition that holds values.
 * @param size of the partition, bytes: a multiple of 4096, at least 8192 (ESP-IDF's generator wants 12288)
 * @throws NvsError naming what cannot be stored
 */
export function buildNvs(entries: readonly NvsEntry[], size: number): Uint8Array {
  if (!(Number.isInteger(size / PAGE_SIZE) && size >= 2 * PAGE_SIZE && size <= 0x1000000))
    throw new NvsError(`size must be a multiple of ${PAGE_SIZE}, from ${2 * PAGE_SIZE} to 16777216 bytes`);
  const seen = new Set<string>();
  const namespaces = new Set<string>();
  for (const { namespace, key, value } of entries) {
    const name = `${namespace}:${key}`;
    checkName(namespace, `namespace of "${name}"`);
    checkName(key, `key of "${name}"`);
    if (seen.has(name)) throw new NvsError(`"${name}" is there twice`);
    seen.add(name);
    if (namespaces.add(namespace).size > MOST_NAMESPACES)
      throw new NvsError(`there are more than ${MOST_NAMESPACES} namespaces`);
    checkValue(name, value);
  }
  const writer = new Writer(size);
  for (const entry of entries) writer.write(entry);
  return writer.bytes;
}

function checkName(text: string, what: string): void {
  if (!/^[\x20-\x7e]{1,15}$/.test(text)) throw new NvsError(`${what} must have 1 to 15 characters of ASCII`);
}

function checkValue(name: string, value: NvsValue): void {
  if (typeof value === "number" && (value | 0) !== value)
    throw new NvsError(`"${name}" is no whole number of 32 bits`);
  if (typeof value === "string") {
    if (value.includes("\0")) throw new NvsError(`"${name}" has a character of code 0, which ends a text`);
    if (encodeUtf8(value).length >= LARGEST_PART)
      throw new NvsError(`"${name}" has more than ${LARGEST_PART - 1} bytes`);
  }
  if (value instanceof Uint8Array && value.length > MOST_CHUNKS * LARGEST_PART)
    throw new NvsError(`"${name}" has more than ${MOST_CHUNKS * LARGEST_PART} bytes`);
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value, value >> 8, value >> 16, value >> 24);
}
