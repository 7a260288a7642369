/**
 * A log of one small record in two alternating sectors: what a device must not forget across power cuts, such as which
 * place of a component is current. The newest record counts; older ones are history. Layout: docs/SPEC.md, "Record log".
 *
 * Rules that make it safe
 * - A record carries a digest of itself, and a seal behind it that is written only after the record has been read back:
 *   where a seal stands, the record before it was programmed completely.
 * - A record without its seal, or anything that stands behind the newest record, may read differently the next time (bits
 *   that an interrupted command left in between). What was read is therefore made to stay before anybody acts on it: it is
 *   written again, with a higher sequence, into the sector that does not have the newest record with a seal, or with a part of
 *   one.
 * - The first record of a life always goes into the other sector, erased: nothing is ever programmed where an earlier life
 *   may have been interrupted. The sector with the newest record is not touched meanwhile.
 * @module
 */
import { equalBytes } from "../bytes.js";
import { OtaError } from "../errors.js";
import type { Crypto, Flash } from "../ports.js";
import { digestOf } from "../slot/journal.js";

/** "XSOR", little-endian. Changes with the layout. */
const MAGIC = 0x524f5358;
/** Magic, sequence, length of the payload, 0: four numbers of 4 bytes, little-endian. */
const HEADER_LENGTH = 16;
/** The first bytes of a SHA-256; the seal is as long. Also the unit of flash encryption on ESP32. */
const DIGEST_LENGTH = 16;
/** Longest payload, bytes. */
export const MAX_PAYLOAD = 1024;

/** Up to the next multiple of 16. */
function padded(length: number): number {
  return (length + 15) & ~15;
}

interface Found {
  readonly sector: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
  /** There is something of its seal: it was programmed completely. */
  readonly firm: boolean;
}

export class RecordLog {
  readonly #flash: Flash;
  readonly #crypto: Crypto;
  readonly #sectorLength: number;
  /** Sector that holds the newest record. */
  #sector = 1;
  #sequence = 0;
  /** Offset in that sector for the next record of this life; 0: the other sector is to be erased first. */
  #at = 0;

  /**
   * @param flash the partition: its first two sectors are the log's. Erased flash has to read as 0xff: not an encrypted one
   * @throws OtaError "file-create" when it has fewer than two
   */
  constructor(flash: Flash, crypto: Crypto) {
    const { blocks, blockLength } = flash.status();
    if (blocks < 2) throw new OtaError("file-create", "the record log needs two sectors");
    this.#flash = flash;
    this.#crypto = crypto;
    this.#sectorLength = blockLength;
  }

  /**
   * Finds the newest record. What could read differently the next time is written again first.
   * @returns its payload; undefined when there is none
   * @throws OtaError "flash-write" when the flash does not take it
   */
  open(): Uint8Array | undefined {
    const found: Found[] = [];
    let settled = true;
    for (let sector = 0; sector < 2; sector++) if (!this.#scan(sector, found)) settled = false;
    let newest: Found | undefined;
    let firm: Found | undefined;
    for (const record of found) {
      if (!newest || record.sequence > newest.sequence) newest = record;
      if (record.firm && (!firm || record.sequence > firm.sequence)) firm = record;
    }
    this.#at = 0;
    // What is written next spares the sector with the newest record that is known to stay.
    this.#sector = (firm ?? newest)?.sector ?? 1;
    this.#sequence = newest ? newest.sequence : 0;
    if (newest && !settled) {
      // One number is for the torn record that may stand behind it and read well the next time.
      this.#sequence++;
      this.write(newest.payload);
    }
    return newest?.payload;
  }

  /**
   * Makes `payload` the newest record. When this returns it is on flash and stays; when it throws, or the power goes
   * meanwhile, the log holds either the record before or this one.
   * @throws RangeError for more than 1024 bytes; OtaError "flash-write" when it cannot be written
   */
  write(payload: Uint8Array): void {
    if (payload.length > MAX_PAYLOAD) throw new RangeError(`a record of ${payload.length} bytes`);
    // Never the number of an attempt that failed.
    this.#sequence++;
    const record = this.#encode(payload);
    const length = record.length + DIGEST_LENGTH;
    let sector = this.#sector;
    let at = this.#at;
    if (!at || at + length > this.#sectorLength) {
      sector = 1 - sector;
      at = 0;
    }
    // Until it has succeeded, another attempt begins in the other sector.
    this.#at = 0;
    const start = sector * this.#sectorLength + at;
    try {
      if (!at) this.#flash.eraseBlock(sector, sector + 1);
      this.#put(record, start);
      this.#put(record.subarray(-DIGEST_LENGTH), start + record.length);
    } catch (error) {
      throw new OtaError("flash-write", `record log: ${(error as Error).message}`);
    }
    this.#sector = sector;
    this.#at = at + length;
  }

  #put(bytes: Uint8Array, offset: number): void {
    this.#flash.write(bytes, offset);
    const back = new Uint8Array(bytes.length);
    this.#flash.read(back, offset);
    if (!equalBytes(back, bytes)) throw new Error("does not hold what was written");
  }

  #encode(payload: Uint8Array): Uint8Array {
    const end = HEADER_LENGTH + padded(payload.length);
    const record = new Uint8Array(end + DIGEST_LENGTH);
    const view = new DataView(record.buffer);
    view.setUint32(0, MAGIC, true);
    view.setUint32(4, this.#sequence, true);
    view.setUint32(8, payload.length, true);
    record.set(payload, HEADER_LENGTH);
    record.set(this.#digest(record.subarray(0, end)), end);
    return record;
  }

  #digest(bytes: Uint8Array): Uint8Array {
    return digestOf(this.#crypto, bytes).subarray(0, DIGEST_LENGTH);
  }

  /**
   * Reads the records of a sector, in the order they were written.
   * @returns whether all of it is final: each record sealed, the rest blank
   */
  #scan(sector: number, found: Found[]): boolean {
    const bytes = new Uint8Array(this.#sectorLength);
    this.#flash.read(bytes, sector * this.#sectorLength);
    const view = new DataView(bytes.buffer);
    let at = 0;
    for (;;) {
      const rest = bytes.length - at;
      if (rest < HEADER_LENGTH || view.getUint32(at, true) !== MAGIC) break;
      const length = view.getUint32(at + 8, true);
      const end = HEADER_LENGTH + padded(length);
      if (length > MAX_PAYLOAD || end + 2 * DIGEST_LENGTH > rest) break;
      const digest = bytes.subarray(at + end, at + end + DIGEST_LENGTH);
      if (!equalBytes(this.#digest(bytes.subarray(at, at + end)), digest)) break;
      const payload = bytes.slice(at + HEADER_LENGTH, at + HEADER_LENGTH + length);
      const sequence = view.getUint32(at + 4, true);
      at += end + DIGEST_LENGTH;
      const seal = bytes.subarray(at, at + DIGEST_LENGTH);
      found.push({ sector, sequence, payload, firm: seal.some((byte) => byte !== 0xff) });
      if (!equalBytes(seal, digest)) return false;
      at += DIGEST_LENGTH;
    }
    for (; at < bytes.length; at++) if (bytes[at] !== 0xff) return false;
    return true;
  }
}
