/**
 * How a host hands over bytes that lie in a buffer of its own: in the buffer the receiver asks for.
 * @module
 */
import type { HttpHandler, MqttSubscription } from "../../src/ports.js";

/** Hands a message to a subscription; one that wants it in no buffer never sees it. */
export function deliverMessage(subscription: MqttSubscription, topic: string, payload: Uint8Array): void {
  if (subscription.buffer) {
    const buffer = subscription.buffer(topic, payload.length);
    if (!buffer) return;
    buffer.set(payload);
    payload = buffer.subarray(0, payload.length);
  }
  subscription.message(topic, payload);
}

/**
 * Fills a handler's buffers with a piece of a response's body.
 * @param over asked before each buffer: true when nothing more is wanted
 * @returns false when the handler has had enough
 * @throws RangeError when the handler gives an empty buffer
 */
export function deliverBody(handler: HttpHandler, chunk: Uint8Array, over: () => boolean): boolean {
  for (let at = 0; at < chunk.length && !over(); ) {
    const buffer = handler.buffer();
    const piece = chunk.subarray(at, at + buffer.length);
    if (piece.length === 0) throw new RangeError("the handler of a response gave an empty buffer");
    buffer.set(piece);
    at += piece.length;
    if (!handler.data(piece.length)) return false;
  }
  return true;
}
