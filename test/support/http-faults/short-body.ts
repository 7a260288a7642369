/**
 * Ends a chunked body, in good form, after half of the range it announces.
 * @module
 */
import { type Misbehaviour, partial } from "./fault-server.js";

export const shortBody: Misbehaviour = ({ response, first, last, image, body }) => {
  partial(response, first, last, image.length).end(body.subarray(0, body.length >> 1));
};
