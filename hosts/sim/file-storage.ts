/**
 * The bits of the simulated flash chip in a file. A write is in the file when the call returns.
 * @module
 */
import { File } from "file";
import type { FlashStorage } from "../emulated/nor-flash.js";

export class FileStorage implements FlashStorage {
  readonly byteLength: number;
  readonly #file: File;

  /** Opens a flash file; what `fresh` returns is written first when there is none. @throws Error */
  constructor(path: string, fresh: () => Uint8Array) {
    if (!File.exists(path)) {
      const part = `${path}.part`;
      if (File.exists(part)) File.delete(part);
      const file = new File(part, true);
      file.write(fresh().buffer as ArrayBuffer);
      file.close();
      // The new name is relative to the directory.
      File.rename(part, path.slice(path.lastIndexOf("/") + 1));
    }
    this.#file = new File(path, true);
    this.byteLength = this.#file.length;
  }

  read(offset: number, into: Uint8Array): void {
    if (into.length === 0) return;
    this.#file.position = offset;
    into.set(new Uint8Array(this.#file.read(ArrayBuffer, into.length)));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#file.position = offset;
    this.#file.write(bytes.slice().buffer as ArrayBuffer);
  }
}
