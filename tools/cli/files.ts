/**
 * Reading and writing files, with errors a person understands and without half-written results.
 * @module
 */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { replaceFile } from "../../hosts/node/replace-file.js";
import { systemWords } from "./errno.js";
import { Failure, oneLine } from "./failure.js";

/** The largest flash chip that is looked at, and more than any image: what goes on behind it is not read. */
const READ_LIMIT = 128 * 1_048_576;
const CHUNK = 1_048_576;

/** Why a file cannot be used, without error numbers. */
export function words(error: unknown): string {
  return systemWords(error) ?? oneLine(error);
}

/** A file, or what a pipe brings; never without end, as devices go on. @throws Failure */
export function readBytes(path: string): Uint8Array {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const stat = fstatSync(file);
    if (stat.isCharacterDevice()) throw new Failure(`cannot read ${path}: it is a device`);
    return readUpTo(file, path);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`cannot read ${path}: ${words(error)}`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** What comes over standard input, up to an end. @throws Failure */
export function readStandardInput(): Uint8Array {
  try {
    return readUpTo(0, "standard input");
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`cannot read standard input: ${words(error)}`);
  }
}

function readUpTo(file: number, path: string): Uint8Array {
  const parts: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const part = new Uint8Array(CHUNK);
    const length = readSync(file, part);
    if (length === 0) break;
    parts.push(part.subarray(0, length));
    total += length;
    if (total > READ_LIMIT)
      throw new Failure(`cannot read ${path}: it has more than ${READ_LIMIT / 1_048_576} MB`);
  }
  return new Uint8Array(Buffer.concat(parts, total));
}

/** @throws Failure */
export function readText(path: string): string {
  return new TextDecoder().decode(readBytes(path));
}

/** Throws Failure when a file, or a link to nowhere, that must not be replaced is there. */
export function refuseExisting(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }))
    throw new Failure(`${path} exists already and is not replaced`);
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
    throw new Failure(`cannot write ${path}: ${words(error)}`);
  } finally {
    rmSync(fresh, { force: true });
  }
}

/**
 * Writes a file. One that exists is replaced, whole, only with `force`; never a key, a folder or a device.
 * @throws Failure
 */
export function writeWhole(path: string, content: string | Uint8Array, force: boolean): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return writeNew(path, content);
  // Standard output and its like are written to, not replaced.
  if (stat.isCharacterDevice() || stat.isFIFO()) return writeInto(path, content);
  if (!force) throw new Failure(`${path} exists already: --force replaces it`);
  if (!stat.isFile()) throw new Failure(`cannot write ${path}: it is no file`);
  if (holdsKey(path)) throw new Failure(`${path} holds a private key and is not replaced`);
  try {
    replaceFile(path, content);
  } catch (error) {
    throw new Failure(`cannot write ${path}: ${words(error)}`);
  }
}

/** Writes a file for its owner's eyes alone; one that exists is replaced, whole. @throws Failure */
export function replaceSecret(path: string, content: string): void {
  try {
    replaceFile(path, content, 0o600);
  } catch (error) {
    throw new Failure(`cannot write ${path}: ${words(error)}`);
  }
}

function writeInto(path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content, { flag: "w" });
  } catch (error) {
    throw new Failure(`cannot write ${path}: ${words(error)}`);
  }
}

function holdsKey(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const head = new Uint8Array(4096);
    return /PRIVATE KEY-----/.test(new TextDecoder().decode(head.subarray(0, readSync(file, head))));
  } finally {
    closeSync(file);
  }
}
