/**
 * Has had too many requests, and says for how long.
 * @module
 */
import type { Misbehaviour } from "./fault-server.js";

/** What it asks for, in seconds. */
export const RETRY_AFTER = 1;

export const tooManyRequests: Misbehaviour = ({ response }) => {
  response.writeHead(429, { "Retry-After": RETRY_AFTER }).end("slow down");
};
