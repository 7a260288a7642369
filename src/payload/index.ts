/**
 * Small payloads: deltas and compressed images. An entry point of its own (`xs-ota-agent/payload`), so that a product
 * without them does not pay for it.
 * @module
 */
export type { MakeDecoder, PayloadDecoder, PayloadPlace, PayloadSource, Read } from "./decoder.js";
export type { PayloadHeader } from "./header.js";
export { StagedPal, type StagedPalOptions } from "./staged-pal.js";
