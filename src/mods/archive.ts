/**
 * The archive of a mod (.xsa), as the XS linker writes it and its loader reads it. The loader believes every length in it;
 * here each is checked before it is followed, down to the single instruction. One walk serves three purposes:
 *
 * - Linking writes the ids of the host's names into the archive, in place. With all ids taken as 0 the file is what it was
 *   when it was signed: the walk gives those bytes to whoever makes the digest.
 * - It tells which ids are there, and whether each instruction has the id that the archive's own table gives its name: a
 *   link that a power cut ended does not pass.
 * - With other ids it gives the bytes as they have to be on flash.
 *
 * Layout: docs/SPEC.md, "Mods".
 * @module
 */
import { OtaError } from "../errors.js";
import { ARCHIVE_AT } from "./header.js";

/** Bytes looked at together: a sector. */
export const PART = 4096;
/** Longest name with its NUL, bytes: what XS's loader has room for. */
const MAX_NAME = 1023;
/** Names and ids in 16 bits. */
const MAX_NAMES = 0xffff;
/** Atoms in the order in which they have to stand, big-endian. */
const XS_A = 0x58535f41;
const VERS = 0x56455253;
const SIGN = 0x5349474e;
const NAME = 0x4e414d45;
const SYMB = 0x53594d42;
const IDEN = 0x4944454e;
const MAPS = 0x4d415053;
const MODS = 0x4d4f4453;
const PATH = 0x50415448;
const CODE = 0x434f4445;
const RSRC = 0x52535243;
const DATA = 0x44415441;
const ATOM_HEADER = 8;
const SIGNATURE_LENGTH = 16;

/** What the instructions of an engine look like. */
export interface Instructions {
  /**
   * Of each operation, as XS's `gxCodeSizes`: more than 0: its length in bytes; 0: an id of 2 bytes follows; −1, −2: a
   * length of 1 or 2 bytes and so many bytes follow.
   */
  readonly codeSizes: Int8Array;
  /** The operation that XS's loader numbers anew at each link; no archive for use has it. */
  readonly profileCode: number;
}

/** What a walk has found. */
export interface Walked {
  /** XS version: major, minor, patch. */
  readonly xs: readonly [number, number, number];
  /** Id of each name, as the archive's table has it. */
  readonly ids: Uint16Array;
  /** Every instruction has the id of its name in that table. */
  readonly consistent: boolean;
  /** How many modules, and how many of their instructions have an id. */
  readonly modules: number;
  readonly operands: number;
}

function refuse(why: string): never {
  throw new OtaError("bad-image", `mod: ${why}`);
}

export class ArchiveWalk {
  readonly #read: (offset: number, into: Uint8Array) => void;
  readonly #fileSize: number;
  readonly #buffer = new Uint8Array(PART);
  #sink: ((offset: number, bytes: Uint8Array) => void) | undefined;
  /** Offset in the file of the buffer's first byte, of the next byte in the buffer, and of the byte after its last. */
  #base = 0;
  #at = 0;
  #filled = 0;

  /**
   * @param read fills `into` from byte `offset` of the file; may throw
   * @param fileSize bytes of the file, the headers before the archive included
   */
  constructor(read: (offset: number, into: Uint8Array) => void, fileSize: number) {
    this.#read = read;
    this.#fileSize = fileSize;
  }

