/**
 * The `Store` port in a JSON file. A change is on disk, whole, when `set` returns.
 * @module
 */
import { readFileSync } from "node:fs";
import type { Store } from "../../src/ports.js";
import { replaceFile } from "./replace-file.js";

export class FileStore implements Store {
  readonly #path: string;
  readonly #values: Map<string, string>;

  /** @throws Error when the file exists and is not one of ours */
  constructor(path: string) {
    this.#path = path;
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      text = "{}";
    }
    this.#values = new Map(Object.entries(JSON.parse(text) as Record<string, string>));
  }

  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: string): void {
    if (this.#values.get(key) === value) return;
    this.#values.set(key, value);
    replaceFile(this.#path, JSON.stringify(Object.fromEntries(this.#values)));
  }
}
