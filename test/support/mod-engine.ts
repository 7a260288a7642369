/**
 * A stand-in for the XS machine a mod is linked for, and archives for it. It does what XS does, on its own account: nothing
 * of src is used. Sources, Moddable SDK 8.2.3: xs/tools/xslBase.c (`fxWriteArchive`: the archive, its checksum),
 * xs/sources/xsAPI.c (`fxMapArchive`: versions, names, ids), xs/sources/xsSymbol.c (names added get the next ids in order),
 * xs/sources/xsCommon.c (`gxCodeSizes`). Where XS believes an archive it throws.
 * @module
 */

import { md5 } from "../../hosts/formats/md5.js";
import { buildModFile, type ModDescription } from "../../hosts/formats/mod-archive.js";
import { instructionsOf } from "../../hosts/formats/xs-instructions.js";
import type { Instructions } from "../../src/mods/archive.js";
import type { ModEngine } from "../../src/mods/index.js";

const XS: readonly [number, number, number] = [17, 7, 0];
const INSTRUCTIONS = instructionsOf(XS) as Instructions;
/** Operations of that engine: one with an id, one byte, two bytes, a string with a length of one and of two bytes. */
const GET_PROPERTY = 0x60;
const DUB = 0x42;
const INTEGER_1 = 0x72;
const STRING_1 = 0xc9;
const STRING_2 = 0xca;

function bytesOf(text: string): number[] {
  return [...[...text].map((letter) => letter.charCodeAt(0)), 0];
}

function atom(type: string, body: readonly number[]): number[] {
  const size = body.length + 8;
  return [
    size >>> 24,
    (size >> 16) & 255,
    (size >> 8) & 255,
    size & 255,
    ...bytesOf(type).slice(0, 4),
    ...body,
  ];
}

const two = (value: number) => [value & 255, value >> 8];

/** What an archive says: operations, with the names their ids stand for. */
export interface Program {
  readonly symbols: readonly string[];
  /** A name's index, or a text. */
  readonly code: readonly (number | string)[];
}

/** A program that differs by `seed`, long enough for an archive of about `size` bytes. */
export function program(seed: number, size: number): Program {
  const symbols = ["@"];
  for (let n = 0; n < 40; n++) symbols.push(n % 3 ? `known${(n * 7 + seed) % 50}` : `own${seed}_${n}`);
  const names = [...new Set(symbols)];
  const code: (number | string)[] = [];
  for (let n = 0, length = 0; length < size - 700; n++) {
    const word = n % 5 ? ((n * 13 + seed) % (names.length - 1)) + 1 : "x".repeat((n * 31 + seed) % 400);
    code.push(word);
    length += typeof word === "number" ? 8 : word.length + 3;
  }
  return { symbols: names, code };
}

export function buildArchive({ symbols, code }: Program, xs: readonly number[] = XS): Uint8Array {
  const operations: number[] = [];
  const maps: number[] = [];
  for (const word of code)
    if (typeof word === "number") {
      operations.push(DUB, INTEGER_1, word & 127, GET_PROPERTY, 0, 0);
      maps.push(...two(word));
    } else if (word.length < 255) operations.push(STRING_1, word.length + 1, ...bytesOf(word));
    else operations.push(STRING_2, ...two(word.length + 1), ...bytesOf(word));
  const name = bytesOf("test");
  const path = bytesOf("mod");
  const text = bytesOf("a.txt");
  const data = [1, 2, 3, 4];
  const names = [...two(symbols.length), ...symbols.flatMap(bytesOf)];
  const checksum = md5(
    Uint8Array.from([...name, ...names, ...maps, ...path, ...operations, ...text, ...data]),
  );
  const head = [
    ...atom("VERS", [...xs, 0]),
    ...atom("SIGN", [...checksum]),
    ...atom("NAME", name),
    ...atom("SYMB", names),
    ...atom(
      "IDEN",
      symbols.flatMap(() => [0, 0]),
    ),
    ...atom("MAPS", maps),
    ...atom("MODS", [...atom("PATH", path), ...atom("CODE", operations)]),
  ];
  const padding = new Array<number>((4 - ((8 + head.length + 8 + 8 + text.length) % 4)) % 4).fill(
    checksum[0] as number,
  );
  const body = [...head, ...atom("RSRC", [...atom("PATH", [...text, ...padding]), ...atom("DATA", data)])];
  return Uint8Array.from(atom("XS_A", body));
}

export function modFile(version: string, size: number, changes: Partial<ModDescription> = {}): Uint8Array {
  return modFileOf(buildArchive(program(version.charCodeAt(0), size)), version, changes);
}

export function modFileOf(
  archive: Uint8Array,
  version: string,
  changes: Partial<ModDescription> = {},
): Uint8Array {
  return buildModFile(
    {
      name: "mod",
      projectName: "rig",
      version,
      minFirmware: "",
      maxFirmware: "",
      newNames: 0,
      host: undefined,
      ...changes,
    },
    archive,
  );
}

