/**
 * Builds the content of a whole flash chip, as a factory would write it: partition table, `otadata`, images.
 * @module
 */

import { ENTRY_OFFSETS, encodeEntry, type OtaEntry } from "../formats/otadata.js";
import {
  encodePartitionTable,
  type Partition,
  PartitionTableError,
  SUBTYPE_OTA_0,
  SUBTYPE_OTADATA,
  TABLE_OFFSET,
  TYPE_APP,
  TYPE_DATA,
  verifyPartitionTable,
} from "../formats/partition-table.js";
import { FlashPartition } from "./flash-partition.js";
import { MemoryStorage, NorFlash } from "./nor-flash.js";

export interface FlashDumpOptions {
  /** Bytes on the chip. Default: 4 MB. */
  readonly flashSize?: number;
  readonly table: readonly Partition[];
  /** Whether the table ends with its MD5. Default true. */
  readonly withMd5?: boolean;
  /** The two entries of `otadata`; what is left out stays erased. */
  readonly otadata?: readonly (OtaEntry | undefined)[];
  /** Content of partitions, by label. */
  readonly content?: Readonly<Record<string, Uint8Array>>;
  /** Write apps, otadata and partitions with the flag as under flash encryption. */
  readonly encrypted?: boolean;
}

/** @throws PartitionTableError when the table breaks a rule, or content has no partition or does not fit */
export function buildFlashDump(options: FlashDumpOptions): Uint8Array {
  const { flashSize = 0x400000, table, otadata = [], content = {}, encrypted = false } = options;
  verifyPartitionTable(table, flashSize);
  const storage = new MemoryStorage(flashSize);
  const chip = new NorFlash(storage);
  const write = (row: Partition, bytes: Uint8Array, offset: number) => {
    if (offset + bytes.length > row.size)
      throw new PartitionTableError(`partition "${row.label}" is too small for ${bytes.length} bytes`);
    const isSystem = row.type === TYPE_APP || (row.type === TYPE_DATA && row.subtype === SUBTYPE_OTADATA);
    const cipher = encrypted && (isSystem || row.encrypted);
    const partition = new FlashPartition(chip, { offset: row.offset, size: row.size, encrypted: cipher });
    partition.write(cipher ? padded(bytes) : bytes, offset);
  };
  storage.write(TABLE_OFFSET, encodePartitionTable(table, options.withMd5));
  for (const [label, bytes] of Object.entries(content)) {
    const row = table.find((row) => row.label === label);
    if (!row) throw new PartitionTableError(`there is no partition "${label}"`);
    write(row, bytes, 0);
  }
  const row = table.find(({ type, subtype }) => type === TYPE_DATA && subtype === SUBTYPE_OTADATA);
  otadata.forEach((entry, index) => {
    if (entry && row) write(row, encodeEntry(entry), ENTRY_OFFSETS[index]);
  });
  return storage.bytes;
}

/** Up to the next multiple of 16. */
function padded(bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(Math.ceil(bytes.length / 16) * 16).fill(0xff);
  result.set(bytes);
  return result;
}

export interface SlotTableOptions {
  /** How many OTA slots. Default 2. */
  readonly slots?: number;
  /** Bytes of each slot (and of the factory partition); a multiple of 64 KB. */
  readonly slotSize: number;
  /** Adds a factory partition in front of the slots. */
  readonly factory?: boolean;
  /** Adds a data partition "storage" (subtype 0x40, for the application's own use) of so many bytes. */
  readonly storageSize?: number;
  /** Further data partitions behind it (subtypes 0x41 on), each of whole sectors. */
  readonly data?: readonly { readonly label: string; readonly size: number }[];
}

/** A usual table: nvs, otadata at 0xD000, phy_init, apps from 0x10000 on. */
export function slotTable(options: SlotTableOptions): Partition[] {
  const table: Partition[] = [];
  let end = 0x9000;
  const add = (label: string, type: number, subtype: number, size: number) => {
    table.push({ label, type, subtype, offset: end, size, encrypted: false, readOnly: false });
    end += size;
  };
  add("nvs", TYPE_DATA, 0x02, 0x4000);
  add("otadata", TYPE_DATA, SUBTYPE_OTADATA, 0x2000);
  add("phy_init", TYPE_DATA, 0x01, 0x1000);
  if (options.factory) add("factory", TYPE_APP, 0, options.slotSize);
  const slots = options.slots ?? 2;
  for (let i = 0; i < slots; i++) add(`ota_${i}`, TYPE_APP, SUBTYPE_OTA_0 + i, options.slotSize);
  if (options.storageSize) add("storage", TYPE_DATA, 0x40, options.storageSize);
  options.data?.forEach(({ label, size }, n) => {
    add(label, TYPE_DATA, 0x41 + n, size);
  });
  return table;
}
