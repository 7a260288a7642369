/**
 * The files of a job that are installed together: the heads of all of them are judged before the first one is fetched.
 * @module
 */
import type { JobFile } from "../control/job-document.js";
import type { FileSet } from "../slot/pal.js";

export class PlannedFiles implements FileSet {
  readonly files: readonly JobFile[];
  readonly rollbackEnabled: boolean;
  judging: boolean;
  /** The file at hand. */
  #at = 0;

  /** @param files in the order they are fetched, one of a type */
  constructor(files: readonly JobFile[], rollbackEnabled: boolean) {
    this.files = files;
    this.rollbackEnabled = rollbackEnabled;
    this.judging = files.length > 1;
  }

  next(files: readonly JobFile[]): JobFile | undefined {
    if (++this.#at === this.files.length) {
      if (!this.judging) return undefined;
      this.judging = false;
      this.#at = 0;
    }
    const { fileType } = this.files[this.#at];
    return files.find((file) => file.fileType === fileType);
  }

  /** "<fileType>:ready", "…:78%" or "…:waits", with blanks between. */
  progress(received: number, total: number): string {
    return this.files
      .map(({ fileType }, n) => {
        const state =
          n < this.#at ? "ready" : n > this.#at ? "waits" : `${Math.floor((received * 100) / total)}%`;
        return `${fileType}:${state}`;
      })
      .join(" ");
  }
}
