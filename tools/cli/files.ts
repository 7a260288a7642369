/**
 * Reading and writing files, with errors a person understands and without half-written results.
 * @module
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { replaceFile } from "../../hosts/node/replace-file.js";
import { Failure, oneLine } from "./failure.js";

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EISDIR: "it is a folder",
  ENOTDIR: "part of its path is no folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EEXIST: "it exists already",
  ENOSPC: "the disk is full",
  EROFS: "the disk is read-only",
};

function words(error: unknown): string {
  return WORDS[(error as NodeJS.ErrnoException).code ?? ""] ?? oneLine(error);
}

/** @throws Failure */
export function readBytes(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new Failure(`can not read ${path}: ${words(error)}`);
  }
}

/** @throws Failure */
export function readText(path: string): string {
  return new TextDecoder().decode(readBytes(path));
}

/** Throws Failure when a file that must not be replaced is there. */
export function refuseExisting(path: string): void {
  if (existsSync(path)) throw new Failure(`${path} exists already and is not replaced`);
}

/**
 * Writes a file that must not exist yet; it appears with all of its content or not at all.
 * @throws Failure
 */
export function writeNew(path: string, content: string | Uint8Array, mode = 0o644): void {
  const fresh = `${path}.${process.pid}.new`;
  try {
    const file = openSync(fresh, "wx", mode);
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // Unlike a rename, a link never replaces what is there.
    linkSync(fresh, path);
  } catch (error) {
    throw new Failure(`can not write ${path}: ${words(error)}`);
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** Writes or replaces a file; it has the old or the new content. @throws Failure */
export function writeWhole(path: string, content: string | Uint8Array): void {
  try {
    replaceFile(path, content);
  } catch (error) {
    throw new Failure(`can not write ${path}: ${words(error)}`);
  }
}
