/**
 * What the record log says: for each component which of its places is current and what lies in the other one, and
 * whether that is on trial. One record has all components, so that one write switches them together. Layout:
 * docs/SPEC.md, "Components".
 * @module
 */
import { OtaError } from "../errors.js";

/** A place's number, or none. */
export const NO_PLACE = 0xff;

/** What lies in the candidate's place: nothing worth anything, */
export const EMPTY = 0;
/** a verified file, */
export const VERIFIED = 1;
/** or one that was given up on trial. */
export const BAD = 2;

export interface ComponentRecord {
  readonly name: string;
  /** Place in use, `NO_PLACE` when there is none yet. */
  current: number;
  /** First bytes of the SHA-256 of the file in it. */
  currentId: Uint8Array;
  /** Place an update went to. */
  candidate: number;
  candidateId: Uint8Array;
  /** EMPTY, VERIFIED or BAD. */
  state: number;
}

export interface Records {
  /** The verified candidates are on trial, all of them together. */
  trial: boolean;
  /** Starts they have left. */
  attempts: number;
  /** Build of the firmware whose trial it is; empty when the components are on trial by themselves. */
  firmware: string;
  /** Of the last set that was accepted, and of the one on trial. */
  sequence: number;
  nextSequence: number;
  components: ComponentRecord[];
}

export const ID_LENGTH = 16;
const FORMAT = 1;
const HEADER_LENGTH = 32;
const RECORD_LENGTH = 64;
/** Longest name, bytes; a NUL follows. */
export const NAME_LENGTH = 15;
/** The log's records have 1024 bytes. */
export const MAX_COMPONENTS = 15;
const FIRMWARE_AT = 16;
const FIRMWARE_LENGTH = 16;
const CURRENT_AT = 16;
const CANDIDATE_AT = 17;
const STATE_AT = 18;
const IDS_AT = 32;

export function newRecords(names: readonly string[]): Records {
  return {
    trial: false,
    attempts: 0,
    firmware: "",
    sequence: 0,
    nextSequence: 0,
    components: names.map(newRecord),
  };
}

function newRecord(name: string): ComponentRecord {
  const none = new Uint8Array(ID_LENGTH);
  return { name, current: NO_PLACE, currentId: none, candidate: NO_PLACE, candidateId: none, state: EMPTY };
}

function putText(bytes: Uint8Array, at: number, text: string): void {
  for (let n = 0; n < text.length; n++) bytes[at + n] = text.charCodeAt(n);
}

function getText(bytes: Uint8Array, at: number, length: number): string {
  let text = "";
  for (let n = 0; n < length && bytes[at + n]; n++) text += String.fromCharCode(bytes[at + n]);
  return text;
}

export function encodeRecords(records: Records): Uint8Array {
  const { components } = records;
  const bytes = new Uint8Array(HEADER_LENGTH + components.length * RECORD_LENGTH);
  const view = new DataView(bytes.buffer);
  bytes[0] = FORMAT;
  bytes[1] = components.length;
  bytes[2] = records.trial ? 1 : 0;
  bytes[3] = records.attempts;
  view.setUint32(4, records.sequence, true);
  view.setUint32(8, records.nextSequence, true);
  putText(bytes, FIRMWARE_AT, records.firmware.slice(0, FIRMWARE_LENGTH));
  let at = HEADER_LENGTH;
  for (const record of components) {
    putText(bytes, at, record.name);
    bytes[at + CURRENT_AT] = record.current;
    bytes[at + CANDIDATE_AT] = record.candidate;
    bytes[at + STATE_AT] = record.state;
    bytes.set(record.currentId, at + IDS_AT);
    bytes.set(record.candidateId, at + IDS_AT + ID_LENGTH);
    at += RECORD_LENGTH;
  }
  return bytes;
}

/**
 * @param names of the product's components: one the record does not know begins empty, and one the product no longer has
 *   keeps its record, should an older firmware come back
 * @throws OtaError "bad-image-state" for a record of another format
 */
export function decodeRecords(bytes: Uint8Array, names: readonly string[]): Records {
  const count = bytes[1];
  if (bytes[0] !== FORMAT || bytes.length !== HEADER_LENGTH + count * RECORD_LENGTH)
    throw new OtaError("bad-image-state", "the record of the components has another format");
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const records = newRecords([]);
  records.trial = bytes[2] === 1;
  records.attempts = bytes[3];
  records.sequence = view.getUint32(4, true);
  records.nextSequence = view.getUint32(8, true);
  records.firmware = getText(bytes, FIRMWARE_AT, FIRMWARE_LENGTH);
  for (let n = 0; n < count; n++) {
    const at = HEADER_LENGTH + n * RECORD_LENGTH;
    const record = newRecord(getText(bytes, at, NAME_LENGTH));
    record.current = bytes[at + CURRENT_AT];
    record.candidate = bytes[at + CANDIDATE_AT];
    record.state = bytes[at + STATE_AT];
    record.currentId = bytes.slice(at + IDS_AT, at + IDS_AT + ID_LENGTH);
    record.candidateId = bytes.slice(at + IDS_AT + ID_LENGTH, at + RECORD_LENGTH);
    records.components.push(record);
  }
  for (const name of names)
    if (!records.components.some((record) => record.name === name)) records.components.push(newRecord(name));
  if (records.components.length > MAX_COMPONENTS)
    throw new OtaError("bad-image-state", `more than ${MAX_COMPONENTS} components`);
  return records;
}
