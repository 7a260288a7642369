/**
 * The `Flash` port over the SDK's two flash modules; the instance is made by the application or the host.
 * @module
 */
import type { Flash } from "../../src/ports.js";

/** An instance of ECMA-419's flash (`embedded:storage/flash`). */
export interface EcmaFlashInstance {
  eraseBlock(start: number, end: number): void;
  read(buffer: Uint8Array, byteOffset: number): unknown;
  write(buffer: Uint8Array, byteOffset: number): void;
  status(): { size: number; blocks: number; blockLength: number };
  close(): void;
}

/**
 * ECMA-419 flash. Its C code takes an `end` of `undefined` for 0, offsets for 32-bit integers, and wraps them:
 * ranges are checked here.
 */
export class EcmaFlash implements Flash {
  readonly #flash: EcmaFlashInstance;
  readonly #size: number;
  readonly #blocks: number;

  constructor(flash: EcmaFlashInstance) {
    this.#flash = flash;
    const { size, blocks } = flash.status();
    this.#size = size;
    this.#blocks = blocks;
  }

  eraseBlock(start: number, end: number = start + 1): void {
    checkBlocks(start, end, this.#blocks);
    if (end > start) this.#flash.eraseBlock(start, end);
  }

  read(buffer: Uint8Array, offset: number): void {
    checkRange(offset, buffer.length, this.#size);
    this.#flash.read(buffer, offset);
  }

  write(buffer: Uint8Array, offset: number): void {
    checkRange(offset, buffer.length, this.#size);
    this.#flash.write(buffer, offset);
  }

  status(): { size: number; blocks: number; blockLength: number } {
    return this.#flash.status();
  }

  close(): void {
    this.#flash.close();
  }
}

/** An instance of the classic `flash` module. */
export interface ClassicFlashInstance {
  erase(sector: number): void;
  read(offset: number, byteLength: number): ArrayBufferLike;
  write(offset: number, byteLength: number, buffer: Uint8Array): void;
  readonly byteLength: number;
  readonly blockSize: number;
}

/**
 * Classic flash: erases sector by sector (two to three times slower than by range), allocates for each read, and
 * has nothing to close.
 */
export class ClassicFlash implements Flash {
  readonly #flash: ClassicFlashInstance;
  #open = true;

  constructor(flash: ClassicFlashInstance) {
    this.#flash = flash;
  }

  eraseBlock(start: number, end: number = start + 1): void {
    checkBlocks(start, end, this.status().blocks);
    for (let sector = start; sector < end; sector++) this.#flash.erase(sector);
  }

  read(buffer: Uint8Array, offset: number): void {
    checkRange(offset, buffer.length, this.status().size);
    if (buffer.length) buffer.set(new Uint8Array(this.#flash.read(offset, buffer.length)));
  }

  write(buffer: Uint8Array, offset: number): void {
    checkRange(offset, buffer.length, this.status().size);
    if (buffer.length) this.#flash.write(offset, buffer.length, buffer);
  }

  status(): { size: number; blocks: number; blockLength: number } {
    if (!this.#open) throw new Error("the partition is closed");
    const { byteLength: size, blockSize: blockLength } = this.#flash;
    return { size, blocks: Math.floor(size / blockLength), blockLength };
  }

  close(): void {
    this.#open = false;
  }
}

function checkBlocks(start: number, end: number, blocks: number): void {
  if (!(Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= blocks))
    throw new RangeError(`blocks ${start} to ${end} of ${blocks}`);
}

function checkRange(offset: number, length: number, size: number): void {
  if (!(Number.isInteger(offset) && offset >= 0 && offset + length <= size))
    throw new RangeError(`range ${offset}+${length} of ${size} bytes`);
}
