import { CUT_MOMENTS, type CutMoment, cutPowerAt } from "../../hosts/emulated/flash-faults.js";
import { PowerCut } from "../../hosts/emulated/nor-flash.js";
import {
  makeEntry,
  type OtaEntry,
  STATE_ABORTED,
  STATE_NEW,
  STATE_PENDING_VERIFY,
  STATE_VALID,
} from "../../hosts/formats/otadata.js";
import { equal, fail, ok } from "../support/assert.js";
import { BootDevice } from "../support/boot-device.js";
import { here } from "../support/here.js";

const OLD = "ota_0";
const NEW = "ota_1";
const VALID_1 = makeEntry(1, STATE_VALID);
/** Patterns of half-changed bits to try at each operation. */
const SEEDS = here([1, 2, 3, 4], [1, 2]);
/** The same, of an operation whose bits stay unstable. */
const WEAK_SEEDS = here(160, 40);

interface Scenario {
  readonly title: string;
  readonly otadata: readonly (OtaEntry | undefined)[];
  readonly act: (device: BootDevice) => void;
  /** What boots when the power fails before the first flash operation. */
  readonly before: string;
  /** What boots when it fails anywhere between. */
  readonly between: string;
  /** What boots when it fails after the last flash operation. */
  readonly after: string;
}

/** Running applications and the outcomes observed with ESP-IDF's own code. */
const SCENARIOS: readonly Scenario[] = [
  {
    title: "first boot of a new device",
    otadata: [],
    act: (device) => void device.boot(),
    ...{ before: OLD, between: OLD, after: OLD },
  },
  {
    title: "set boot, other entry empty",
    otadata: [VALID_1],
    act: (device) => device.control(OLD).setBoot(),
    ...{ before: OLD, between: OLD, after: NEW },
  },
  {
    title: "set boot, other entry aborted",
    otadata: [VALID_1, makeEntry(2, STATE_ABORTED)],
    act: (device) => device.control(OLD).setBoot(),
    ...{ before: OLD, between: OLD, after: NEW },
  },
  {
    title: "set boot, other entry older",
    otadata: [makeEntry(3, STATE_VALID), makeEntry(2, STATE_VALID)],
    act: (device) => device.control(OLD).setBoot(),
    ...{ before: OLD, between: OLD, after: NEW },
  },
  {
    title: "forgetting an old verdict",
    otadata: [VALID_1, makeEntry(2, STATE_ABORTED)],
    act: (device) => device.control(OLD).clearOther(),
    ...{ before: OLD, between: OLD, after: OLD },
  },
  {
    title: "first start of a new image",
    otadata: [VALID_1, makeEntry(2, STATE_NEW)],
    act: (device) => void device.boot(),
    ...{ before: NEW, between: OLD, after: OLD },
  },
  {
    title: "giving up an unconfirmed image",
    otadata: [VALID_1, makeEntry(2, STATE_PENDING_VERIFY)],
    act: (device) => void device.boot(),
    ...{ before: OLD, between: OLD, after: OLD },
  },
  {
    title: "mark valid",
    otadata: [VALID_1, makeEntry(2, STATE_PENDING_VERIFY)],
    act: (device) => device.control(NEW).markValid(),
    ...{ before: OLD, between: OLD, after: NEW },
  },
  {
    title: "mark invalid, unconfirmed",
    otadata: [VALID_1, makeEntry(2, STATE_PENDING_VERIFY)],
    act: (device) => device.control(NEW).markInvalid(),
    ...{ before: OLD, between: OLD, after: OLD },
  },
  {
    title: "mark invalid, confirmed long ago",
    otadata: [VALID_1, makeEntry(2, STATE_VALID)],
    act: (device) => device.control(NEW).markInvalid(),
    ...{ before: NEW, between: OLD, after: OLD },
  },
];

/** Performs an action with the power failing at one of its flash operations. @returns false when it has fewer */
function cut(
  device: BootDevice,
  act: Scenario["act"],
  index: number,
  moment: CutMoment,
  seed: number,
): boolean {
  const { flash } = device;
  flash.faults = cutPowerAt(flash.operations + index, moment, seed);
  try {
    act(device);
    return false;
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
    return true;
  } finally {
    flash.faults = undefined;
    flash.restorePower();
  }
}

function countOperations(device: BootDevice, act: Scenario["act"]): number {
  const before = device.flash.operations;
  act(device);
  return device.flash.operations - before;
}

