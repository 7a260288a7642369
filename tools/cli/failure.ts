/**
 * How commands end.
 * @module
 */

import { systemSubject, systemWords } from "./errno.js";
import { printable } from "./printable.js";

/** As asked; the outcome is not the one wanted; unusable options or input; stopped by Ctrl-C. */
export const OK = 0;
export const FAILED = 1;
export const UNUSABLE = 2;
export const INTERRUPTED = 130;

/** Ends the program with one line on stderr. */
export class Failure extends Error {
  override name = "Failure";
  readonly exitCode: number;

  /** @param message what a person has to know, in one line */
  constructor(message: string, exitCode: number = UNUSABLE) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The text of an error in one line, without error numbers. */
export function oneLine(error: unknown): string {
  const system = systemWords(error);
  const subject = system === undefined ? undefined : systemSubject(error);
  const text =
    system === undefined
      ? error instanceof Error
        ? error.message || error.name
        : String(error)
      : `${subject === undefined ? "" : `${subject}: `}${system}`;
  return printable(text.replace(/\s*[\r\n]+\s*/g, " ").trim());
}
