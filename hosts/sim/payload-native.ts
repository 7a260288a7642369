/**
 * The simulator has no native decoder of payloads: it takes the one in JavaScript.
 * @module
 */
export { jsDecoder as makeDecoder } from "xs-ota-agent/payload-decoder";

/** Compressed images are not taken by default: JavaScript takes minutes for one. */
export const packed: boolean = false;
