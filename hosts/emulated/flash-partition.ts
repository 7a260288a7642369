/**
 * A partition of an emulated flash chip, as the `Flash` port.
 * @module
 */
import type { Flash } from "../../src/ports.js";
import { type NorFlash, SECTOR_SIZE } from "./nor-flash.js";

/** Flash encryption works on units of 16 bytes (ESP-IDF: `esp_partition_write` of an encrypted partition). */
const CIPHER_UNIT = 16;

export interface FlashPartitionOptions {
  /** First byte on the chip; a multiple of 4096. */
  readonly offset: number;
  /** Bytes; a multiple of 4096. */
  readonly size: number;
  /**
   * Behaves like a partition under flash encryption: offset and length of a write must be multiples of 16, no
   * 16-byte unit can be written again before it is erased, and erased flash does not read as 0xFF. The bits on
   * the chip are scrambled, not encrypted.
   */
  readonly encrypted?: boolean;
  /** Refuses writing and erasing. */
  readonly readOnly?: boolean;
}

export class FlashPartition implements Flash {
  readonly #chip: NorFlash;
  readonly #offset: number;
  readonly #size: number;
  readonly #encrypted: boolean;
  readonly #readOnly: boolean;
  #open = true;

  /** @throws RangeError when the partition does not lie on the chip, or not on sector boundaries */
  constructor(chip: NorFlash, options: FlashPartitionOptions) {
    const { offset, size } = options;
    if (!Number.isInteger(offset / SECTOR_SIZE) || !Number.isInteger(size / SECTOR_SIZE))
      throw new RangeError(`partition ${offset}+${size} does not lie on sector boundaries`);
    if (offset < 0 || size <= 0 || offset + size > chip.size)
      throw new RangeError(`partition ${offset}+${size} lies outside the flash of ${chip.size} bytes`);
    this.#chip = chip;
    this.#offset = offset;
    this.#size = size;
    this.#encrypted = options.encrypted ?? false;
    this.#readOnly = options.readOnly ?? false;
  }

  eraseBlock(start: number, end: number = start + 1): void {
    this.#checkWritable();
    if (!Number.isInteger(start) || !Number.isInteger(end) || end < start)
      throw new RangeError(`blocks ${start} to ${end} are no range`);
    this.#check(start * SECTOR_SIZE, (end - start) * SECTOR_SIZE);
    this.#chip.erase(this.#offset + start * SECTOR_SIZE, (end - start) * SECTOR_SIZE);
  }

  read(buffer: Uint8Array, offset: number): void {
    this.#check(offset, buffer.length);
    this.#chip.read(this.#offset + offset, buffer);
    if (this.#encrypted) scramble(buffer, this.#offset + offset);
  }

  write(buffer: Uint8Array, offset: number): void {
    this.#checkWritable();
    this.#check(offset, buffer.length);
    const address = this.#offset + offset;
    if (!this.#encrypted) {
      this.#chip.write(address, buffer);
      return;
    }
    if (offset % CIPHER_UNIT || buffer.length % CIPHER_UNIT)
      throw new RangeError(
        `write ${offset}+${buffer.length} to an encrypted partition is not in units of 16 bytes`,
      );
    const bits = new Uint8Array(buffer.length);
    this.#chip.read(address, bits);
    if (bits.some((byte) => byte !== 0xff))
      throw new Error(`write ${offset}+${buffer.length} to an encrypted partition that is not erased there`);
    bits.set(buffer);
    scramble(bits, address);
    this.#chip.write(address, bits);
  }

  status(): { size: number; blocks: number; blockLength: number } {
    return { size: this.#size, blocks: this.#size / SECTOR_SIZE, blockLength: SECTOR_SIZE };
  }

  /** Further calls throw. Closing twice is harmless. */
  close(): void {
    this.#open = false;
  }

  #checkWritable(): void {
    if (this.#readOnly) throw new Error("the partition is read-only");
  }

  #check(offset: number, length: number): void {
    if (!this.#open) throw new Error("the partition is closed");
    if (!Number.isInteger(offset) || offset < 0 || offset + length > this.#size)
      throw new RangeError(`range ${offset}+${length} lies outside the partition of ${this.#size} bytes`);
  }
}

/** Applies a fixed pattern that depends on the address; applied twice, it cancels out. */
function scramble(bytes: Uint8Array, address: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] ^= (Math.imul(address + i + 1, 0x85ebca6b) >>> 13) & 0xff;
}
