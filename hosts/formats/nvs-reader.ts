/**
 * Reads a text or blob of a partition of ESP-IDF's non-volatile storage that factory and devices have written to, a few bytes at a
 * time. As `nvs_flash` does it takes no page and no entry whose checksum is wrong, and of two values of a key, as a power cut leaves
 * them, the newer one; unlike it, it repairs nothing.
 * @module
 */
import type { Flash } from "../../src/ports.js";
import {
  dataCrc,
  ENTRIES_OFFSET,
  ENTRY_COUNT,
  ENTRY_SIZE,
  ENTRY_WRITTEN,
  entryCrc,
  LARGEST_PART,
  PAGE_ACTIVE,
  PAGE_FREEING,
  PAGE_FULL,
  PAGE_SIZE,
  pageCrc,
  STATES_OFFSET,
  TYPE_BLOB_DATA,
  TYPE_BLOB_INDEX,
  TYPE_OLD_BLOB,
  TYPE_TEXT,
  TYPE_U8,
  VERSION_2,
} from "./nvs-format.js";

/** Values are not larger, unless the caller knows better, bytes. */
const LIMIT = 16_384;

/** An entry that was found. */
export interface Found {
  readonly type: number;
  readonly chunk: number;
  /** Bytes 24 to 32: the value, or what describes it. */
  readonly view: DataView;
  /** Where its data begins, bytes into the partition. */
  readonly data: number;
}

/** Where pages with content begin, oldest first, and their states of entries. */
export function nvsPages(flash: Flash): { readonly at: number; readonly head: Uint8Array }[] {
  const pages: { at: number; head: Uint8Array; sequence: number }[] = [];
  const { size } = flash.status();
  for (let at = 0; at + PAGE_SIZE <= size; at += PAGE_SIZE) {
    const head = new Uint8Array(ENTRIES_OFFSET);
    flash.read(head, at);
    const view = new DataView(head.buffer);
    const state = view.getUint32(0, true);
    if (state !== PAGE_ACTIVE && state !== PAGE_FULL && state !== PAGE_FREEING) continue;
    // Versions count down from 255.
    if (head[8] < VERSION_2 || view.getUint32(28, true) !== pageCrc(head)) continue;
    pages.push({ at, head, sequence: view.getUint32(4, true) });
  }
  return pages.sort((a, b) => a.sequence - b.sequence);
}

function hasKey(entry: Uint8Array, key: string): boolean {
  for (let i = 0; i < key.length; i++) if (entry[8 + i] !== key.charCodeAt(i)) return false;
  return entry[8 + key.length] === 0;
}

/** Tells all entries that are written and whole, oldest page first, with their 32 bytes. */
export function eachNvsEntry(flash: Flash, visit: (entry: Uint8Array, found: Found) => void): void {
  for (const { at, head } of nvsPages(flash))
    for (let i = 0; i < ENTRY_COUNT; ) {
      const isWritten = ((head[STATES_OFFSET + (i >> 2)] >> (2 * (i & 3))) & 3) === ENTRY_WRITTEN;
      const place = at + ENTRIES_OFFSET + i++ * ENTRY_SIZE;
      if (!isWritten) continue;
      const entry = new Uint8Array(ENTRY_SIZE);
      flash.read(entry, place);
      const view = new DataView(entry.buffer, 24);
      if (new DataView(entry.buffer).getUint32(4, true) !== entryCrc(entry)) continue;
      const [, type, span, chunk] = entry;
      if (!span || i + span - 1 > ENTRY_COUNT) continue;
      i += span - 1;
      visit(entry, { type, chunk, view, data: place + ENTRY_SIZE });
    }
}

/** All entries of a namespace's index with a key, oldest first. */
function find(flash: Flash, namespace: number, key: string): Found[] {
  const found: Found[] = [];
  eachNvsEntry(flash, (entry, item) => {
    if (entry[0] === namespace && hasKey(entry, key)) found.push(item);
  });
  return found;
}

/** The data of an entry with data of its own; undefined when it is damaged. */
function dataOf(flash: Flash, { view, data }: Found): Uint8Array | undefined {
  const length = view.getUint16(0, true);
  // It lies on one page, whatever a damaged length says.
  if (length > LARGEST_PART || (data % PAGE_SIZE) + length > PAGE_SIZE) return undefined;
  const bytes = new Uint8Array(length);
  flash.read(bytes, data);
  return view.getUint32(4, true) === dataCrc(bytes) ? bytes : undefined;
}

function blobOf(flash: Flash, entries: readonly Found[], { view }: Found, limit: number) {
  const size = view.getUint32(0, true);
  if (size > limit) return undefined;
  const blob = new Uint8Array(size);
  const first = view.getUint8(5);
  let length = 0;
  for (let k = first; k < first + view.getUint8(4); k++) {
    const chunk = entries.filter(({ type, chunk }) => type === TYPE_BLOB_DATA && chunk === k).at(-1);
    const part = chunk && dataOf(flash, chunk);
    if (!part || length + part.length > size) return undefined;
    blob.set(part, length);
    length += part.length;
  }
  return length === size ? blob : undefined;
}

/**
 * The bytes of a text (without the zero at its end) or blob.
 * @param limit a larger blob is taken for none
 * @returns undefined when there is none, or it is damaged
 */
export function readNvs(flash: Flash, namespace: string, key: string, limit = LIMIT): Uint8Array | undefined {
  const isIndex = ({ type }: Found) => type === TYPE_U8;
  const index = find(flash, 0, namespace).filter(isIndex).at(-1)?.view.getUint8(0);
  if (!index) return undefined;
  return nvsValue(flash, find(flash, index, key), limit);
}

/** What counts of all entries of a key, oldest first: the newest one that is not a part of a blob. */
export function newestOf(entries: readonly Found[]): Found | undefined {
  return entries.filter(({ type }) => type !== TYPE_BLOB_DATA).at(-1);
}

/** As `readNvs`, of all entries of a key, oldest first. */
export function nvsValue(flash: Flash, entries: readonly Found[], limit = LIMIT): Uint8Array | undefined {
  const value = newestOf(entries);
  if (value?.type === TYPE_TEXT) return dataOf(flash, value)?.slice(0, -1);
  if (value?.type === TYPE_OLD_BLOB) return dataOf(flash, value);
  return value?.type === TYPE_BLOB_INDEX ? blobOf(flash, entries, value, limit) : undefined;
}
