/**
 * ESP-IDF partition tables: binary form (with or without the MD5 row), the rules they must obey, and lookups
 * (`esp_flash_partitions.h`, `flash_partitions.c`). The CSV form is in `partition-csv.ts`.
 * @module
 */
import { md5 } from "./md5.js";

/** Usual place of the table (`CONFIG_PARTITION_TABLE_OFFSET`). */
export const TABLE_OFFSET = 0x8000;
/** Bytes read as the table; the rest of its sector is free. */
export const TABLE_SIZE = 0xc00;
const ROW_SIZE = 32;
const ROW_MAGIC = 0x50aa;
const MD5_MAGIC = 0xebeb;
const LABEL_LENGTH = 16;

export const TYPE_APP = 0;
export const TYPE_DATA = 1;
export const TYPE_BOOTLOADER = 2;
export const TYPE_PARTITION_TABLE = 3;
export const SUBTYPE_FACTORY = 0x00;
/** ota_0; ota_15 is 0x1F. */
export const SUBTYPE_OTA_0 = 0x10;
export const SUBTYPE_TEST = 0x20;
/** Subtype of a data partition. */
export const SUBTYPE_OTADATA = 0x00;
/** OTA slots a table can have. */
export const MAX_SLOTS = 16;

export interface Partition {
  /** At most 16 bytes of ASCII. */
  readonly label: string;
  readonly type: number;
  readonly subtype: number;
  /** Bytes from the start of the flash. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  readonly encrypted: boolean;
  readonly readOnly: boolean;
}

/** The table cannot be read, or breaks a rule. */
export class PartitionTableError extends Error {
  override name = "PartitionTableError";
}

/**
 * Reads the binary form.
 * @throws PartitionTableError when a row has a wrong mark, the MD5 does not fit, or the end is missing
 */
export function parsePartitionTable(bytes: Uint8Array): Partition[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const rows: Partition[] = [];
  for (let at = 0; at + ROW_SIZE <= Math.min(bytes.length, TABLE_SIZE); at += ROW_SIZE) {
    const magic = view.getUint16(at, true);
    if (magic === 0xffff) return rows;
    if (magic === MD5_MAGIC) checkMd5(bytes, at);
    else if (magic === ROW_MAGIC) rows.push(parseRow(view, at));
    else
      throw new PartitionTableError(`row ${at / ROW_SIZE} starts with 0x${magic.toString(16)}, not 0x50aa`);
  }
  throw new PartitionTableError("the table has no end");
}

function checkMd5(bytes: Uint8Array, at: number): void {
  const digest = md5(bytes.subarray(0, at));
  for (let i = 0; i < digest.length; i++)
    if (bytes[at + 16 + i] !== digest[i]) throw new PartitionTableError("the table does not fit its MD5");
}

function parseRow(view: DataView, at: number): Partition {
  let label = "";
  for (let i = 0; i < LABEL_LENGTH; i++) {
    const code = view.getUint8(at + 12 + i);
    if (code === 0) break;
    label += String.fromCharCode(code);
  }
  const flags = view.getUint32(at + 28, true);
  return {
    label,
    type: view.getUint8(at + 2),
    subtype: view.getUint8(at + 3),
    offset: view.getUint32(at + 4, true),
    size: view.getUint32(at + 8, true),
    encrypted: (flags & 1) !== 0,
    readOnly: (flags & 2) !== 0,
  };
}

/**
 * Writes the binary form, 3072 bytes.
 * @param withMd5 whether to add the MD5 row (ESP-IDF's default; Moddable leaves it out on most chips)
 * @throws PartitionTableError for more rows than fit, or a label that is no ASCII of at most 16 characters
 */
export function encodePartitionTable(rows: readonly Partition[], withMd5 = true): Uint8Array {
  if ((rows.length + 2) * ROW_SIZE > TABLE_SIZE)
    throw new PartitionTableError(`${rows.length} rows do not fit`);
  const bytes = new Uint8Array(TABLE_SIZE).fill(0xff);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const row of rows) {
    view.setUint16(at, ROW_MAGIC, true);
    view.setUint8(at + 2, row.type);
    view.setUint8(at + 3, row.subtype);
    view.setUint32(at + 4, row.offset, true);
    view.setUint32(at + 8, row.size, true);
    bytes.set(encodeLabel(row.label), at + 12);
    view.setUint32(at + 28, (row.encrypted ? 1 : 0) | (row.readOnly ? 2 : 0), true);
    at += ROW_SIZE;
  }
  if (withMd5) {
    view.setUint16(at, MD5_MAGIC, true);
    bytes.set(md5(bytes.subarray(0, at)), at + 16);
  }
  return bytes;
}

