/**
 * Firmware made with Node's own SHA-256, which is many times faster.
 * @module
 */
import { createHash } from "node:crypto";
import { Foundry } from "../images.js";

export function nodeFoundry(): Foundry {
  return new Foundry(() => {
    const hash = createHash("sha256");
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => new Uint8Array(hash.digest()),
    };
  });
}