for (const encrypted of [false, true])
  describe(`power cut at every flash operation of the boot side${encrypted ? ", encrypted" : ""}`, () => {
    for (const { title, otadata, act, before, between, after } of SCENARIOS) {
      // An erased otadata under encryption is garbage to the boot loader, which then writes nothing.
      if (encrypted && otadata.length === 0) continue;

      it(`${title}: boots what it should`, () => {
        const last = countOperations(new BootDevice({ otadata, encrypted }), act) - 1;
        ok(last >= 0, "writes to the flash");
        for (let index = 0; index <= last; index++)
          for (const moment of CUT_MOMENTS) {
            if (moment === "bits" || moment === "weak") continue;
            const device = new BootDevice({ otadata, encrypted });
            ok(cut(device, act, index, moment, 0));
            let expected = between;
            if (index === 0 && moment === "before") expected = before;
            else if (index === last && moment === "after") expected = after;
            equal(device.boot(), expected, `${moment} operation ${index}`);
          }
      });

      it(`${title}: boots a good image whichever bits were half-way`, () => {
        const last = countOperations(new BootDevice({ otadata, encrypted }), act) - 1;
        for (let index = 0; index <= last; index++)
          for (const seed of SEEDS)
            for (const moment of ["bits", "weak"] as const) {
              const device = new BootDevice({ otadata, encrypted });
              ok(cut(device, act, index, moment, seed));
              // Unstable bits: what was read once need not be read again.
              for (let n = 0; n < 3; n++)
                ok(device.boot() !== undefined, `${moment} operation ${index}, seed ${seed}`);
            }
      });

      it(`${title}: boots after a second cut during the boot`, () => {
        const last = countOperations(new BootDevice({ otadata, encrypted }), act) - 1;
        for (let index = 0; index <= last; index++) for (const moment of CUT_MOMENTS) twice(index, moment);
      });

      function twice(index: number, moment: CutMoment): void {
        for (let second = 0; ; second++)
          for (const then of CUT_MOMENTS) {
            const device = new BootDevice({ otadata, encrypted });
            cut(device, act, index, moment, 1);
            const happened = cut(device, (rebooting) => void rebooting.boot(), second, then, 2);
            if (device.boot() === undefined) fail(`${moment} operation ${index}, then ${then} ${second}`);
            if (!happened) return;
          }
      }
    }
  });

describe("what a power cut within a write has left unstable", () => {
  const ON_TRIAL = [VALID_1, makeEntry(2, STATE_PENDING_VERIFY)];
  for (const { title, act, running, isDecided } of [
    {
      title: "confirming",
      act: (device: BootDevice) => device.control(NEW).markValid(),
      running: NEW,
      isDecided: (device: BootDevice) => device.control(NEW).imageState() === "valid",
    },
    {
      title: "giving up, by the boot loader",
      act: (device: BootDevice) => void device.boot(),
      running: OLD,
      isDecided: (device: BootDevice) => device.control(OLD).otherState() === "aborted",
    },
    {
      title: "giving up, by the application",
      act: (device: BootDevice) => device.control(NEW).markInvalid(),
      running: OLD,
      isDecided: (device: BootDevice) => device.control(OLD).otherState() === "invalid",
    },
  ]) {
    /** Of the starts after one at which the decision read well: how many were other images. */
    function others(secure: boolean): { lives: number; others: number } {
      const counts = { lives: 0, others: 0 };
      const last = countOperations(new BootDevice({ otadata: ON_TRIAL }), act) - 1;
      // What only looks done is what reads well.
      for (let index = 0; index <= last; index++)
        for (let seed = 1; seed <= WEAK_SEEDS; seed++) {
          const device = new BootDevice({ otadata: ON_TRIAL });
          cut(device, act, index, "weak", seed);
          // Each read is another chance.
          for (let n = seed % 7; n > 0; n--) device.entries();
          if (device.boot() !== running || !isDecided(device)) continue;
          if (secure) device.control(running).secure();
          for (let n = 0; n < 6; n++) {
            counts.lives++;
            if (device.boot() !== running) counts.others++;
          }
        }
      return counts;
    }

    it(`decides about booting no longer once it is secured: ${title}`, () => {
      const before = others(false);
      ok(before.others > 0, `no start differs without it, of ${before.lives}: the test shows nothing`);
      const after = others(true);
      ok(after.lives > here(60, 15), `${after.lives} starts`);
      equal(after.others, 0);
    });
  }

  it("costs no image when the power fails while it is secured", () => {
    for (const otadata of [
      [VALID_1, makeEntry(2, STATE_VALID)],
      [VALID_1, makeEntry(2, STATE_ABORTED)],
    ]) {
      const running = otadata[1].state === STATE_VALID ? NEW : OLD;
      const act = (device: BootDevice) => device.control(running).secure();
      const last = countOperations(new BootDevice({ otadata }), act) - 1;
      ok(last >= 1, "erases and writes");
      for (let index = 0; index <= last; index++)
        for (const seed of SEEDS)
          for (const moment of CUT_MOMENTS) {
            const device = new BootDevice({ otadata });
            ok(cut(device, act, index, moment, seed));
            for (let n = 0; n < 4; n++) equal(device.boot(), running, `${moment} operation ${index}`);
          }
    }
  });
});
