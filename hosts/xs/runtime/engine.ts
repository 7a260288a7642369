/**
 * What the bare XS engine offers, and synchronous calls of the host over it.
 * @module
 */
import { fromUtf8, toUtf8, Writer } from "../wire.js";

/** xsnap-worker: hands bytes to the host and blocks until it answers. */
declare const issueCommand: (message: ArrayBuffer) => ArrayBuffer;

/** @throws Error (RangeError for one at the host) */
export function call(message: Uint8Array<ArrayBuffer>): Uint8Array {
  const answer = new Uint8Array(issueCommand(message.buffer));
  if (answer[0] === 0) return answer.subarray(1);
  const [name, text] = fromUtf8(answer.subarray(1)).split("\n", 2);
  throw name === "RangeError" ? new RangeError(text) : new Error(text);
}

/** A call whose only field runs to the end. */
export function callText(code: number, text: string): Uint8Array {
  const bytes = toUtf8(text);
  return call(new Writer(1 + bytes.length).u8(code).bytes(bytes).finish());
}

/** A call whose only field is a number. */
export function callNumber(code: number, value: number): Uint8Array {
  return call(new Writer(5).u8(code).u32(value).finish());
}
