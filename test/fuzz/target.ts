/**
 * What a parser has to offer to be fuzzed. A new one goes into a file under `targets/` and into `registry.ts`.
 * @module
 */
import { OtaError, type OtaErrorCode } from "../../src/errors.js";
import type { Random } from "./random.js";

export interface FuzzTarget {
  readonly name: string;
  /** Good inputs, and bad ones worth starting from. At least one. */
  readonly corpus: readonly Uint8Array[];
  /** Pieces that mean something to this parser. */
  readonly dictionary?: readonly Uint8Array[];
  /** Longest input, in bytes. Default 4096. */
  readonly maxLength?: number;
  /** Its share of the inputs, against 1 of the others. */
  readonly weight?: number;
  /** Makes an input from the grammar, half-broken. Without it inputs are mutations of the corpus only. */
  generate?(random: Random): Uint8Array;
  /**
   * Parses one input and checks what comes out.
   * @returns the outcome in words: `TAKEN`, or why the input was refused
   * @throws anything, when the parser did what it must never do
   */
  run(input: Uint8Array): string;
}

/** Outcome of an input that was parsed. */
export const TAKEN = "taken";

/**
 * Runs a parser that may refuse its input with an OtaError of one of `codes`, and in no other way.
 * @param check looks at the result
 */
export function outcome<T>(
  parse: () => T,
  codes: readonly OtaErrorCode[],
  check: (result: T) => void = () => undefined,
): string {
  let result: T;
  try {
    result = parse();
  } catch (error) {
    if (error instanceof OtaError && codes.includes(error.code)) return refused(error);
    throw error;
  }
  check(result);
  return TAKEN;
}

/** Numbers in messages tell inputs apart, not outcomes. */
export function refused(error: OtaError): string {
  return `${error.code}: ${error.message.replace(/\d+/g, "#")}`;
}

/** States what must be true of a result. */
export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`must hold: ${what}`);
}
