/**
 * How much of something is tried where the tests run: XS interprets, and takes some fifty times as long as Node. All of it is
 * tried on Node.
 * @module
 */
declare global {
  /** Set by `test/xs/shim.ts`. */
  var isXs: boolean | undefined;
}

/** @param onXs the part of it that XS has time for */
export function here<T>(all: T, onXs: T): T {
  return globalThis.isXs ? onXs : all;
}
