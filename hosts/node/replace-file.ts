/**
 * Replacing a file so that a crash leaves the old or the new content, never part of either.
 * @module
 */
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs";

export function replaceFile(path: string, content: string | Uint8Array): void {
  const fresh = `${path}.new`;
  const file = openSync(fresh, "w");
  try {
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
}
