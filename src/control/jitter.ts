/**
 * Times that are not the same for all devices of a fleet.
 * @module
 */
import type { Random } from "../ports.js";

/** A time of about `ms`, spread over ±25 % so that a fleet does not act in step. */
export function spread(ms: number, options: { readonly random: Random }): number {
  return ms * (0.75 + options.random() / 2);
}
