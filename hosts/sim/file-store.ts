/**
 * The `Store` port in a file beside the simulated flash.
 * @module
 */
import { File } from "file";
import type { Store } from "../../src/ports.js";

/** Beside the flash file. */
export function storeFile(flashFile: string): string {
  return `${flashFile}.json`;
}

export class FileStore implements Store {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  get(key: string): string | undefined {
    return this.#load()[key];
  }

  set(key: string, value: string): void {
    const values = { ...this.#load(), [key]: value };
    if (File.exists(this.#path)) File.delete(this.#path);
    const file = new File(this.#path, true);
    file.write(JSON.stringify(values));
    file.close();
  }

  #load(): Record<string, string> {
    if (!File.exists(this.#path)) return {};
    const file = new File(this.#path);
    const text = file.read(String) as string;
    file.close();
    return JSON.parse(text) as Record<string, string>;
  }
}
