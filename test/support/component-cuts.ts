/**
 * Updates of sets of components under power cuts: never may old and new stand side by side.
 * @module
 */
import { CUT_MOMENTS, cutPowerAt } from "../../hosts/emulated/flash-faults.js";
import { equal, ok } from "./assert.js";
import {
  ASSETS,
  CERTS,
  ComponentRig,
  componentFile,
  type Files,
  firmwareImage,
  withStatement,
} from "./component-rig.js";

/** Accepts what is on trial. */
export function accept(rig: ComponentRig): void {
  equal(rig.components.getPlatformImageState(), "pending-commit");
  rig.components.setPlatformImageState("accepted");
}

const pair = (version: string) =>
  new Map([
    [ASSETS, componentFile("assets", version)],
    [CERTS, componentFile("certs", version)],
  ]);
const SETS = {
  components: { files: withStatement(pair("2"), 2), wanted: "1.0.0 2 2" },
  "with firmware": {
    files: withStatement(new Map([[0, firmwareImage("2.0.0")], ...pair("2")]), 2),
    wanted: "2.0.0 2 2",
  },
};

/** A device with all components, before an update. */
function device(encrypted: boolean): ComponentRig {
  const rig = new ComponentRig({}, encrypted);
  rig.install(withStatement(pair("1"), 1));
  rig.start();
  accept(rig);
  rig.start();
  equal(rig.versions, "1.0.0 1 1");
  return rig;
}

/** Lives until the update has been accepted. */
function live(rig: ComponentRig, files: Files, wanted: string): void {
  for (let life = 0; life < 6; life++) {
    const { versions, components } = rig;
    ok(versions === "1.0.0 1 1" || versions === wanted, `mixed: ${versions}`);
    if (versions === wanted) {
      if (components.getPlatformImageState() === "pending-commit")
        components.setPlatformImageState("accepted");
      if (components.getPlatformImageState() === "valid") {
        rig.start();
        equal(rig.versions, wanted);
        equal(rig.components.getPlatformImageState(), "valid");
        return;
      }
    } else rig.install(files);
    rig.start();
  }
  ok(false, "the update does not end");
}

/**
 * Cuts the power at every `step`th flash operation of an update and what follows it, in every manner.
 * @returns how many operations there were to cut
 */
export function cutComponents(set: keyof typeof SETS, encrypted: boolean, step: number): number {
  const { files, wanted } = SETS[set];
  const whole = device(encrypted);
  const before = whole.chip.operations;
  live(whole, files, wanted);
  const count = whole.chip.operations - before;
  CUT_MOMENTS.forEach((moment, turn) => {
    for (let at = turn % step; at < count; at += step) {
      const rig = device(encrypted);
      rig.chip.faults = cutPowerAt(rig.chip.operations + at, moment, at);
      try {
        live(rig, files, wanted);
      } catch (error) {
        if (rig.chip.powered) throw error;
      }
      // The cut can also have been survived by `live` itself.
      rig.chip.faults = undefined;
      rig.start();
      live(rig, files, wanted);
    }
  });
  return count;
}
