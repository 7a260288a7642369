/**
 * Reading files of a folder that others may write to: links to nowhere, pipes and devices harm nothing.
 * @module
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** A file that cannot be used, with the reason in words. */
export class FileProblem extends Error {
  override readonly name = "FileProblem";
}

/**
 * @param limit bytes
 * @throws FileProblem when there is no regular file of at most so many bytes
 */
export function readRegularFile(path: string, limit: number): Uint8Array {
  let file: number;
  try {
    // Without it, opening a pipe waits for somebody who writes.
    file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw new FileProblem(openProblem(error as NodeJS.ErrnoException));
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new FileProblem("it is no file");
    if (stat.size > limit) throw new FileProblem("it is too large for firmware");
    const bytes = new Uint8Array(stat.size);
    let at = 0;
    while (at < bytes.length) {
      const length = readSync(file, bytes, at, bytes.length - at, at);
      if (length === 0) break;
      at += length;
    }
    return bytes.subarray(0, at);
  } catch (error) {
    if (error instanceof FileProblem) throw error;
    throw new FileProblem("it cannot be read");
  } finally {
    closeSync(file);
  }
}

function openProblem({ code }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") return "it is a link to nowhere, or gone";
  if (code === "ELOOP") return "its links lead in a circle";
  return code === "EACCES" || code === "EPERM" ? "permission denied" : "it cannot be read";
}
