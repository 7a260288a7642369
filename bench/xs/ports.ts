/**
 * Ports of a device that cost next to nothing: what is measured is the agent.
 * @module
 */
import type { BootControl, Crypto } from "../../src/index.js";

export const digest = new Uint8Array(32);
const hash = { update() {}, digest: () => digest };
export const crypto: Crypto = { sha256: () => hash, verifyEcdsaP256: () => true, verifyRsa: () => true };
export const boot = {
  running: { chipId: 5, projectName: "bench", version: "1.0.0", secureVersion: 0, buildId: "00000000" },
  rollbackEnabled: true,
  imageState: () => "valid",
  otherState: () => "undefined",
  clearOther() {},
  keepWayBack() {},
} as unknown as BootControl;
