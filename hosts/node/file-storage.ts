/**
 * The bits of an emulated flash chip in a file. Each write is in the file when the call returns, so that the
 * process may be killed at any moment.
 * @module
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, writeSync } from "node:fs";
import type { FlashStorage } from "../emulated/nor-flash.js";
import { replaceFile } from "./replace-file.js";

/** Bytes of a part of the file that is kept in memory, and how many are: an image being written, and its journal. */
const PART = 16_384;
const PARTS = 2;

/** What the file holds from `offset` on. */
interface Part {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export class FileStorage implements FlashStorage {
  readonly byteLength: number;
  readonly #file: number;
  /** The one used last comes first. */
  readonly #parts: Part[] = [];

  /** Opens a flash file. What `fresh` returns is written first when there is none. @throws Error */
  constructor(path: string, fresh: () => Uint8Array) {
    if (!lstatSync(path, { throwIfNoEntry: false })) replaceFile(path, fresh());
    this.#file = openSync(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const stat = fstatSync(this.#file);
    if (!stat.isFile()) {
      closeSync(this.#file);
      throw new Error(`${path} is no flash file`);
    }
    this.byteLength = stat.size;
  }

  read(offset: number, into: Uint8Array): void {
    for (let at = 0; at < into.length; ) {
      const part = this.#part(offset + at);
      const start = offset + at - part.offset;
      const bytes = part.bytes.subarray(start, start + into.length - at);
      into.set(bytes, at);
      at += bytes.length;
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length; )
        at += writeSync(this.#file, bytes, at, bytes.length - at, offset + at);
      for (const part of this.#parts) {
        const start = Math.max(offset, part.offset);
        const end = Math.min(offset + bytes.length, part.offset + part.bytes.length);
        if (start < end) part.bytes.set(bytes.subarray(start - offset, end - offset), start - part.offset);
      }
    } catch (error) {
      // How much of it is in the file is not known.
      this.#parts.length = 0;
      throw error;
    }
  }

  /** The part of the file that holds `offset`. */
  #part(offset: number): Part {
    const parts = this.#parts;
    const start = offset - (offset % PART);
    const index = parts.findIndex((part) => part.offset === start);
    if (index === 0) return parts[0];
    const old = index > 0 || parts.length === PARTS ? parts.splice(index, 1)[0] : undefined;
    const part = index > 0 && old ? old : { offset: start, bytes: this.#load(start, old?.bytes) };
    parts.unshift(part);
    return part;
  }

  #load(offset: number, used: Uint8Array | undefined): Uint8Array {
    const length = Math.min(PART, this.byteLength - offset);
    const into = used?.length === length ? used : new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const count = readSync(this.#file, into, at, length - at, offset + at);
      if (count === 0) throw new Error("the flash file has become shorter");
      at += count;
    }
    return into;
  }

  close(): void {
    closeSync(this.#file);
  }
}
