/**
 * Sends half of a range and then nothing; the connection stays open.
 * @module
 */
import { type Misbehaviour, partial } from "./fault-server.js";

export const stall: Misbehaviour = ({ response, first, last, image, body }) => {
  partial(response, first, last, image.length, body.length).write(body.subarray(0, body.length >> 1));
};
