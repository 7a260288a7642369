/**
 * What an emulated flash chip keeps its bits in.
 * @module
 */

/** Where the bits live. Offsets and lengths have been checked. */
export interface FlashStorage {
  readonly byteLength: number;
  read(offset: number, into: Uint8Array): void;
  /** Replaces bytes. Called in the order of the chip's commands. */
  write(offset: number, bytes: Uint8Array): void;
}

/** Bits in memory. */
export class MemoryStorage implements FlashStorage {
  readonly bytes: Uint8Array;

  /** @param content the bytes to live in, or how many bytes of erased flash to make */
  constructor(content: Uint8Array | number) {
    this.bytes = typeof content === "number" ? new Uint8Array(content).fill(0xff) : content;
  }
  get byteLength(): number {
    return this.bytes.length;
  }
  read(offset: number, into: Uint8Array): void {
    into.set(this.bytes.subarray(offset, offset + into.length));
  }
  write(offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, offset);
  }
}
