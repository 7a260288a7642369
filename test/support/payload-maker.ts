/**
 * Payloads for tests that are not about making them. Where what runs the tests offers to make them, that is taken: on XS a
 * delta of a small image takes longer than the update it is for.
 * @module
 */
import { makeDelta, packImage } from "../../tools/payload/encoder.js";
import { sha256 } from "./sha256.js";

declare global {
  /** A delta from `base`, or without one the packed image. Set by `test/xs/shim.ts`. */
  var ownPayload: typeof makePayload | undefined;
}

/** @param segmentLog2 binary logarithm of the bytes in a segment; 12, so that small images have several */
export function makePayload(image: Uint8Array, base?: Uint8Array, segmentLog2 = 12): Uint8Array {
  if (globalThis.ownPayload) return globalThis.ownPayload(image, base, segmentLog2);
  const options = { sha256, segmentLog2 };
  return base ? makeDelta(base, image, options) : packImage(image, options);
}
