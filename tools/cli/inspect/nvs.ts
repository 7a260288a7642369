/**
 * What a partition of ESP-IDF's non-volatile storage (NVS) holds: names, kinds and sizes, never the values, which are keys and passwords.
 * @module
 */
import { FlashPartition } from "../../../hosts/emulated/flash-partition.js";
import { MemoryStorage, NorFlash } from "../../../hosts/emulated/nor-flash.js";
import {
  KEY_LENGTH,
  PAGE_SIZE,
  TYPE_BLOB_INDEX,
  TYPE_OLD_BLOB,
  TYPE_TEXT,
  TYPE_U8,
} from "../../../hosts/formats/nvs-format.js";
import { eachNvsEntry, type Found, newestOf, nvsPages, nvsValue } from "../../../hosts/formats/nvs-reader.js";
import type { Flash } from "../../../src/ports.js";
import { paint, table } from "../text.js";

interface NvsEntryInspection {
  readonly namespace: string;
  readonly key: string;
  /** "text", "blob", or a number such as "i32". */
  readonly type: string;
  /** Of its value; a text without the zero at its end. */
  readonly bytes: number;
  /** Its checksum is wrong, or parts are missing. */
  readonly damaged: boolean;
}

export interface NvsInspection {
  readonly kind: "nvs";
  readonly size: number;
  /** Pages in use, of so many. */
  readonly pages: { readonly used: number; readonly all: number };
  readonly entries: readonly NvsEntryInspection[];
}

/** `nvs_type_t`: the high digit says signed, the low one how many bytes. */
const NUMBERS = /^0x[01][1248]$/;

function flashOf(bytes: Uint8Array): Flash {
  return new FlashPartition(new NorFlash(new MemoryStorage(bytes.slice())), {
    offset: 0,
    size: bytes.length,
  });
}

/** Whether it has a page of NVS whose checksum is right. Encrypted partitions have some, and no entries that can be read. */
export function isNvs(bytes: Uint8Array): boolean {
  return bytes.length >= PAGE_SIZE && bytes.length % PAGE_SIZE === 0 && nvsPages(flashOf(bytes)).length > 0;
}

export function inspectNvs(bytes: Uint8Array): NvsInspection {
  const flash = flashOf(bytes);
  const namespaces = new Map<number, string>();
  const keys = new Map<string, { index: number; key: string; found: Found[] }>();
  eachNvsEntry(flash, (entry, found) => {
    const { type, view } = found;
    const key = Buffer.from(entry.subarray(8, 8 + KEY_LENGTH))
      .toString("latin1")
      .split("\0", 1)[0];
    const index = entry[0];
    if (index === 0 && type === TYPE_U8) namespaces.set(view.getUint8(0), key);
    else if (index > 0) {
      const name = `${index}:${key}`;
      const known = keys.get(name);
      if (known) known.found.push(found);
      else keys.set(name, { index, key, found: [found] });
    }
  });
  const entries = [...keys.values()]
    .filter(({ found }) => newestOf(found))
    .map(({ index, key, found }): NvsEntryInspection => {
      const { type, view } = newestOf(found) as Found;
      const name = namespaces.get(index);
      const namespace = name ?? `namespace ${index}`;
      const digits = `0x${type.toString(16).padStart(2, "0")}`;
      if (NUMBERS.test(digits))
        return {
          ...{ namespace, key, damaged: false, bytes: type & 15 },
          type: `${type & 16 ? "i" : "u"}${8 * (type & 15)}`,
        };
      // Nobody reads what is in a namespace without a name.
      const value = name === undefined ? undefined : nvsValue(flash, found, bytes.length);
      const isBlob = type === TYPE_BLOB_INDEX || type === TYPE_OLD_BLOB;
      const stated = type === TYPE_BLOB_INDEX ? view.getUint32(0, true) : view.getUint16(0, true);
      const kind = type === TYPE_TEXT ? "text" : isBlob ? "blob" : digits;
      return { namespace, key, type: kind, bytes: value?.length ?? stated, damaged: value === undefined };
    });
  const pages = { used: nvsPages(flash).length, all: bytes.length / PAGE_SIZE };
  return { kind: "nvs", size: bytes.length, pages, entries };
}

export function reportNvs({ size, pages, entries }: NvsInspection): string[] {
  return [
    `NVS partition of ${size.toLocaleString("en-US")} bytes, ${pages.used} of ${pages.all} pages in use`,
    "",
    ...(entries.length
      ? table(
          ["Namespace", "Key", "Type", "Bytes", ""],
          entries.map(({ namespace, key, type, bytes, damaged }) => [
            ...[namespace, key, type, bytes.toLocaleString("en-US")],
            damaged ? paint("red", "damaged") : "",
          ]),
        )
      : ["Nothing that can be read: it is empty, or encrypted."]),
  ];
}
