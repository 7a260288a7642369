/**
 * The simulator has no native decoder of payloads: it takes the one in JavaScript.
 * @module
 */
import type { NativeDecoder } from "xs-ota-agent/payload";

export const nativeDecoder: NativeDecoder | undefined = undefined;
