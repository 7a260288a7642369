/**
 * What a deliberate fault is.
 * @module
 */

export interface Mutation {
  /** What is broken. */
  readonly name: string;
  readonly file: string;
  /** Text that stands in the file exactly once, and what takes its place. */
  readonly from: string;
  readonly to: string;
  /** Tests that have to fail. */
  readonly tests: readonly string[];
}

export function mutations(
  file: string,
  tests: readonly string[],
  list: readonly [string, string, string][],
): Mutation[] {
  return list.map(([name, from, to]) => ({ name, file, from, to, tests }));
}
