/**
 * Files of mods: what an archive of the XS linker (.xsa) holds, and the file that is signed and deployed, which has a
 * component's header and one of its own before the archive. Layouts: docs/SPEC.md, "Mods".
 * @module
 */

import { decodeUtf8 } from "../../src/bytes.js";
import type { ComponentHeader } from "../../src/components/header.js";
import { ARCHIVE_AT, ArchiveWalk, HOST_LENGTH, type ModHeader, type Walked } from "../../src/mods/index.js";
import { buildComponent } from "./component-builder.js";
import { md5 } from "./md5.js";
import { instructionsOf } from "./xs-instructions.js";

const ATOM_HEADER = 8;

/** A file that is not an archive, or cannot be looked into. */
export class ArchiveError extends Error {
  override name = "ArchiveError";
}

export interface ArchiveEntry {
  readonly path: string;
  /** Bytes of its code or data. */
  readonly byteLength: number;
}

export interface Archive {
  /** XS version: major, minor, patch. */
  readonly xs: readonly [number, number, number];
  readonly name: string;
  /** Names of the host that it uses, or adds to it; the first is "@". */
  readonly symbols: readonly string[];
  readonly modules: readonly ArchiveEntry[];
  readonly resources: readonly ArchiveEntry[];
  /** How many operands of instructions the linker sets. */
  readonly operands: number;
  /** True when ids stand in it: it was taken from a device, or from a simulator. */
  readonly linked: boolean;
  /** Whether the checksum in it (SIGN) is that of its parts; undefined for a linked one: it is made before linking. */
  readonly checksum: boolean | undefined;
}

/** Whether a file begins as an archive, without the headers that make a mod of it. */
export function isArchive(bytes: Uint8Array): boolean {
  return bytes[4] === 0x58 && bytes[5] === 0x53 && bytes[6] === 0x5f && bytes[7] === 0x41;
}

/**
 * Reads a whole archive, checking each length before it is followed, down to the single instruction.
 * @throws ArchiveError
 */
export function readArchive(bytes: Uint8Array): Archive {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const type = (at: number) => String.fromCharCode(...bytes.subarray(at + 4, at + ATOM_HEADER));
  if (bytes.length < 85 || type(0) !== "XS_A" || type(8) !== "VERS")
    throw new ArchiveError("it does not begin as an archive of XS");
  const instructions = instructionsOf([...bytes.subarray(16, 19)]);
  if (!instructions)
    throw new ArchiveError(`it is for XS ${[...bytes.subarray(16, 19)].join(".")}, which is not known here`);
  const walk = new ArchiveWalk((offset, into) => {
    // The walk goes over a file, whose headers come before the archive.
    for (let n = 0; n < into.length; n++)
      into[n] = offset + n < ARCHIVE_AT ? 0 : (bytes[offset + n - ARCHIVE_AT] as number);
  }, bytes.length + ARCHIVE_AT);
  let found: Walked;
  const symbols: string[] = [];
  try {
    found = walk.walk(instructions, undefined);
    walk.names((name) => {
      symbols.push(decodeUtf8(name, 0, name.length - 1, "bad-image"));
    });
  } catch (error) {
    throw new ArchiveError((error as Error).message);
  }
  // Each length was checked by the walk.
  const text = (at: number) => {
    const start = at + ATOM_HEADER;
    const end = bytes.indexOf(0, start);
    try {
      return decodeUtf8(bytes, start, end);
    } catch {
      throw new ArchiveError("a text in it is not UTF-8");
    }
  };
  const atoms: number[] = [];
  for (let at = ATOM_HEADER; at < bytes.length; at += view.getUint32(at)) atoms.push(at);
  const [, sign, name, symb, , maps, mods, rsrc] = atoms as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const entries = (atom: number): ArchiveEntry[] => {
    const list: ArchiveEntry[] = [];
    const end = atom + view.getUint32(atom);
    for (let at = atom + ATOM_HEADER; at < end; ) {
      const path = text(at);
      at += view.getUint32(at);
      const size = view.getUint32(at);
      list.push({ path, byteLength: size - ATOM_HEADER });
      at += size;
    }
    return list;
  };
  const modules = entries(mods);
  const resources = entries(rsrc);
  const linked = found.ids.some((id) => id !== 0);
  return {
    xs: found.xs,
    name: text(name),
    symbols,
    modules,
    resources,
    operands: found.operands,
    linked,
    checksum: linked ? undefined : checksumHolds(bytes, { sign, name, symb, maps, mods, rsrc }),
  };
}

interface Atoms {
  readonly sign: number;
  readonly name: number;
  readonly symb: number;
  readonly maps: number;
  readonly mods: number;
  readonly rsrc: number;
}

/** The linker makes it of name, symbols, maps, then each path and its content; padding behind a path is not in it. */
function checksumHolds(bytes: Uint8Array, { sign, name, symb, maps, mods, rsrc }: Atoms): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: Uint8Array[] = [];
  const body = (at: number) => bytes.subarray(at + ATOM_HEADER, at + view.getUint32(at));
  const text = (at: number) => bytes.subarray(at + ATOM_HEADER, bytes.indexOf(0, at + ATOM_HEADER) + 1);
  parts.push(text(name), body(symb), body(maps));
  for (const atom of [mods, rsrc]) {
    const end = atom + view.getUint32(atom);
    for (let at = atom + ATOM_HEADER; at < end; at += view.getUint32(at)) {
      parts.push(text(at));
      at += view.getUint32(at);
      parts.push(body(at));
    }
  }
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  const stated = body(sign);
  return md5(whole).every((byte, n) => byte === stated[n]);
}

/** What the two headers say beside what the archive says itself. */
export interface ModDescription extends ComponentHeader {
  /** Names the archive adds to the host it is made for. */
  readonly newNames: number;
  /** Identity of the only host it may run on, 16 bytes; undefined: any. */
  readonly host: Uint8Array | undefined;
}

/**
 * The file of a mod: component's header, the mod's own, the archive as it is.
 * @throws ArchiveError for what is not an archive as the linker wrote it; ComponentError for texts that do not fit
 */
export function buildModFile(description: ModDescription, archive: Uint8Array): Uint8Array {
  const { xs, linked, checksum } = readArchive(archive);
  if (linked) throw new ArchiveError("it is linked already: take it as the tools made it");
  if (!checksum) throw new ArchiveError("its checksum is wrong");
  const { newNames, host } = description;
  if (!(newNames >= 0 && newNames <= 0xffff && newNames % 1 === 0))
    throw new ArchiveError(`${newNames} is no number of names`);
  if (host && host.length !== HOST_LENGTH)
    throw new ArchiveError(`the identity of a host has ${HOST_LENGTH} bytes`);
  return buildComponent(description, joined(modHeader({ xs, newNames, host }), archive));
}

/** The archive in the file of a mod. */
export function archiveOf(file: Uint8Array): Uint8Array {
  return file.subarray(ARCHIVE_AT);
}

function modHeader({ xs, newNames, host }: ModHeader): Uint8Array {
  const bytes = new Uint8Array(32);
  bytes.set(Uint8Array.from("XSOTAM1", (letter) => letter.charCodeAt(0)));
  bytes.set(xs, 8);
  new DataView(bytes.buffer).setUint32(12, newNames, true);
  if (host) bytes.set(host, 16);
  return bytes;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}
