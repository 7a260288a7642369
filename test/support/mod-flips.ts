/**
 * Bytes inverted on flash, in the place of a mod and in the record of its links: what runs is what was signed, or nothing.
 * @module
 */
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { deepEqual, ok } from "./assert.js";
import { MOD, SECTORS } from "./component-rig.js";
import { modFile, program } from "./mod-engine.js";
import { ModRig } from "./mod-rig.js";

const SIZE = 900;
const FILE = modFile("1", SIZE);
/** Where the first place and the record of the links lie. */
const PLACE = SECTORS * SECTOR_SIZE;
const LINKS = (SECTORS + 8) * SECTOR_SIZE;
/** Bytes of a sector of that record that are in use, and some more. */
const RECORDS = 600;

/** Starts with every `step`th byte inverted. @returns the share of starts that ran the mod */
function invert(rig: ModRig, from: number, count: number, step: number): number {
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
    deepEqual(rig.running, program(49, SIZE), `byte ${at}`);
    ran++;
  }
  storage.bytes.set(before);
  return ran / starts;
}

function installed(): ModRig {
  const rig = new ModRig();
  rig.rig.install(new Map([[MOD, FILE]]));
  return rig;
}

function accepted(): ModRig {
  const rig = installed();
  rig.start();
  rig.accept();
  rig.start();
  return rig;
}

const FLIPS = {
  "of a mod that is linked: what is not an id keeps it from being started, an id is put right": (
    step: number,
  ) => {
    const share = invert(accepted(), PLACE, FILE.length, step);
    ok(share > 0 && share < 0.5, `${share} of the starts`);
  },
  "of a mod before it is linked for the first time": (step: number) => {
    // Ids are 0 in the file whatever is there: it is linked as it was signed.
    const share = invert(installed(), PLACE, FILE.length, step);
    ok(share > 0 && share < 0.5, `${share} of the starts`);
  },
  "of the record of its links": (step: number) => {
    const rig = accepted();
    invert(rig, LINKS, RECORDS, step);
    invert(rig, LINKS + SECTOR_SIZE, RECORDS, step);
  },
};

export type Flip = keyof typeof FLIPS;
export const MOD_FLIPS = Object.keys(FLIPS) as Flip[];

export function flipMods(what: Flip, step: number): void {
  FLIPS[what](step);
}
