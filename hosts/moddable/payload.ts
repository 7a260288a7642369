/**
 * Deltas and compressed images on the Moddable runtime. A module of its own (`xs-ota-agent/payload-device`), for products
 * that want them.
 * @module
 */
import { makeDecoder, packed } from "moddable:xs-ota-agent/payload-native";
import { openPartition } from "moddable:xs-ota-agent/platform";
import { StagedPal, type StagedPalOptions } from "xs-ota-agent/payload";

/** For the agent's option `payloads`. `packed`: take compressed images. Default: with the native decoder alone. */
export function payloads(options: Pick<StagedPalOptions, "packed"> = {}) {
  return (parts: Omit<StagedPalOptions, "running" | "decoder" | "packed">): StagedPal =>
    new StagedPal({
      ...parts,
      running: openPartition("running"),
      decoder: makeDecoder,
      packed: options.packed ?? packed,
    });
}
