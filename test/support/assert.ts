/**
 * The assertions used by tests that run on Node and on XS alike: `node:assert` does not exist there.
 * @module
 */

export class AssertionError extends Error {
  override name = "AssertionError";
}

function show(value: unknown): string {
  if (value instanceof Uint8Array) return `Uint8Array(${value.length}) ${hex(value.subarray(0, 64))}`;
  if (value instanceof Error) return `${value.constructor.name}: ${value.message}`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `function ${value.name}`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fail(message: string): never {
  throw new AssertionError(message);
}

export function ok(value: unknown, message = "expected a true value"): asserts value {
  if (!value) fail(message);
}

export function equal<T>(actual: T, expected: T, message = "values differ"): void {
  if (!Object.is(actual, expected)) fail(`${message}: got ${show(actual)}, expected ${show(expected)}`);
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    if (!(a instanceof Uint8Array && b instanceof Uint8Array) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
    return true;
  }
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a).filter((key) => (a as Record<string, unknown>)[key] !== undefined);
  const others = Object.keys(b).filter((key) => (b as Record<string, unknown>)[key] !== undefined);
  if (keys.length !== others.length) return false;
  return keys.every((key) => same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]));
}

/** Structural equality; properties that are `undefined` count as absent. */
export function deepEqual(actual: unknown, expected: unknown, message = "values differ"): void {
  if (!same(actual, expected)) fail(`${message}: got ${show(actual)}, expected ${show(expected)}`);
}

export interface Expected {
  /** Constructor the error must be an instance of. */
  type?: new (
    ...args: never[]
  ) => Error;
  /** Value of its `code` property. */
  code?: string;
  /** Text or pattern its message must contain. */
  message?: string | RegExp;
}

function check(error: unknown, expected: Expected): void {
  if (!(error instanceof Error)) fail(`threw ${show(error)}, which is no Error`);
  if (expected.type && !(error instanceof expected.type))
    fail(`expected ${expected.type.name}, got ${show(error)}`);
  const code = (error as Error & { code?: unknown }).code;
  if (expected.code !== undefined && code !== expected.code)
    fail(`expected code "${expected.code}", got ${show(code)} (${error.message})`);
  const { message } = expected;
  if (message !== undefined) {
    const found = typeof message === "string" ? error.message.includes(message) : message.test(error.message);
    if (!found) fail(`message "${error.message}" does not contain ${message}`);
  }
}

export function throws(action: () => unknown, expected: Expected = {}): void {
  let result: unknown;
  try {
    result = action();
  } catch (error) {
    check(error, expected);
    return;
  }
  fail(`expected an error, got ${show(result)}`);
}

export async function rejects(promise: Promise<unknown>, expected: Expected = {}): Promise<void> {
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    check(error, expected);
    return;
  }
  fail(`expected a rejection, got ${show(result)}`);
}
