/**
 * Replacing a file so that a crash leaves the old or the new content, never part of either.
 * @module
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** @param mode of the file, before the process's mask */
export function replaceFile(path: string, content: string | Uint8Array, mode = 0o666): void {
  const fresh = `${path}.new`;
  // What an earlier life left, or a link somebody planted, is removed, not written through.
  rmSync(fresh, { force: true });
  const file = openSync(fresh, "wx", mode);
  try {
    writeFileSync(file, content);
    fsyncSync(file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
}
