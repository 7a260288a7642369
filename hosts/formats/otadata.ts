/**
 * The two entries of ESP-IDF's `otadata` partition, byte by byte, and the rules by which one of them is active
 * (bootloader_support: `esp_flash_partitions.h`, `bootloader_common_loader.c`; the same from IDF 4.4 to 6.0).
 * @module
 */
import type { BootImageState } from "../../src/ports.js";

/** Bytes in an entry. */
export const ENTRY_SIZE = 32;
/** Each of the two entries is at the start of a sector of its own. */
export const ENTRY_OFFSETS: readonly number[] = Object.freeze([0, 0x1000]);
/** Smallest and usual size of the partition. */
export const OTADATA_SIZE = 0x2000;
/** `ota_seq` of an entry never written. */
export const EMPTY_SEQUENCE = 0xffffffff;

/** `esp_ota_img_states_t`. */
export const STATE_NEW = 0;
export const STATE_PENDING_VERIFY = 1;
export const STATE_VALID = 2;
export const STATE_INVALID = 3;
export const STATE_ABORTED = 4;
export const STATE_UNDEFINED = 0xffffffff;

const STATE_NAMES: readonly BootImageState[] = Object.freeze([
  "new",
  "pending-verify",
  "valid",
  "invalid",
  "aborted",
]);

/** The name of a state; numbers ESP-IDF gives no meaning to are "undefined". */
export function stateName(state: number): BootImageState {
  return STATE_NAMES[state] ?? "undefined";
}

/** `esp_ota_select_entry_t`. */
export interface OtaEntry {
  readonly sequence: number;
  /** 20 bytes nobody interprets; kept as they are. */
  readonly label: Uint8Array;
  readonly state: number;
  /** As stored; `crcOf(sequence)` when right. */
  readonly crc: number;
}

/**
 * The checksum of a sequence number: the reflected CRC-32 (polynomial 0xEDB88320) of its four bytes, with the
 * register starting at 0 and the result inverted, as `esp_rom_crc32_le(UINT32_MAX, …)` computes it. The state
 * is not covered.
 */
export function crcOf(sequence: number): number {
  let register = sequence >>> 0;
  for (let bit = 0; bit < 32; bit++) register = register & 1 ? (register >>> 1) ^ 0xedb88320 : register >>> 1;
  return ~register >>> 0;
}

/** @throws RangeError unless there are 32 bytes */
export function decodeEntry(bytes: Uint8Array): OtaEntry {
  if (bytes.length !== ENTRY_SIZE) throw new RangeError(`an otadata entry has 32 bytes, not ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, ENTRY_SIZE);
  return {
    sequence: view.getUint32(0, true),
    label: bytes.slice(4, 24),
    state: view.getUint32(24, true),
    crc: view.getUint32(28, true),
  };
}

export function encodeEntry(entry: OtaEntry): Uint8Array {
  const bytes = new Uint8Array(ENTRY_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, entry.sequence, true);
  bytes.set(entry.label, 4);
  view.setUint32(24, entry.state, true);
  view.setUint32(28, entry.crc, true);
  return bytes;
}

/** A well-formed entry. `label` defaults to erased bytes. */
export function makeEntry(sequence: number, state: number, label?: Uint8Array): OtaEntry {
  return { sequence, label: label ?? new Uint8Array(20).fill(0xff), state, crc: crcOf(sequence) };
}

/** Empty, or given up. Whether the checksum is right plays no part. */
export function isInvalid(entry: OtaEntry): boolean {
  return entry.sequence === EMPTY_SEQUENCE || entry.state === STATE_INVALID || entry.state === STATE_ABORTED;
}

export function isCrcRight(entry: OtaEntry): boolean {
  return entry.crc === crcOf(entry.sequence);
}

export function isValid(entry: OtaEntry): boolean {
  return !isInvalid(entry) && isCrcRight(entry);
}

/** The active one of two entries: the valid one with the higher sequence number, the first on a tie; -1 for none. */
export function activeEntry(entries: readonly OtaEntry[]): number {
  return select(entries, isValid, (a, b) => a >= b);
}

/** Of the entries that were given up, the one with the lower sequence number; -1 for none. */
export function lastInvalidEntry(entries: readonly OtaEntry[]): number {
  const givenUp = (entry: OtaEntry) =>
    entry.sequence !== EMPTY_SEQUENCE && isInvalid(entry) && isCrcRight(entry);
  return select(entries, givenUp, (a, b) => a <= b);
}

function select(
  entries: readonly OtaEntry[],
  eligible: (entry: OtaEntry) => boolean,
  first: (a: number, b: number) => boolean,
): number {
  const [zero, one] = entries;
  if (!eligible(zero)) return eligible(one) ? 1 : -1;
  return !eligible(one) || first(zero.sequence, one.sequence) ? 0 : 1;
}

/** Index of the slot a sequence number stands for, among `slots` OTA slots. */
export function slotOf(sequence: number, slots: number): number {
  return ((sequence - 1) >>> 0) % slots;
}

/** The smallest sequence number not below `from` that stands for `slot`. */
export function nextSequence(from: number, slot: number, slots: number): number {
  const first = (slot + 1) % slots;
  return from <= first ? first : first + Math.ceil((from - first) / slots) * slots;
}
