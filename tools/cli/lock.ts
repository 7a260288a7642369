/**
 * A lock on a folder: one process at a time uses it. The lock of a process that has gone is taken over.
 * @module
 */
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FAILED, Failure } from "./failure.js";
import { words } from "./files.js";

const NAME = "lock";

/**
 * @returns gives the lock back
 * @throws Failure when another process has it, or the folder cannot be written
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, NAME);
  const own = `${path}.${process.pid}`;
  try {
    rmSync(own, { force: true });
    writeFileSync(own, `${process.pid}\n`, { flag: "wx" });
    if (!take(own, path)) {
      const owner = ownerOf(path);
      if (owner !== undefined && isAlive(owner))
        throw new Failure(`${folder} is in use by process ${owner}`, FAILED);
      rmSync(path, { force: true });
      if (!take(own, path)) throw new Failure(`${folder} is in use by another process`, FAILED);
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`cannot use ${folder}: ${words(error)}`, FAILED);
  } finally {
    rmSync(own, { force: true });
  }
  return () => rmSync(path, { force: true });
}

/** A link is made whole or not at all, and never replaces one. */
function take(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function ownerOf(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
