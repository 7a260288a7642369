/**
 * Payloads for tests: decoding in memory, and made by hand. Runs on Node and on XS.
 * @module
 */
import { beginSegment, type PayloadDecoder, type PayloadSource } from "../../src/payload/decoder.js";
import { PayloadHeader, START_LENGTH } from "../../src/payload/header.js";
import { jsDecoder } from "../../src/payload/js-decoder.js";
import { assemble, type Part, type Plan } from "../../tools/payload/assemble.js";
import { sha256 } from "./sha256.js";

const SECTOR = 4096;

export function reader(from: Uint8Array): (into: Uint8Array, offset: number) => void {
  return (into, offset) => {
    if (offset < 0 || offset + into.length > from.length)
      throw new Error(`read of ${offset}+${into.length} of ${from.length}`);
    into.set(from.subarray(offset, offset + into.length));
  };
}

/** Decodes a payload, `step` bytes at a time. */
export function decodeAll(
  payload: Uint8Array,
  base: Uint8Array = new Uint8Array(),
  step = SECTOR,
  make: (header: PayloadHeader, source: PayloadSource) => PayloadDecoder = jsDecoder,
): { header: PayloadHeader; image: Uint8Array } {
  const header = new PayloadHeader(payload.subarray(0, START_LENGTH), payload.length);
  const image = new Uint8Array(header.imageLength);
  const source = { payload: reader(payload), base: reader(base), output: reader(image) };
  const decoder = make(header, source);
  const length = 1 << header.segmentLog2;
  for (let start = 0; start < image.length; start += length) {
    beginSegment(decoder, header, start);
    const end = Math.min(start + length, image.length);
    for (let at = start; at < end; at += step) {
      // Output is on flash only once its sector is complete.
      const sector = new Uint8Array(Math.min(step, end - at));
      decoder.decode(sector);
      image.set(sector, at);
    }
  }
  return { header, image };
}

/** A payload of parts that are made by hand. */
export function payloadOf(plan: Partial<Plan>, parts: readonly Part[]): Uint8Array {
  const whole = { image: new Uint8Array(SECTOR), base: undefined, predictor: 0, log2: 12 };
  return assemble({ ...whole, segments: [], steps: [], sha256, ...plan }, parts);
}
