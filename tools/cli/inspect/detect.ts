/**
 * Tells by its bytes what a file is.
 * @module
 */
import { IMAGE_MAGIC } from "../../../hosts/formats/esp-image-layout.js";
import { ENTRY_SIZE, OTADATA_SIZE } from "../../../hosts/formats/otadata.js";
import { TABLE_SIZE } from "../../../hosts/formats/partition-table.js";
import { isNvs } from "./nvs.js";

export const KINDS = Object.freeze([
  "image",
  "payload",
  "component",
  "set",
  "table",
  "csv",
  "otadata",
  "nvs",
  "flash",
] as const);
export type Kind = (typeof KINDS)[number];

const SECTOR = 0x1000;
const ROW_MAGIC = 0x50aa;
/** "XSOTAP", whatever the version of the format. */
const PAYLOAD_MAGIC = [0x58, 0x53, 0x4f, 0x54, 0x41, 0x50];
/** "XSOTAC" and "XSOTAS", likewise. */
const COMPONENT_MAGIC = [0x58, 0x53, 0x4f, 0x54, 0x41, 0x43];
const SET_MAGIC = [0x58, 0x53, 0x4f, 0x54, 0x41, 0x53];
/** Larger files are no otadata partition. */
const OTADATA_LIMIT = 0x10000;

/** @returns undefined when the file is nothing known */
export function detectKind(bytes: Uint8Array, tableOffset: number): Kind | undefined {
  // A dump may start with a boot loader, which looks like an application: its table tells.
  if (bytes.length >= tableOffset + TABLE_SIZE && uint16(bytes, tableOffset) === ROW_MAGIC) return "flash";
  if (bytes[0] === IMAGE_MAGIC) return "image";
  if (begins(bytes, PAYLOAD_MAGIC)) return "payload";
  if (begins(bytes, COMPONENT_MAGIC)) return "component";
  if (begins(bytes, SET_MAGIC)) return "set";
  if (bytes.length >= 2 * ENTRY_SIZE && uint16(bytes, 0) === ROW_MAGIC) return "table";
  if (isCsv(bytes)) return "csv";
  if (isNvs(bytes)) return "nvs";
  return isOtadata(bytes) ? "otadata" : undefined;
}

function begins(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, n) => bytes[n] === byte);
}

/** Two sectors, each an entry and otherwise erased: whoever writes the one erases the other. */
function isOtadata(bytes: Uint8Array): boolean {
  if (bytes.length < OTADATA_SIZE || bytes.length > OTADATA_LIMIT || bytes.length % SECTOR) return false;
  return bytes.every((byte, at) => byte === 0xff || (at < OTADATA_SIZE && at % SECTOR < ENTRY_SIZE));
}

function isCsv(bytes: Uint8Array): boolean {
  if (bytes.length > OTADATA_LIMIT) return false;
  const text = new TextDecoder().decode(bytes);
  return /^[^\0\ufffd]*$/.test(text) && /^[^#\n]*,[^\n]*,/m.test(text);
}

function uint16(bytes: Uint8Array, offset: number): number {
  return bytes[offset] | (bytes[offset + 1] << 8);
}