  /**
   * Walks the whole file.
   * @param ids of the names, by their position; undefined: all 0
   * @param sink gets the file with these ids, in parts of 4096 bytes, good during the call
   * @throws OtaError "bad-image" for what is not an archive
   */
  walk(
    { codeSizes, profileCode }: Instructions,
    ids: Uint16Array | undefined,
    sink?: (offset: number, bytes: Uint8Array) => void,
  ): Walked {
    const count = this.#begin(sink);
    for (let n = 0; n < count; n++) this.#name();
    if (this.#offset !== this.#symbolsEnd) refuse("the names do not end as they say");

    this.#end(IDEN, 2 * count);
    const found = new Uint16Array(count);
    if (ids && ids.length !== count) refuse("other names than ids");
    for (let n = 0; n < count; n++) found[n] = this.#id(ids ? ids[n] : 0);

    const mapsLength = this.#within(this.#atom(MAPS), this.#fileSize) - this.#offset;
    if (mapsLength % 2) refuse("half an operand");
    const maps = new Uint16Array(mapsLength / 2);
    for (let n = 0; n < maps.length; n++) {
      const name = this.#two();
      if (name >= count) refuse("an operand without a name");
      maps[n] = name;
    }

    const modsEnd = this.#within(this.#atom(MODS), this.#fileSize);
    const buffer = this.#buffer;
    let next = 0;
    let modules = 0;
    let consistent = true;
    while (this.#offset < modsEnd) {
      this.#path(modsEnd);
      const end = this.#within(this.#atom(CODE), modsEnd);
      for (;;) {
        // Those that lie whole in the buffer, nearly all: a call for each of their bytes would take most of a start.
        const stop = Math.min(end - this.#base, this.#filled);
        let at = this.#at;
        while (at < stop) {
          const code = buffer[at];
          const size = codeSizes[code];
          const after = at + (size || 3);
          if (!(size >= 0 && after <= stop) || code === profileCode) break;
          if (size === 0) {
            if (next >= maps.length) break;
            const name = maps[next++];
            if ((buffer[at + 1] | (buffer[at + 2] << 8)) !== found[name]) consistent = false;
            const id = ids ? ids[name] : 0;
            buffer[at + 1] = id;
            buffer[at + 2] = id >> 8;
          }
          at = after;
        }
        this.#at = at;
        if (this.#offset >= end) break;
        const code = this.#one();
        if (code >= codeSizes.length || code === profileCode) refuse(`operation ${code} is none`);
        const size = codeSizes[code];
        if (size > 0) this.#skip(size - 1);
        else if (size === 0) {
          if (next >= maps.length) refuse("more operands than names for them");
          const name = maps[next++];
          if (this.#id(ids ? ids[name] : 0) !== found[name]) consistent = false;
        } else if (size === -1) this.#skip(this.#one());
        else if (size === -2) this.#skip(this.#two());
        else refuse(`operation ${code} has a length that XS does not link`);
      }
      if (this.#offset !== end) refuse("an instruction goes on beyond its module");
      modules++;
    }
    if (this.#offset !== modsEnd || next !== maps.length) refuse("the modules do not end as they say");

    const resourcesEnd = this.#within(this.#atom(RSRC), this.#fileSize);
    while (this.#offset < resourcesEnd) {
      this.#path(resourcesEnd);
      this.#skip(this.#within(this.#atom(DATA), resourcesEnd) - this.#offset);
    }
    if (this.#offset !== this.#fileSize) refuse("the resources do not end where the file does");
    this.#flush();
    return { xs: this.#xs, ids: found, consistent, modules, operands: next };
  }

  /**
   * Walks as far as the names.
   * @param told of each name in turn, as XS has it: bytes with a NUL behind them, good during the call
   * @throws OtaError "bad-image"
   */
  names(told: (name: Uint8Array, index: number) => void): void {
    const count = this.#begin();
    for (let n = 0; n < count; n++) told(this.#name(), n);
  }

  #xs: [number, number, number] = [0, 0, 0];
  #symbolsEnd = 0;
  readonly #text = new Uint8Array(MAX_NAME);

  /** As far as the first name. @returns how many names there are */
  #begin(sink?: (offset: number, bytes: Uint8Array) => void): number {
    this.#sink = sink;
    this.#base = this.#at = this.#filled = 0;
    this.#skip(ARCHIVE_AT);
    if (this.#atom(XS_A) !== this.#fileSize - this.#offset)
      refuse("the archive's length is not that of the file");
    this.#end(VERS, 4);
    this.#xs = [this.#one(), this.#one(), this.#one()];
    if (this.#one()) refuse("bytes that must be 0 are not");
    this.#end(SIGN, SIGNATURE_LENGTH);
    this.#skip(SIGNATURE_LENGTH);
    const nameEnd = this.#within(this.#atom(NAME), this.#fileSize);
    let ended = false;
    while (this.#offset < nameEnd) if (!this.#one()) ended = true;
    if (!ended) refuse("the archive's name has no end");
    this.#symbolsEnd = this.#within(this.#atom(SYMB), this.#fileSize);
    const count = this.#two();
    if (!count || count === MAX_NAMES) refuse("no names, or too many");
    return count;
  }

  /** @returns the next name and its NUL, good until the next one */
  #name(): Uint8Array {
    const at = this.#at;
    const nul = this.#buffer.indexOf(0, at);
    // As it lies there; what does not end in the buffer, or not as it must, byte by byte.
    if (nul > at && nul < this.#filled && nul - at < MAX_NAME && this.#base + nul < this.#symbolsEnd) {
      this.#at = nul + 1;
      return this.#buffer.subarray(at, nul + 1);
    }
    const text = this.#text;
    let length = 0;
    do {
      if (length === MAX_NAME || this.#offset >= this.#symbolsEnd) refuse("a name has no end");
      text[length] = this.#one();
    } while (text[length++]);
    if (length === 1) refuse("a name is empty");
    return text.subarray(0, length);
  }

  #path(limit: number): void {
    const end = this.#within(this.#atom(PATH), limit);
    let ended = false;
    if (this.#offset < end && !this.#peek()) refuse("a path is empty");
    while (this.#offset < end) if (!this.#one()) ended = true;
    if (!ended) refuse("a path has no end");
  }

  // Atoms

  /** @returns bytes that follow the atom's header */
  #atom(type: number): number {
    const size = ((this.#one() << 24) | (this.#one() << 16) | (this.#one() << 8) | this.#one()) >>> 0;
    const found = (this.#one() << 24) | (this.#one() << 16) | (this.#one() << 8) | this.#one();
    if (found !== type || size < ATOM_HEADER) refuse("an atom is missing");
    return size - ATOM_HEADER;
  }

  /** An atom of a known length. */
  #end(type: number, length: number): void {
    if (this.#atom(type) !== length) refuse("an atom has not the length it must have");
  }

  /** @returns offset of the byte after `length` bytes from here, which is not beyond `limit` */
  #within(length: number, limit: number): number {
    const end = this.#offset + length;
    if (end > limit) refuse("an atom is longer than what it is in");
    return end;
  }

  // Bytes

  get #offset(): number {
    return this.#base + this.#at;
  }

  #peek(): number {
    if (this.#at === this.#filled) this.#fill();
    return this.#buffer[this.#at];
  }

  #one(): number {
    if (this.#at === this.#filled) this.#fill();
    return this.#buffer[this.#at++];
  }

  #two(): number {
    const at = this.#at;
    if (at + 2 <= this.#filled) {
      this.#at = at + 2;
      return this.#buffer[at] | (this.#buffer[at + 1] << 8);
    }
    const low = this.#one();
    return low | (this.#one() << 8);
  }

  /** @returns the id that was there; `id` takes its place */
  #id(id: number): number {
    const low = this.#one();
    this.#buffer[this.#at - 1] = id & 0xff;
    const high = this.#one();
    this.#buffer[this.#at - 1] = id >> 8;
    return low | (high << 8);
  }

  #skip(length: number): void {
    if (length > this.#fileSize - this.#offset) refuse("the file ends too early");
    let rest = length;
    while (rest > this.#filled - this.#at) {
      rest -= this.#filled - this.#at;
      this.#at = this.#filled;
      this.#fill();
    }
    this.#at += rest;
  }

  #fill(): void {
    this.#flush();
    this.#base += this.#filled;
    this.#at = 0;
    const rest = this.#fileSize - this.#base;
    this.#filled = rest < PART ? rest : PART;
    if (!this.#filled) refuse("the file ends too early");
    this.#read(this.#base, this.#buffer.subarray(0, this.#filled));
  }

  #flush(): void {
    if (this.#filled) this.#sink?.(this.#base, this.#buffer.subarray(0, this.#filled));
  }
}
