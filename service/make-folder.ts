/**
 * Makes a folder and those it lies in.
 * @module
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * As `mkdirSync` with `recursive`, which on Node 20 never returns where the system says that a folder's own folder is
 * missing although it is there, as under /proc.
 * @throws Error of the system, when it cannot be made
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.push(at);
  for (const folder of missing.reverse())
    try {
      mkdirSync(folder);
    } catch (error) {
      // Somebody else has been faster.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  // A file is in its place: what the system says of that.
  if (!statSync(path).isDirectory()) mkdirSync(path);
}
