/**
 * The bits of an emulated flash chip in a file. Each write is in the file when the call returns, so that the
 * process may be killed at any moment.
 * @module
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, writeSync } from "node:fs";
import type { FlashStorage } from "../emulated/nor-flash.js";
import { replaceFile } from "./replace-file.js";

export class FileStorage implements FlashStorage {
  readonly byteLength: number;
  readonly #file: number;

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
      const length = readSync(this.#file, into, at, into.length - at, offset + at);
      if (length === 0) throw new Error("the flash file has become shorter");
      at += length;
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; )
      at += writeSync(this.#file, bytes, at, bytes.length - at, offset + at);
  }

  close(): void {
    closeSync(this.#file);
  }
}
