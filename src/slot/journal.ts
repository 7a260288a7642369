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
 * - It goes before the first sector of another file is erased: what an interrupted erasure leaves may read as it was, once.
 *   For that it is always at the same place, whatever the size of the file.
 * - What was written last may have been on its way when the power went, and read right once: without a believed record the
 *   header is written anew, and the last believed record is repeated before anything else is erased.
 * @module
 */
import { encodeUtf8, equalBytes } from "../bytes.js";
import type { Crypto, Flash } from "../ports.js";

/** Bytes of the header, four record slots long. */
const HEADER_LENGTH = 64;
/** Bytes of a record: the AES unit of ESP32 flash encryption. */
const RECORD_LENGTH = 16;
/** Offset in a record of the digest that fills the rest; the sector stands before. */
const DIGEST_OFFSET = 4;
/** Offset in the header of what names the file. */
const IDENTITY_OFFSET = 16;
/** Offset in the header of its own check, a digest of what stands before. */
const CHECK_OFFSET = 48;
/**
 * Record slots kept beyond one for each sector: a power cut can cost three, the torn one, the one left out behind it, and the one
 * before it that is repeated; a bad sector needs a second.
 */
const SPARE_RECORDS = 64;
/** A NUL follows. Changes with the layout. */
const MAGIC = "XSOTAJ2";

/** How many sectors of `sectorLength` bytes the journal of a file of `sectors` sectors takes. */
export function journalSectors(sectors: number, sectorLength: number): number {
  return Math.ceil((HEADER_LENGTH + (sectors + SPARE_RECORDS) * RECORD_LENGTH) / sectorLength);
}

/** SHA-256 of `bytes`, and of `more` behind them. */
export function digestOf(crypto: Crypto, bytes: Uint8Array, more?: Uint8Array): Uint8Array {
  const hash = crypto.sha256();
  hash.update(bytes);
  if (more) hash.update(more);
  return hash.digest();
}

/** Whether a journal, of whatever file, begins in `sector`. */
export function isJournal(flash: Flash, sector: number): boolean {
  const found = new Uint8Array(MAGIC.length);
  flash.read(found, sector * flash.status().blockLength);
  return equalBytes(found, encodeUtf8(MAGIC));
}

export class Journal {
  /** True while the journal on flash is that of this file. */
  live = false;
  /** It has been erased in this life. */
  #blank = false;
  readonly #flash: Flash;
  readonly #crypto: Crypto;
  readonly #sectorLength: number;
  readonly #first: number;
  readonly #step: number;
  /** Bytes of the journal. Offsets in it: */
  readonly #limit: number;
  /** of the record to read next, */
  #at: number;
  /** of the slot for the next new record, `#limit` or more when there is none, */
  #end: number;
  /** and of the end of the last record that was believed. */
  #good: number;
  /** What leads from an offset below `#edge` to its place in the partition. */
  #edge = 0;
  #shift = 0;
  /** Identity and record side by side: what a digest begins with, identity and sector, is the start of them. */
  readonly #lead: Uint8Array;
  readonly #record: Uint8Array;
  readonly #view: DataView;

  /**
   * @param flash the partition it lies in
   * @param first its first sector there
   * @param sectors how many it takes, upwards, or downwards when negative
   * @param identity 32 bytes that name the file
   */
  constructor(flash: Flash, first: number, sectors: number, crypto: Crypto, identity: Uint8Array) {
    this.#flash = flash;
    this.#crypto = crypto;
    const both = new Uint8Array(identity.length + RECORD_LENGTH);
    both.set(identity);
    this.#lead = both.subarray(0, identity.length + DIGEST_OFFSET);
    this.#record = both.subarray(identity.length);
    this.#view = new DataView(both.buffer, identity.length);
    this.#sectorLength = flash.status().blockLength;
    this.#first = first;
    this.#step = Math.sign(sectors);
    this.#limit = Math.abs(sectors) * this.#sectorLength;
    this.#at = this.#end = this.#good = HEADER_LENGTH;
  }

