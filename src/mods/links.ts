/**
 * What a device must know of the two places of its mod beside what the components' record says: digest of the file in
 * each, for which host it is linked, and how far linking came. Nothing here decides what is in use; a record that is lost
 * costs a mod, never the other one. Layout: docs/SPEC.md, "Mods".
 * @module
 */
import { OtaError } from "../errors.js";
import { HOST_LENGTH } from "./header.js";

/** What lies in a place: nothing that is known, */
export const EMPTY = 0;
/** a verified file as it was built, */
export const BUILT = 1;
/** one that is being linked where it lies: whole but for the sector in the scratch, */
export const LINKING = 2;
/** one that is linked for `host`, */
export const LINKED = 3;
/** or a copy of the other place's that is being made: worth nothing until it is. */
export const COPYING = 4;

export const DIGEST_LENGTH = 32;
/** First bytes of the SHA-256 of what is in the scratch. */
export const SCRATCH_ID_LENGTH = 16;
export const NONE = 0xff;

export interface PlaceRecord {
  /** EMPTY, BUILT, LINKING, LINKED or COPYING. */
  state: number;
  fileSize: number;
  /** SHA-256 of the file as it was built. */
  digest: Uint8Array;
  host: Uint8Array;
}

export interface Links {
  /** Place and sector whose content is in the scratch, NONE when there is none. */
  scratchPlace: number;
  scratchSector: number;
  scratchId: Uint8Array;
  readonly places: readonly [PlaceRecord, PlaceRecord];
}

const FORMAT = 1;
const SCRATCH_ID_AT = 16;
const PLACES_AT = 32;
const PLACE_LENGTH = 64;
const DIGEST_AT = 8;
const HOST_AT = DIGEST_AT + DIGEST_LENGTH;
const LENGTH = PLACES_AT + 2 * PLACE_LENGTH;

export function emptyPlace(): PlaceRecord {
  return {
    state: EMPTY,
    fileSize: 0,
    digest: new Uint8Array(DIGEST_LENGTH),
    host: new Uint8Array(HOST_LENGTH),
  };
}

export function newLinks(): Links {
  return {
    scratchPlace: NONE,
    scratchSector: 0,
    scratchId: new Uint8Array(SCRATCH_ID_LENGTH),
    places: [emptyPlace(), emptyPlace()],
  };
}

export function encodeLinks(links: Links): Uint8Array {
  const bytes = new Uint8Array(LENGTH);
  const view = new DataView(bytes.buffer);
  bytes[0] = FORMAT;
  bytes[1] = links.scratchPlace;
  view.setUint16(2, links.scratchSector, true);
  bytes.set(links.scratchId, SCRATCH_ID_AT);
  let at = PLACES_AT;
  for (const { state, fileSize, digest, host } of links.places) {
    bytes[at] = state;
    view.setUint32(at + 4, fileSize, true);
    bytes.set(digest, at + DIGEST_AT);
    bytes.set(host, at + HOST_AT);
    at += PLACE_LENGTH;
  }
  return bytes;
}

/** @throws OtaError "bad-image-state" for a record of another format */
export function decodeLinks(bytes: Uint8Array): Links {
  if (bytes[0] !== FORMAT || bytes.length !== LENGTH)
    throw new OtaError("bad-image-state", "the record of the mod's links has another format");
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const links = newLinks();
  links.scratchPlace = bytes[1];
  links.scratchSector = view.getUint16(2, true);
  links.scratchId = bytes.slice(SCRATCH_ID_AT, PLACES_AT);
  let at = PLACES_AT;
  for (const place of links.places) {
    place.state = bytes[at];
    place.fileSize = view.getUint32(at + 4, true);
    place.digest = bytes.slice(at + DIGEST_AT, at + HOST_AT);
    place.host = bytes.slice(at + HOST_AT, at + HOST_AT + HOST_LENGTH);
    at += PLACE_LENGTH;
  }
  return links;
}
