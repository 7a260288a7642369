/**
 * How long the running image is, and its digest: what tells whether a delta is from it.
 * @module
 */
import { OtaError } from "../errors.js";
import type { Crypto, Flash, Hash } from "../ports.js";

/** ESP32 application images (`esp_app_format.h`, ESP-IDF): magic, header, header of a segment, checksum, digest. */
const MAGIC = 0xe9;
const HEADER = 24;
/** In the header: 1 when a digest is appended. */
const HASH_FLAG = 23;
const SEGMENT_HEADER = 8;
const HASH = 32;
const SECTOR = 4096;
/** Secure Boot v2: the sector behind the image begins with this. */
const SIGNATURE_MAGIC = 0xe7;

export interface RunningImage {
  readonly length: number;
  readonly digest: Uint8Array;
}

/** Sums up what runs, a sector at a step. */
export class RunningSum {
  /** The image; and with its signature sector, if there may be one. */
  readonly images: RunningImage[] = [];
  readonly #flash: Flash;
  readonly #crypto: Crypto;
  readonly #buffer = new Uint8Array(SECTOR);
  readonly #lengths: number[];
  #hash: Hash;
  #at = 0;

  /** @throws OtaError "wrong-base" when there is no image */
  constructor(flash: Flash, crypto: Crypto) {
    this.#flash = flash;
    this.#crypto = crypto;
    this.#hash = crypto.sha256();
    const view = new DataView(this.#buffer.buffer);
    const header = this.#read(0, HEADER);
    if (header[0] !== MAGIC) unreadable();
    const hash = header[HASH_FLAG] ? HASH : 0;
    let end = HEADER;
    for (let segments = header[1]; segments > 0; segments--) {
      this.#read(end, SEGMENT_HEADER);
      end += SEGMENT_HEADER + view.getUint32(4, true);
    }
    // The checksum is the last byte of a line of 16.
    end = (end | 15) + 1 + hash;
    this.#lengths = [end];
    const sector = Math.ceil(end / SECTOR) * SECTOR;
    if (sector < flash.status().size && this.#read(sector, 1)[0] === SIGNATURE_MAGIC)
      this.#lengths.push(sector + SECTOR);
  }

  #read(at: number, length: number): Uint8Array {
    if (at + length > this.#flash.status().size) unreadable();
    const part = this.#buffer.subarray(0, length);
    this.#flash.read(part, at);
    return part;
  }

  /** @returns whether all is done */
  step(): boolean {
    const lengths = this.#lengths;
    const end = lengths[0];
    const length = Math.min(SECTOR, end - this.#at);
    this.#hash.update(this.#read(this.#at, length));
    this.#at += length;
    if (this.#at < end) return false;
    this.images.push({ length: end, digest: this.#hash.digest() });
    lengths.shift();
    // A hash is spent once it was asked for: the longer one is another.
    this.#hash = this.#crypto.sha256();
    this.#at = 0;
    return lengths.length === 0;
  }
}

function unreadable(): never {
  throw new OtaError("wrong-base", "the running image cannot be read");
}
