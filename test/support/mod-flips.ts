/**
 * Bytes inverted on flash, in the place of a mod and in the record of its links: what runs is what was signed, or nothing.
 * @module
 */
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
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

/** Starts with every `step`th byte inverted. @returns the share of starts that ran the mod */
function invert(rig: ModRig, from: number, count: number, step: number, says: Program): number {
  const { storage } = rig.rig;
  const before = storage.bytes.slice();
  let ran = 0;
  let starts = 0;
  for (let at = from; at < from + count; at += step) {
    storage.bytes.set(before);
    storage.bytes[at] = (storage.bytes[at] as number) ^ 0xff;
    rig.starts = 0;
    rig.start();
    starts++;
    if (!rig.prepared) continue;
    deepEqual(rig.running, says, `byte ${at}`);
    ran++;
  }
  storage.bytes.set(before);
  return ran / starts;
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
    step: number,
    flipped: Flipped,
  ) => {
    const rig = accepted(flipped);
    const share = invert(rig, rig.offsets.place, flipped.file.length, step, flipped.says);
    ok(share > 0 && share < 0.5, `${share} of the starts`);
  },
  "of a mod before it is linked for the first time": (step: number, flipped: Flipped) => {
    // Ids are 0 in the file whatever is there: it is linked as it was signed.
    const rig = installed(flipped);
    const share = invert(rig, rig.offsets.place, flipped.file.length, step, flipped.says);
    ok(share > 0 && share < 0.5, `${share} of the starts`);
  },
  "of the record of its links": (step: number, flipped: Flipped) => {
    const rig = accepted(flipped);
    invert(rig, rig.offsets.links, RECORDS, step, flipped.says);
    invert(rig, rig.offsets.links + SECTOR_SIZE, RECORDS, step, flipped.says);
  },
};

export type Flip = keyof typeof FLIPS;
export const MOD_FLIPS = Object.keys(FLIPS) as Flip[];

export function flipMods(what: Flip, step: number, flipped = STAND_IN): void {
  FLIPS[what](step, flipped);
}