/** One machine of one build of a host: names and ids begin anew at each start. */
export class StandInEngine implements ModEngine {
  readonly xs: readonly [number, number, number];
  readonly codeSizes = INSTRUCTIONS.codeSizes;
  readonly profileCode = INSTRUCTIONS.profileCode;
  readonly host: Uint8Array;
  readonly #ids = new Map<string, number>();
  readonly #room: number;
  readonly #count: number;

  /**
   * @param build of the host: another one has other names, in another order
   * @param room in its table of keys
   */
  constructor(build: string, room = 100, xs: readonly [number, number, number] = XS) {
    this.xs = xs;
    this.#room = room;
    this.host = md5(Uint8Array.from(bytesOf(`host ${build}`)));
    const shift = build.charCodeAt(0);
    for (let n = 0; n < 20 + shift; n++) this.#add(`host${n}`);
    for (let n = 0; n < 50; n++) this.#add(`known${(n * 3 + shift) % 50}`);
    this.#count = this.#ids.size;
  }

  get keyRoom(): number {
    return this.#room - (this.#ids.size - this.#count);
  }

  has(name: Uint8Array): boolean {
    return this.#ids.has(this.#text(name));
  }

  id(name: Uint8Array): number {
    return this.#ids.get(this.#text(name)) ?? this.#add(this.#text(name));
  }

  /**
   * Maps an archive as `fxMapArchive` does with a `write` that refuses, then reads what its byte code says.
   * @throws Error where XS would not start it, or would read beyond its end
   */
  run(archive: Uint8Array): Program {
    const view = new DataView(archive.buffer, archive.byteOffset, archive.length);
    const expect = (at: number, type: string): number => {
      for (let n = 0; n < 4; n++)
        if (archive[at + 4 + n] !== type.charCodeAt(n)) throw new Error(`fatal check: ${type}`);
      return at + 8;
    };
    let at = expect(0, "XS_A");
    at = expect(at, "VERS");
    if (archive[at] !== this.xs[0] || archive[at + 1] !== this.xs[1]) throw new Error("fatal check: version");
    at = expect(at + 4, "SIGN") + 16;
    at += view.getUint32(at);
    let reading = expect(at, "SYMB") + 2;
    const count = view.getUint16(at + 8, true);
    const ids: number[] = [];
    const symbols: string[] = [];
    for (let n = 0; n < count; n++) {
      let end = reading;
      while (archive[end]) end++;
      const name = archive.subarray(reading, end + 1);
      symbols.push(this.#text(name));
      ids.push(n ? this.id(name) : 0);
      reading = end + 1;
    }
    at += view.getUint32(at);
    expect(at, "IDEN");
    ids.forEach((id, n) => {
      if (view.getUint16(at + 8 + 2 * n, true) !== id) throw new Error("fatal check: write refused");
    });
    at += view.getUint32(at);
    expect(at, "MAPS");
    at += view.getUint32(at);
    const modulesEnd = at + view.getUint32(at);
    at = expect(at, "MODS");
    const code: (number | string)[] = [];
    while (at < modulesEnd) {
      expect(at, "PATH");
      at += view.getUint32(at);
      const end = at + view.getUint32(at);
      at = expect(at, "CODE");
      while (at < end) {
        const operation = view.getUint8(at++);
        if (operation === GET_PROPERTY) {
          const name = ids.indexOf(view.getUint16(at, true));
          if (name < 1) throw new Error("wild id");
          code.push(name);
          at += 2;
        } else if (operation === STRING_1 || operation === STRING_2) {
          const long = operation === STRING_2;
          const length = long ? view.getUint16(at, true) : view.getUint8(at);
          at += long ? 2 : 1;
          let text = "";
          for (let n = 0; n < length - 1; n++) text += String.fromCharCode(view.getUint8(at + n));
          code.push(text);
          at += length;
        } else if (operation === DUB || operation === INTEGER_1) at += operation === DUB ? 0 : 1;
        else throw new Error("wild operation");
      }
    }
    expect(at, "RSRC");
    if (at + view.getUint32(at) !== archive.length) throw new Error("fatal check: end");
    return { symbols, code };
  }

  #text(name: Uint8Array): string {
    let text = "";
    for (let n = 0; n < name.length - 1; n++) text += String.fromCharCode(name[n] as number);
    if (name[name.length - 1] !== 0) throw new Error("a name without its NUL");
    return text;
  }

  /** A full table of keys is an abort of the machine. */
  #add(name: string): number {
    if (this.#count !== undefined && this.#ids.size - this.#count >= this.#room)
      throw new Error("no more keys");
    const id = this.#ids.size + 1;
    this.#ids.set(name, id);
    return id;
  }
}
