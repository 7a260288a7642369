/**
 * What partitions of ESP-IDF's non-volatile storage (NVS) are made of: pages of 4096 bytes, each a header of 32 bytes, two bits of
 * state for each of its 126 entries of 32 bytes. Version 2 of the format, not encrypted. Sources: ESP-IDF
 * v6.1-dev-6734-g102122904ad, components/nvs_flash: private_include/nvs_constants.h (places, states), src/nvs_types.hpp
 * (entries), src/nvs_page.cpp (pages, checksums), src/nvs_storage.cpp (blobs in chunks, when a page is full),
 * src/nvs_pagemanager.cpp (order of pages, one of which stays free).
 * @module
 */

export const PAGE_SIZE = 4096;
export const ENTRY_SIZE = 32;
export const ENTRY_COUNT = 126;
/** Of the page: header, then the states, then the entries. */
export const STATES_OFFSET = 32;
export const ENTRIES_OFFSET = 64;
/** A chunk, or a text with the zero at its end, is at most all entries of a page but the one that describes it. */
export const LARGEST_PART = (ENTRY_COUNT - 1) * ENTRY_SIZE;
export const VERSION_2 = 0xfe;
/** States of a page: in use, filled, being emptied into another one. */
export const PAGE_ACTIVE = 0xfffffffe;
export const PAGE_FULL = 0xfffffffc;
export const PAGE_FREEING = 0xfffffff8;
/** State of an entry that was written; 3 is an empty, 0 an erased one. */
export const ENTRY_WRITTEN = 2;
/** Bytes of an entry's key, the zero at its end included. */
export const KEY_LENGTH = 16;

/** Types of entries. A blob is chunks (data) and then its index; before version 2 it was one entry. */
export const TYPE_U8 = 0x01;
export const TYPE_I32 = 0x14;
export const TYPE_TEXT = 0x21;
export const TYPE_OLD_BLOB = 0x41;
export const TYPE_BLOB_DATA = 0x42;
export const TYPE_BLOB_INDEX = 0x48;
/** Chunk index of an entry that is no chunk. */
export const NO_CHUNK = 0xff;

/**
 * The checksum of pages and entries: the reflected CRC-32 (polynomial 0xEDB88320), its register starting at 0 and the result
 * inverted, as `esp_rom_crc32_le(UINT32_MAX, …)` computes it.
 * @param register what the bytes before have left; for the last part invert the result
 */
export function crcRegister(bytes: Uint8Array, register = 0): number {
  let value = register;
  for (let i = 0; i < bytes.length; i++) {
    value ^= bytes[i];
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return value;
}

/** Checksum of what an entry's data is. */
export function dataCrc(bytes: Uint8Array): number {
  return ~crcRegister(bytes) >>> 0;
}

/** @param header at least 32 bytes of a page: sequence number, version and reserve count */
export function pageCrc(header: Uint8Array): number {
  return dataCrc(header.subarray(4, 28));
}

/** @param entry 32 bytes, all of which count but the checksum's own */
export function entryCrc(entry: Uint8Array): number {
  return ~crcRegister(entry.subarray(8, 32), crcRegister(entry.subarray(0, 4))) >>> 0;
}
