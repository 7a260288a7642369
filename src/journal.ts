/**
 * The slot journal: which sectors of a file are on flash, so that an interrupted transfer goes on where it
 * stopped. Layout in docs/SPEC.md, "Journal".
 *
 * Rules that make it safe
 * - A record is appended only after its sector's data is on flash, and never rewritten (flash encryption
 *   writes 16-byte units once).
 * - A record carries a digest of the sector it vouches for and is believed only when the sector still has it:
 *   a torn record, a half-written sector and a flipped bit all end the same way, the sector is fetched again.
 * - The header names the file by a digest of its signature and size: two files are never mixed.
 * @module
 */
import { equalBytes } from "./bytes.js";
import type { Crypto, Flash, Hash } from "./ports.js";

/** Bytes of the header, four record slots long. */
const HEADER_LENGTH = 64;
/** Bytes of a record: the AES unit of ESP32 flash encryption. */
const RECORD_LENGTH = 16;
/** Bytes of a record that hold the digest. */
const DIGEST_LENGTH = 12;
/** Offset in the header of its own check, a digest of what stands before. */
const CHECK_OFFSET = 48;
/** Record slots kept beyond one for each sector: a power cut can spoil one, a bad sector needs a second. */
const SPARE_RECORDS = 32;
/** "XSOTAJ1\0": changes with the layout. */
const MAGIC = Object.freeze([0x58, 0x53, 0x4f, 0x54, 0x41, 0x4a, 0x31, 0x00]);

/** How many sectors of `sectorLength` bytes the journal of a file of `sectors` sectors takes. */
export function journalSectors(sectors: number, sectorLength: number): number {
  return Math.ceil((HEADER_LENGTH + (sectors + SPARE_RECORDS) * RECORD_LENGTH) / sectorLength);
}

export interface JournalPlace {
  readonly flash: Flash;
  /** First sector of the journal. */
  readonly firstSector: number;
  /** Sectors it takes. */
  readonly sectors: number;
  readonly sectorLength: number;
}

export class Journal {
  readonly #place: JournalPlace;
  readonly #crypto: Crypto;
  /** 32 bytes that name the file. */
  readonly #identity: Uint8Array;
  /** Byte offset and length of the journal in its partition. */
  readonly #base: number;
  readonly #length: number;
  readonly #record = new Uint8Array(RECORD_LENGTH);
  readonly #view = new DataView(this.#record.buffer);
  /** Its first four bytes, the sector. */
  readonly #number = this.#record.subarray(0, 4);
  /** Byte offset of the next free record slot from the start of the journal; past the end when full. */
  #next = HEADER_LENGTH;
  /** End of the last record that was believed. */
  #good = HEADER_LENGTH;

  constructor(place: JournalPlace, crypto: Crypto, identity: Uint8Array) {
    this.#place = place;
    this.#crypto = crypto;
    this.#identity = identity;
    this.#base = place.firstSector * place.sectorLength;
    this.#length = place.sectors * place.sectorLength;
  }

  /** True when the journal on flash belongs to this file. */
  open(): boolean {
    const found = new Uint8Array(HEADER_LENGTH);
    this.#place.flash.read(found, this.#base);
    return equalBytes(found, this.#header());
  }

  /** Starts an empty journal for this file. */
  create(): void {
    this.clear();
    this.#place.flash.write(this.#header(), this.#base);
    this.#next = HEADER_LENGTH;
    this.#good = HEADER_LENGTH;
  }

  /**
   * Makes the journal on flash worthless, whatever file it belongs to. The sector with the header goes first:
   * what a power cut leaves of the others says nothing without it.
   */
  clear(): void {
    const { flash, firstSector, sectors } = this.#place;
    for (let i = 0; i < sectors; i++) flash.eraseBlock(firstSector + i, firstSector + i + 1);
  }

  /**
   * Reads the record at slot `slot` (0 is the first); slots are to be read in order, to the end.
   * @returns the sector the record vouches for, once `holds` has agreed; −1 for a slot that says nothing;
   *   undefined past the last slot
   */
  scan(slot: number, holds: (sector: number, digest: Uint8Array) => boolean): number | undefined {
    const offset = HEADER_LENGTH + slot * RECORD_LENGTH;
    const record = this.#record;
    if (offset + RECORD_LENGTH > this.#length) {
      // Where erased flash reads as 0xff the next record follows the last used slot. On an encrypted partition
      // it reads as noise: then the slot behind the last good record may be a torn one, and is left out.
      if (record.some((byte) => byte !== 0xff)) this.#next = this.#good + RECORD_LENGTH;
      return undefined;
    }
    this.#place.flash.read(record, this.#base + offset);
    if (record.every((byte) => byte === 0xff)) return -1;
    this.#next = offset + RECORD_LENGTH;
    const sector = this.#view.getUint32(0, true);
    if (!holds(sector, record.subarray(4))) return -1;
    this.#good = this.#next;
    return sector;
  }

  /** Records that `sector` is on flash. Silently does nothing once the journal is full: the sector is fetched again. */
  append(sector: number, digest: Uint8Array): void {
    if (this.#next + RECORD_LENGTH > this.#length) return;
    const record = this.#record;
    this.#view.setUint32(0, sector, true);
    record.set(digest, 4);
    const offset = this.#base + this.#next;
    this.#next += RECORD_LENGTH;
    this.#place.flash.write(record, offset);
  }

  /** Starts the digest a record carries; the caller adds the sector's bytes and calls `finish`. */
  begin(sector: number): Hash {
    const hash = this.#crypto.sha256();
    this.#view.setUint32(0, sector, true);
    hash.update(this.#identity);
    hash.update(this.#number);
    return hash;
  }

  finish(hash: Hash): Uint8Array {
    return hash.digest().subarray(0, DIGEST_LENGTH);
  }

  #header(): Uint8Array {
    const header = new Uint8Array(HEADER_LENGTH);
    header.set(MAGIC);
    header.set(this.#identity, 16);
    const hash = this.#crypto.sha256();
    hash.update(header.subarray(0, CHECK_OFFSET));
    header.set(hash.digest().subarray(0, HEADER_LENGTH - CHECK_OFFSET), CHECK_OFFSET);
    return header;
  }
}