function encodeLabel(label: string): Uint8Array {
  const bytes = new Uint8Array(LABEL_LENGTH);
  if (label.length > LABEL_LENGTH)
    throw new PartitionTableError(`label "${label}" is longer than 16 characters`);
  for (let i = 0; i < label.length; i++) {
    const code = label.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) throw new PartitionTableError(`label "${label}" is not ASCII`);
    bytes[i] = code;
  }
  return bytes;
}

/**
 * Checks what ESP-IDF's tools check when they build a table.
 * @param flashSize bytes on the chip
 * @param tableOffset where the table is
 * @throws PartitionTableError with the first rule broken
 */
export function verifyPartitionTable(
  rows: readonly Partition[],
  flashSize: number,
  tableOffset = TABLE_OFFSET,
): void {
  const labels = new Set<string>();
  for (const row of rows) {
    const unit = row.type === TYPE_APP ? 0x10000 : 0x1000;
    require(row.offset % unit === 0, row, `offset is not a multiple of 0x${unit.toString(16)}`);
    require(row.size > 0 && row.size % 0x1000 === 0, row, "size is not a positive multiple of 0x1000");
    require(row.offset + row.size <= flashSize, row, `does not fit a flash of ${flashSize} bytes`);
    require(!labels.has(row.label), row, "label is used twice");
    labels.add(row.label);
  }
  const inOrder = rows
    .filter((row) => row.type !== TYPE_BOOTLOADER && row.type !== TYPE_PARTITION_TABLE)
    .sort((a, b) => a.offset - b.offset);
  let end = tableOffset + 0x1000;
  for (const row of inOrder) {
    require(row.offset >= end, row, `begins before 0x${end.toString(16)}, where the space before it ends`);
    end = row.offset + row.size;
  }
  const otadata = rows.filter((row) => row.type === TYPE_DATA && row.subtype === SUBTYPE_OTADATA);
  for (const row of otadata) require(row.size === 0x2000, row, "an otadata partition has 0x2000 bytes");
  if (otadata.length > 1) throw new PartitionTableError("there is more than one otadata partition");
}

function require(condition: boolean, row: Partition, rule: string): void {
  if (!condition) throw new PartitionTableError(`partition "${row.label}": ${rule}`);
}

/** The first partition of a type and subtype. */
export function findPartition(
  rows: readonly Partition[],
  type: number,
  subtype: number,
): Partition | undefined {
  return rows.find((row) => row.type === type && row.subtype === subtype);
}

/** The OTA slots ota_0, ota_1 … as far as they follow each other without a gap. */
export function otaSlots(rows: readonly Partition[]): Partition[] {
  const slots: Partition[] = [];
  for (let i = 0; i < MAX_SLOTS; i++) {
    const slot = findPartition(rows, TYPE_APP, SUBTYPE_OTA_0 + i);
    if (!slot) break;
    slots.push(slot);
  }
  return slots;
}

/** The name ESP-IDF gives a subtype of an app partition: "factory", "ota_1", "test". */
export function appName(partition: Partition): string {
  if (partition.subtype === SUBTYPE_FACTORY) return "factory";
  if (partition.subtype === SUBTYPE_TEST) return "test";
  return `ota_${partition.subtype - SUBTYPE_OTA_0}`;
}
