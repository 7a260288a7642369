/**
 * What a component's file says of itself in its first 256 bytes: name, product, version, and the firmware it goes with.
 * The rest of the file is the content. Layout: docs/SPEC.md, "Component file". The signature is over the whole file.
 * @module
 */
import { OtaError } from "../errors.js";

export interface ComponentHeader {
  /** Which component this is, such as "assets". */
  readonly name: string;
  /** The product, as `project_name` of its firmware. */
  readonly projectName: string;
  readonly version: string;
  /** Oldest and newest firmware it goes with; empty: any. */
  readonly minFirmware: string;
  readonly maxFirmware: string;
}

export const COMPONENT_HEADER_LENGTH = 256;
/** "XSOTAC1" and a NUL, as two numbers, little-endian. Changes with the layout. */
const MAGIC_LOW = 0x544f5358;
const MAGIC_HIGH = 0x00314341;
/** Length of a text, bytes, the NUL that ends it included; the texts stand one behind the other from byte 16 on. */
const TEXT_LENGTH = 32;
const TEXTS_AT = 16;
const TEXTS = 5;

function refuse(why: string): never {
  throw new OtaError("bad-image", `component: ${why}`);
}

/**
 * A text of printable ASCII characters without spaces, ended and filled up with NUL.
 * @param length of the field, the NUL included
 * @throws OtaError "bad-image"
 */
export function printable(bytes: Uint8Array, at: number, length: number): string {
  let text = "";
  let ended = false;
  for (let n = 0; n < length; n++) {
    const code = bytes[at + n];
    if (!code) ended = true;
    else if (ended || code < 0x21 || code > 0x7e) refuse("a text is not as it must be");
    else text += String.fromCharCode(code);
  }
  if (!ended) refuse("a text has no end");
  return text;
}

/**
 * @param head at least the first 256 bytes of the file
 * @param fileSize bytes of the file
 * @throws OtaError "bad-image"
 */
export function parseComponentHeader(head: Uint8Array, fileSize: number): ComponentHeader {
  if (head.length < COMPONENT_HEADER_LENGTH) refuse("the file is too short");
  const view = new DataView(head.buffer, head.byteOffset, COMPONENT_HEADER_LENGTH);
  if (view.getUint32(0, true) !== MAGIC_LOW || view.getUint32(4, true) !== MAGIC_HIGH)
    refuse("the file does not begin with a component's header");
  if (view.getUint32(8, true) !== fileSize - COMPONENT_HEADER_LENGTH)
    refuse("the header's length is not that of the file");
  for (let at = TEXTS_AT + TEXTS * TEXT_LENGTH; at < COMPONENT_HEADER_LENGTH; at++)
    if (head[at]) refuse("bytes that must be 0 are not");
  if (view.getUint32(12, true)) refuse("bytes that must be 0 are not");
  const texts: string[] = [];
  for (let n = 0; n < TEXTS; n++) texts.push(printable(head, TEXTS_AT + n * TEXT_LENGTH, TEXT_LENGTH));
  const [name, projectName, version, minFirmware, maxFirmware] = texts;
  if (!name || !projectName || !version) refuse("name, product or version is missing");
  return { name, projectName, version, minFirmware, maxFirmware };
}
