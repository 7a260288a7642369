/**
 * Knows no ranges: answers 200 with the whole file.
 * @module
 */
import type { Misbehaviour } from "./fault-server.js";

export const wholeFile: Misbehaviour = ({ response, image }) => {
  response.writeHead(200, { "Content-Length": image.length }).end(image);
};
