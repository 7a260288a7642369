/**
 * The SDK's two flash modules over an emulated chip, faults included: 32-bit offsets that wrap, an `end` of
 * `undefined` taken for 0 (modules/io/flash/esp32, modules/files/flash). Pure.
 * @module
 */
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import type { NorFlash } from "../../hosts/emulated/nor-flash.js";
import type { ClassicFlashInstance, EcmaFlashInstance } from "../../hosts/moddable/flash.js";

export class EcmaFlashStandIn implements EcmaFlashInstance {
  readonly #partition: FlashPartition;

  constructor(chip: NorFlash) {
    this.#partition = new FlashPartition(chip, { offset: 0, size: chip.size });
  }

  eraseBlock(...range: [start: number, end?: number]): void {
    const start = range[0] | 0;
    const end = range.length > 1 ? (range[1] ?? 0) | 0 : start + 1;
    this.#driver("erase", () => this.#partition.eraseBlock(start, end));
  }

  read(buffer: Uint8Array, byteOffset: number): number {
    this.#driver("read", () => this.#partition.read(buffer, byteOffset | 0));
    return buffer.length;
  }

  write(buffer: Uint8Array, byteOffset: number): void {
    this.#driver("write", () => this.#partition.write(buffer, byteOffset | 0));
  }

  status(): { size: number; blocks: number; blockLength: number } {
    return this.#partition.status();
  }

  close(): void {
    this.#partition.close();
  }

  #driver(what: string, action: () => void): void {
    try {
      action();
    } catch {
      throw new Error(`${what} failed`);
    }
  }
}

export class ClassicFlashStandIn implements ClassicFlashInstance {
  readonly byteLength: number;
  readonly blockSize = 4096;
  readonly #flash: EcmaFlashStandIn;

  constructor(chip: NorFlash) {
    this.byteLength = chip.size;
    this.#flash = new EcmaFlashStandIn(chip);
  }

  erase(sector: number): void {
    this.#flash.eraseBlock(sector);
  }

  read(offset: number, byteLength: number): ArrayBuffer {
    if (byteLength <= 0) throw new RangeError("invalid length");
    const bytes = new Uint8Array(byteLength);
    this.#flash.read(bytes, offset);
    return bytes.buffer;
  }

  write(offset: number, byteLength: number, buffer: Uint8Array): void {
    this.#flash.write(buffer.subarray(0, byteLength), offset);
  }
}
