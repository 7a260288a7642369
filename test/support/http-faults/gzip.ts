/**
 * Compresses what was asked for uncompressed.
 * @module
 */
import { gzipSync } from "node:zlib";
import { type Misbehaviour, partial } from "./fault-server.js";

export const gzip: Misbehaviour = ({ response, first, last, image, body }) => {
  const packed = gzipSync(body);
  response.setHeader("Content-Encoding", "gzip");
  partial(response, first, last, image.length, packed.length).end(packed);
};
