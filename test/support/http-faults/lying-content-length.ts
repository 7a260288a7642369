/**
 * Gives a Content-Length that is not the body's: by turns twice as long, so that the end never comes, and half
 * as long, so that what follows looks like the next response.
 * @module
 */
import { type Misbehaviour, partial } from "./fault-server.js";

export const lyingContentLength: Misbehaviour = ({ response, turn, first, last, image, body }) => {
  const length = turn % 2 ? body.length >> 1 : body.length * 2;
  partial(response, first, last, image.length, length).write(body);
  if (turn % 2) response.end();
};
