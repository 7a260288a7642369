/**
 * Who did what, and when: a line of JSON each, in two files of bounded length.
 * @module
 */
import { appendFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

export interface AuditEntry {
  /** Name of the account; null where there are none, or nobody was let in. */
  readonly who: string | null;
  /** Address of the other side. */
  readonly from: string;
  /** `POST /api/jobs`. */
  readonly what: string;
  /** What it was about, where the path does not say it. */
  readonly about?: string;
  /** Status of the answer. */
  readonly status: number;
}

/** Of each of the two files. */
const LENGTH_LIMIT = 1_048_576;
const TEXT_LIMIT = 512;

export class AuditLog {
  readonly #path: string;
  readonly #older: string;
  readonly #failed: (error: Error) => void;
  #length: number;

  /** @param failed told when a line could not be written */
  constructor(folder: string, failed: (error: Error) => void) {
    this.#path = join(folder, "audit.jsonl");
    this.#older = join(folder, "audit.old.jsonl");
    this.#failed = failed;
    this.#length = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  write({ what, about, ...entry }: AuditEntry): void {
    const time = new Date().toISOString();
    const cut = (text: string) => text.slice(0, TEXT_LIMIT);
    const line = `${JSON.stringify({ time, ...entry, what: cut(what), ...(about && { about: cut(about) }) })}\n`;
    try {
      if (this.#length + line.length > LENGTH_LIMIT) {
        renameSync(this.#path, this.#older);
        this.#length = 0;
      }
      appendFileSync(this.#path, line, { mode: 0o600 });
      this.#length += line.length;
    } catch (error) {
      this.#failed(new Error(`the audit log cannot be written: ${(error as Error).message}`));
    }
  }
}
