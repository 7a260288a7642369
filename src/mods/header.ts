/**
 * What the file of a mod says of itself behind its component's header, in 32 bytes: for which engine and which host the
 * archive that follows was made. Both headers are in the first block, so that it decides. Layout: docs/SPEC.md, "Mods".
 * @module
 */
import { COMPONENT_HEADER_LENGTH } from "../components/header.js";
import { OtaError } from "../errors.js";

/** Where the archive begins in the file: a multiple of 32, so that its resources stay aligned. */
export const ARCHIVE_AT = COMPONENT_HEADER_LENGTH + 32;
/** Length of the identity of a host, bytes: the MD5 of its table of symbols. */
export const HOST_LENGTH = 16;
/** "XSOTAM1" and a NUL, as two numbers, little-endian. Changes with the layout. */
const MAGIC_LOW = 0x544f5358;
const MAGIC_HIGH = 0x00314d41;
const VERSION_AT = COMPONENT_HEADER_LENGTH + 8;
const NAMES_AT = COMPONENT_HEADER_LENGTH + 12;
const HOST_AT = COMPONENT_HEADER_LENGTH + 16;
/** Header of an archive, an empty name and one symbol: nothing shorter is one. */
const SHORTEST_ARCHIVE = 85;

export interface ModHeader {
  /** XS version the archive was compiled for: major, minor, patch. */
  readonly xs: readonly [number, number, number];
  /** Names of the archive that the host it was made for does not have: room it needs in the table of keys. */
  readonly newNames: number;
  /** The only host it may run on, as `ModEngine.host`; undefined: any. */
  readonly host: Uint8Array | undefined;
}

/**
 * @param head at least the first 288 bytes of the file
 * @param fileSize bytes of the file
 * @throws OtaError "bad-image"
 */
export function parseModHeader(head: Uint8Array, fileSize: number): ModHeader {
  if (head.length < ARCHIVE_AT || fileSize < ARCHIVE_AT + SHORTEST_ARCHIVE)
    throw new OtaError("bad-image", "mod: the file is too short");
  const view = new DataView(head.buffer, head.byteOffset, ARCHIVE_AT);
  if (
    view.getUint32(COMPONENT_HEADER_LENGTH, true) !== MAGIC_LOW ||
    view.getUint32(COMPONENT_HEADER_LENGTH + 4, true) !== MAGIC_HIGH
  )
    throw new OtaError("bad-image", "mod: the component is not a mod");
  if (head[VERSION_AT + 3]) throw new OtaError("bad-image", "mod: bytes that must be 0 are not");
  const host = head.slice(HOST_AT, HOST_AT + HOST_LENGTH);
  return {
    xs: [head[VERSION_AT], head[VERSION_AT + 1], head[VERSION_AT + 2]],
    newNames: view.getUint32(NAMES_AT, true),
    host: host.some((byte) => byte !== 0) ? host : undefined,
  };
}
