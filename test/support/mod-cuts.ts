/**
 * Updates of a mod, of firmware under a mod, and of both, under power cuts: what runs is always, to the last operation,
 * what was signed; never a mod made for other firmware; and no sector changes under a running mod.
 * @module
 */
import { CUT_MOMENTS, cutPowerAt } from "../../hosts/emulated/flash-faults.js";
import { deepEqual, equal, ok } from "./assert.js";
import { type Files, firmwareImage, MOD, withStatement } from "./component-rig.js";
import { modFile, program } from "./mod-engine.js";
import { ModRig } from "./mod-rig.js";

const SIZE = 2 * 4096 + 900;
const OLD = "1.0.0 - 1";
/** Made once: each of the many lives begins with one of them. */
const FIRST = modFile("1", SIZE);
const SECOND = modFile("2", SIZE);
const PROGRAMS = new Map(["1", "2"].map((version) => [version, program(version.charCodeAt(0), SIZE)]));

const UPDATES = {
  "a mod": { files: new Map([[MOD, SECOND]]), wanted: "1.0.0 - 2" },
  "firmware, the mod linked anew": { files: new Map([[0, firmwareImage("2.0.0")]]), wanted: "2.0.0 - 1" },
  "a mod with firmware": {
    files: withStatement(
      new Map([
        [0, firmwareImage("2.0.0")],
        [MOD, SECOND],
      ]),
      2,
    ),
    wanted: "2.0.0 - 2",
  },
};
export type Update = keyof typeof UPDATES;
export const MOD_UPDATES = Object.keys(UPDATES) as Update[];

function examine(rig: ModRig): void {
  equal(rig.violation, undefined);
  const { prepared, running } = rig;
  if (prepared) deepEqual(running, PROGRAMS.get(prepared.version), "what runs is what was signed");
}

function device(encrypted: boolean): ModRig {
  const rig = new ModRig({ encrypted });
  rig.rig.install(new Map([[MOD, FIRST]]));
  rig.start();
  rig.accept();
  rig.start();
  equal(rig.versions, OLD);
  return rig;
}

/** Lives until the update has been accepted. */
function live(rig: ModRig, files: Files, wanted: string): void {
  for (let life = 0; life < 6; life++) {
    if (!rig.rig.chip.powered) throw new Error("no power");
    examine(rig);
    const { versions } = rig;
    ok(versions === OLD || versions === wanted, `neither old nor new: ${versions}`);
    const { components } = rig.rig;
    if (versions === wanted) {
      if (components.getPlatformImageState() === "pending-commit") rig.accept();
      if (components.getPlatformImageState() === "valid") {
        rig.start();
        examine(rig);
        equal(rig.versions, wanted);
        equal(components.getPlatformImageState(), "valid");
        return;
      }
    } else rig.rig.install(files);
    rig.start();
  }
  ok(false, "the update does not end");
}

/**
 * Cuts the power at every `step`th flash operation of an update and what follows it, in every manner.
 * @returns how many operations there were to cut
 */
export function cutMods(update: Update, encrypted: boolean, step: number): number {
  const { files, wanted } = UPDATES[update];
  const whole = device(encrypted);
  const before = whole.rig.chip.operations;
  live(whole, files, wanted);
  const count = whole.rig.chip.operations - before;
  CUT_MOMENTS.forEach((moment, turn) => {
    for (let at = turn % step; at < count; at += step) {
      const rig = device(encrypted);
      const { chip } = rig.rig;
      chip.faults = cutPowerAt(chip.operations + at, moment, at);
      try {
        live(rig, files, wanted);
      } catch (error) {
        if (chip.powered) throw error;
      }
      equal(rig.violation, undefined);
      // The cut can also have been survived by `live` itself.
      chip.faults = undefined;
      rig.start();
      live(rig, files, wanted);
    }
  });
  return count;
}
