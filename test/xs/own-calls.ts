/**
 * What the tests inside XS have of the process that runs them, beside the calls of the ports (hosts/xs/wire.ts).
 * @module
 */

/** The first byte of a call for the SHA-256 of what follows. */
export const SHA256 = 255;
/** The first byte of a call for a payload: then the logarithm of its segment, the bytes of the base, 32 bits, base and image. */
export const PAYLOAD = 254;
export const PAYLOAD_HEAD = 6;
