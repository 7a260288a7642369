/**
 * Redirects from one address to the next and back, for ever.
 * @module
 */
import type { Misbehaviour } from "./fault-server.js";

export const redirectLoop: Misbehaviour = ({ response, target }) => {
  const location = target === "/image.bin" ? "/elsewhere" : "/image.bin";
  response.writeHead(302, { Location: location }).end();
};
