/**
 * `embedded:storage/flash` and `flash` (modules/io/flash/esp32/flash.c, modules/files/flash/esp/flash.c) over an emulated
 * chip: 32-bit offsets that wrap, an `end` of `undefined` taken for 0, a partition known by "running", "nextota", "xs"
 * or the label of a data partition, a mode that is "r" or "r+" and nothing else. Pure.
 * @module
 */
import { FlashPartition } from "../../../hosts/emulated/flash-partition.js";
import type { NorFlash } from "../../../hosts/emulated/nor-flash.js";
import type { ClassicFlashInstance, EcmaFlashInstance } from "../../../hosts/moddable/flash.js";
import { sdk } from "./machine.js";

export class EcmaFlashStandIn implements EcmaFlashInstance {
  readonly #partition: FlashPartition;
  readonly #readOnly: boolean;
  #open = true;

  constructor(chip: NorFlash, readOnly = false) {
    this.#partition = new FlashPartition(chip, { offset: 0, size: chip.size });
    this.#readOnly = readOnly;
  }

  eraseBlock(...range: [start: number, end?: number]): void {
    if (this.#readOnly) throw new Error("read-only");
    const start = range[0] | 0;
    const end = range.length > 1 ? (range[1] ?? 0) | 0 : start + 1;
    this.#driver("erase", () => this.#partition.eraseBlock(start, end));
  }

  read(buffer: Uint8Array, byteOffset: number): number {
    this.#driver("read", () => this.#partition.read(buffer, byteOffset | 0));
    return buffer.length;
  }

  write(buffer: Uint8Array, byteOffset: number): void {
    if (this.#readOnly) throw new Error("read-only");
    this.#driver("write", () => this.#partition.write(buffer, byteOffset | 0));
  }

  status(): { size: number; blocks: number; blockLength: number } {
    if (!this.#open) throw new SyntaxError("this: no flash instance");
    return this.#partition.status();
  }

  close(): void {
    this.#open = false;
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
    if (byteLength <= 0 || buffer.length < byteLength) throw new Error("invalid");
    this.#flash.write(buffer.subarray(0, byteLength), offset);
  }
}

const flash = {
  open({ path, mode }: { path: string; mode?: string }): EcmaFlashStandIn {
    const chip = sdk.partitions.get(path);
    if (!chip) throw new Error("can't find partition");
    if (mode !== undefined && mode !== "r" && mode !== "r+") throw new Error("invalid mode");
    return new EcmaFlashStandIn(chip, mode === "r");
  },
};

export default flash;
