/**
 * What the system says, in words: error numbers and names of system calls are for nobody at a terminal.
 * @module
 */
import { getSystemErrorMap } from "node:util";

const WORDS: Readonly<Record<string, string>> = Object.freeze({
  ENOENT: "there is no such file or folder",
  EISDIR: "it is a folder",
  ENOTDIR: "part of its path is no folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EEXIST: "it exists already",
  ENOSPC: "the disk is full",
  EROFS: "the disk is read-only",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file is larger than this system allows",
  ELOOP: "its links lead in a circle",
  ENAMETOOLONG: "its name is too long",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
  EIO: "the disk reports an error",
  EBUSY: "it is in use",
  ENXIO: "nobody writes to it",
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the other side closes the connection",
  EPIPE: "the other side closes the connection",
  EHOSTUNREACH: "the host is not reached",
  ENETUNREACH: "the network is not reached",
  ETIMEDOUT: "it takes too long",
  ENOTFOUND: "the host is not known",
  EAI_AGAIN: "the host is not known",
  EADDRINUSE: "the port is in use already",
  EADDRNOTAVAIL: "this machine has no such address",
});

/** Why something of the system failed; undefined when the error is none of the system's. */
export function systemWords(error: unknown): string | undefined {
  // Several addresses of a host were tried.
  if (error instanceof AggregateError) return systemWords(error.errors[0]);
  if (!(error instanceof Error)) return undefined;
  const { code, errno, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return undefined;
  return WORDS[code] ?? getSystemErrorMap().get(errno ?? 0)?.[1];
}

/** What it was about: a path, or where a connection was to lead. */
export function systemSubject(error: unknown): string | undefined {
  if (error instanceof AggregateError) return systemSubject(error.errors[0]);
  const { path, address, port, hostname } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
    hostname?: string;
  };
  return path ?? (address === undefined ? hostname : `${address}${port === undefined ? "" : `:${port}`}`);
}