  /** @returns whether the journal on flash belongs to this file: then it is live, and can be read with `next` */
  open(): boolean {
    const found = new Uint8Array(HEADER_LENGTH);
    this.#flash.read(found, this.#place(0));
    this.live = equalBytes(found, this.#header());
    return this.live;
  }

  /**
   * Makes the journal on flash worthless, whatever file it belongs to. The sector with the header goes first:
   * what a power cut leaves of the others says nothing without it.
   */
  clear(): void {
    this.live = false;
    for (let at = 0; at < this.#limit; at += this.#sectorLength)
      this.#flash.eraseBlock(this.#place(at) / this.#sectorLength);
    this.#blank = true;
  }

  /**
   * Reads the next record of a sector below `sectors`.
   * @returns its sector, to be believed when `holds` agrees; undefined at the end
   */
  next(sectors: number): number | undefined {
    while (this.#at < this.#limit) {
      this.#flash.read(this.#record, this.#place(this.#at));
      this.#at += RECORD_LENGTH;
      if (this.#record.some((byte) => byte !== 0xff)) this.#end = this.#at;
      const sector = this.#view.getUint32(0, true);
      if (sector < sectors) return sector;
    }
    // Where erased flash reads as 0xff the next record follows the last used slot, on an encrypted partition, where it
    // reads as noise, the last good record. The slot behind may be a torn one, even if it reads as erased: it is left out.
    if (this.#end === this.#limit) this.#end = this.#good;
    // The power may have gone while the header was written: as long as nothing depends on it, it is written anew.
    if (this.#good === HEADER_LENGTH) this.live = false;
    this.#end += RECORD_LENGTH;
    return undefined;
  }

  /** Whether the record read last is true of its sector, which holds `bytes`. */
  holds(sector: number, bytes: Uint8Array): boolean {
    const good = equalBytes(this.#digest(sector, bytes), this.#record.subarray(DIGEST_OFFSET));
    if (good) this.#good = this.#at;
    return good;
  }

  /**
   * Records that `sector` is on flash and holds `bytes`; the first record begins the journal. Silently does nothing
   * once the journal is full: the sector is fetched again.
   */
  append(sector: number, bytes: Uint8Array): void {
    if (!this.live) {
      if (!this.#blank) this.clear();
      this.#flash.write(this.#header(), this.#place(0));
      this.live = true;
    }
    const end = this.#end;
    if (end >= this.#edge) {
      if (end >= this.#limit) return;
      this.#shift = this.#place(end) - end;
      this.#edge = end - (end % this.#sectorLength) + this.#sectorLength;
    }
    const record = this.#record;
    record.set(this.#digest(sector, bytes), DIGEST_OFFSET);
    this.#flash.write(record, end + this.#shift);
    this.#end = end + RECORD_LENGTH;
  }

  /** What a record of `sector` has as its digest; leaves the sector in the record. */
  #digest(sector: number, bytes: Uint8Array): Uint8Array {
    this.#view.setUint32(0, sector, true);
    const hash = this.#crypto.sha256();
    hash.update(this.#lead);
    hash.update(bytes);
    return hash.digest().subarray(0, RECORD_LENGTH - DIGEST_OFFSET);
  }

  /** Where a byte of the journal is in the partition. */
  #place(offset: number): number {
    const within = offset % this.#sectorLength;
    const sector = (offset - within) / this.#sectorLength;
    return (this.#first + this.#step * sector) * this.#sectorLength + within;
  }

  #header(): Uint8Array {
    const header = new Uint8Array(HEADER_LENGTH);
    header.set(encodeUtf8(MAGIC));
    header.set(this.#lead.subarray(0, -DIGEST_OFFSET), IDENTITY_OFFSET);
    const check = digestOf(this.#crypto, header.subarray(0, CHECK_OFFSET));
    header.set(check.subarray(0, HEADER_LENGTH - CHECK_OFFSET), CHECK_OFFSET);
    return header;
  }
}
