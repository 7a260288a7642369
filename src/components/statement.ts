/**
 * The signed statement of a set: which files, by component, version and digest, belong together, and a sequence number
 * that only rises. Correctly signed files of different sets cannot be mixed where it is demanded. Layout: docs/SPEC.md,
 * "Set statement". It comes as a file of the job with a type of its own, and is signed like the others.
 * @module
 */
import { equalBytes } from "../bytes.js";
import { OtaError } from "../errors.js";
import { printable } from "./header.js";

/** Name of the firmware in a statement. */
export const FIRMWARE_NAME = "firmware";

export interface StatementEntry {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the whole file. */
  readonly digest: Uint8Array;
}

export interface Statement {
  readonly sequence: number;
  readonly projectName: string;
  readonly entries: readonly StatementEntry[];
}

/** "XSOTAS1" and a NUL, as two numbers, little-endian. */
const MAGIC_LOW = 0x544f5358;
const MAGIC_HIGH = 0x00315341;
const HEADER_LENGTH = 48;
const ENTRY_LENGTH = 80;
const NAME_FIELD = 16;
const VERSION_FIELD = 32;
/** Firmware and 15 components. */
const MAX_ENTRIES = 16;
/** Longest statement, bytes. */
export const MAX_STATEMENT = HEADER_LENGTH + MAX_ENTRIES * ENTRY_LENGTH;

function refuse(why: string): never {
  throw new OtaError("bad-image", `statement of the set: ${why}`, "verify");
}

/** @throws OtaError "bad-image" */
export function parseStatement(bytes: Uint8Array): Statement {
  if (bytes.length < HEADER_LENGTH) refuse("too short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== MAGIC_LOW || view.getUint32(4, true) !== MAGIC_HIGH)
    refuse("the file does not begin as one");
  const count = view.getUint32(12, true);
  if (count === 0 || count > MAX_ENTRIES || bytes.length !== HEADER_LENGTH + count * ENTRY_LENGTH)
    refuse("its length is not what it says");
  const entries: StatementEntry[] = [];
  for (let at = HEADER_LENGTH; at < bytes.length; at += ENTRY_LENGTH) {
    const name = printable(bytes, at, NAME_FIELD);
    if (!name || entries.some((entry) => entry.name === name)) refuse(`component "${name}" twice, or none`);
    const version = printable(bytes, at + NAME_FIELD, VERSION_FIELD);
    const digest = bytes.slice(at + NAME_FIELD + VERSION_FIELD, at + ENTRY_LENGTH);
    entries.push({ name, version, digest });
  }
  return { sequence: view.getUint32(8, true), projectName: printable(bytes, 16, 32), entries };
}

/** @throws OtaError "signature-check" unless the file `name` with this digest belongs to the set */
export function requireMember(statement: Statement, name: string, digest: Uint8Array | undefined): void {
  const entry = statement.entries.find((one) => one.name === name);
  if (!entry || !digest || !equalBytes(entry.digest, digest))
    throw new OtaError("signature-check", `${name} is not the file the set's statement names`);
}
