/**
 * Goes on behind the end of the range it announces.
 * @module
 */
import { type Misbehaviour, partial } from "./fault-server.js";

export const longBody: Misbehaviour = ({ response, first, last, image, body }) => {
  partial(response, first, last, image.length).write(body);
  response.end(image);
};
