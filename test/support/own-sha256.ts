/**
 * For mocha's `require`: tests on Node take Node's SHA-256.
 * @module
 */
import { createHash } from "node:crypto";

globalThis.ownSha256 = (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest());
