/**
 * Small payloads: deltas and compressed images. An entry point of its own (`xs-ota-agent/payload`), so that a product
 * without them does not pay for it.
 * @module
 */
export type { PayloadDecoder } from "./decoder.js";
export { type NativeDecoder, StagedPal, type StagedPalOptions } from "./staged-pal.js";
