/**
 * What the tests inside XS have of the process that runs them, beside the calls of the ports (hosts/xs/wire.ts).
 * @module
 */

/** The first byte of a call for the SHA-256 of what follows. */
export const SHA256 = 255;
