/**
 * Bytes inverted on flash, in the place of a mod and in the record of its links: what runs is what was signed, or nothing.
 * @module
 */
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { readArchive } from "../../hosts/formats/mod-archive.js";
import { ARCHIVE_AT } from "../../src/mods/index.js";
import { deepEqual, equal, ok } from "./assert.js";
import { MOD } from "./component-rig.js";
import { modFile, type Program, program } from "./mod-engine.js";
import { ModRig, type ModRigOptions } from "./mod-rig.js";

const SIZE = 900;
/** Bytes of a sector of the record of the links that are in use, and some more. */
const RECORDS = 600;

/** A mod, what it says when it runs, and the product it is for. */
export interface Flipped {
  readonly file: Uint8Array;
  readonly says: Program;
  readonly product?: ModRigOptions;
}

const STAND_IN: Flipped = { file: modFile("1", SIZE), says: program(49, SIZE) };

/** Which bytes of a mod's file: every `step`th from `first` on, before `end`. */
export interface Bytes {
  readonly first: number;
  readonly end: number;
  readonly step: number;
}

/** Starts with a byte inverted, and how many of them ran the mod. */
export interface Starts {
  readonly starts: number;
  readonly ran: number;
}

/** Begins a line in which a test tells such numbers, as JSON. */
export const STARTS = "starts: ";

/** How many bytes of a mod's file are ids: inverted, they are put right. Whatever else is, it is not started. */
export function idBytes(file: Uint8Array): number {
  const { symbols, operands } = readArchive(file.subarray(ARCHIVE_AT));
  return 2 * (symbols.length + operands);
}

/** Starts with each of the bytes behind `from` inverted in turn. */
function invert(rig: ModRig, from: number, { first, end, step }: Bytes, says: Program): Starts {
  const { storage } = rig.rig;
  const before = storage.bytes.slice();
  let ran = 0;
  let starts = 0;
  for (let at = from + first; at < from + end; at += step) {
    storage.bytes.set(before);
    storage.bytes[at] = (storage.bytes[at] as number) ^ 0xff;
    rig.starts = 0;
    rig.start();
    starts++;
    if (!rig.prepared) continue;
    deepEqual(rig.running, says, `byte ${at - from}`);
    ran++;
  }
  storage.bytes.set(before);
  return { starts, ran };
}

/** In the place of the mod. */
function invertFile(rig: ModRig, bytes: Bytes, { file, says }: Flipped): Starts {
  const { first, end, step } = bytes;
  const result = invert(rig, rig.offsets.place, bytes, says);
  const { starts, ran } = result;
  if (first || end < file.length) return result;
  if (step === 1) equal(ran, idBytes(file), "starts of the mod, one for each byte of an id");
  else ok(ran > 0 && ran < starts / 2, `${ran} of ${starts} starts`);
  return result;
}

function installed({ file, product }: Flipped): ModRig {
  const rig = new ModRig(product);
  equal(rig.rig.install(new Map([[MOD, file]])), undefined);
  return rig;
}

function accepted(flipped: Flipped): ModRig {
  const rig = installed(flipped);
  rig.start();
  rig.accept();
  rig.start();
  deepEqual(rig.running, flipped.says);
  return rig;
}

const FLIPS = {
  "of a mod that is linked: what is not an id keeps it from being started, an id is put right": (
    bytes: Bytes,
    flipped: Flipped,
  ) => invertFile(accepted(flipped), bytes, flipped),
  // Ids are 0 in the file whatever is there: it is linked as it was signed.
  "of a mod before it is linked for the first time": (bytes: Bytes, flipped: Flipped) =>
    invertFile(installed(flipped), bytes, flipped),
  "of the record of its links": ({ step }: Bytes, flipped: Flipped) => {
    const rig = accepted(flipped);
    const [one, other] = [0, SECTOR_SIZE].map((first) =>
      invert(rig, rig.offsets.links, { first, end: first + RECORDS, step }, flipped.says),
    ) as [Starts, Starts];
    return { starts: one.starts + other.starts, ran: one.ran + other.ran };
  },
};

export type Flip = keyof typeof FLIPS;
/** The first two are about the mod's file. */
export const MOD_FLIPS = Object.keys(FLIPS) as Flip[];

/** @param bytes default: each of the file; of the record of the links all, by the same step */
export function flipMods(what: Flip, bytes: Partial<Bytes> = {}, flipped = STAND_IN): Starts {
  return FLIPS[what]({ first: 0, end: flipped.file.length, step: 1, ...bytes }, flipped);
}
