/**
 * Sends a range in drops.
 * @module
 */
import { type Misbehaviour, partial } from "./fault-server.js";

/** @param size bytes of a drop @param interval between two drops, ms */
export function drip(size: number, interval: number): Misbehaviour {
  return ({ response, first, last, image, body }) => {
    partial(response, first, last, image.length, body.length);
    let at = 0;
    const timer = setInterval(() => {
      response.write(body.subarray(at, at + size));
      at += size;
      if (at < body.length) return;
      clearInterval(timer);
      response.end();
    }, interval);
    response.on("close", () => clearInterval(timer));
  };
}
