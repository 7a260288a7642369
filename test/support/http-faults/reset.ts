/**
 * Breaks the connection in the middle of a body (TCP RST).
 * @module
 */
import { type Misbehaviour, partial } from "./fault-server.js";

export const reset: Misbehaviour = ({ response, first, last, image, body }) => {
  partial(response, first, last, image.length, body.length);
  response.write(body.subarray(0, body.length >> 1), () => response.socket?.resetAndDestroy());
};
