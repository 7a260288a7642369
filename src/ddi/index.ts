/**
 * Eclipse hawkBit as the fleet's service. An entry point of its own, so that a product without it does not pay for it.
 * @module
 */
export { authorized } from "./authorized.js";
export { type DdiOptions, ddi } from "./ddi.js";
