/**
 * Sends a range of another place, and says so.
 * @module
 */
import { type Misbehaviour, partial } from "./fault-server.js";

export const wrongContentRange: Misbehaviour = ({ response, first, last, image }) => {
  const shift = last + 1 < image.length ? 1 : -1;
  const body = image.subarray(first + shift, last + 1 + shift);
  partial(response, first + shift, last + shift, image.length, body.length).end(body);
};
