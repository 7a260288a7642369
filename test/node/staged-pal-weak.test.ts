/** What is on flash of an update by payload, and reads otherwise in a later life. */
import { cutPowerAt } from "../../hosts/emulated/flash-faults.js";
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { PayloadRig, updateThrough } from "../support/payload-rig.js";
import { cutScenes } from "../support/payload-scenes.js";

describe("staged PAL: flash that does not read as it did", function () {
  this.timeout(300_000);

  // In each the journal's sector is erased, the header written, the first record.
  for (const [index, operations] of [
    // A payload of one sector: this is its only record, on which the image depends.
    [0, [107, 108, 109]],
    [1, [124, 125, 126]],
  ] as const)
    it(`${cutScenes()[index]?.name}: in the header of a journal and in its first record, which read right once: a second cut costs one sector`, () => {
      const scene = cutScenes()[index];
      ok(scene);
      const { options, update, segment } = scene;
      let cuts = 0;
      for (const at of operations)
        for (let next = at + 1; next < 320; next += 3)
          cuts += updateThrough(
            options,
            update,
            [
              { moment: "weak", at },
              { moment: "after", at: next },
            ],
            segment,
          ).made;
      ok(cuts > 150, `${cuts}`);
    });

  // Power cuts every so many operations, one bit of one sector then.
  const STEP = 19;
  for (const { name, options, update } of cutScenes())
    it(`${name}: a bit in any sector that flips while the power is off`, () => {
      const { file, payload, image } = update;
      const whole = new PayloadRig(options);
      const begin = whole.chip.operations;
      equal(whole.update(file, payload), undefined);
      for (let at = begin + 1; at <= whole.chip.operations; at += STEP)
        for (let sector = 0; sector * SECTOR_SIZE < whole.slotSize; sector++) {
          const rig = new PayloadRig(options);
          rig.chip.faults = cutPowerAt(at, "before");
          try {
            rig.update(file, payload);
          } catch {
            // The power went.
          }
          rig.chip.faults = undefined;
          // Often in the first bytes, where journals are.
          const within = (sector * 37 + at * 11) % (at & 1 ? 128 : SECTOR_SIZE);
          rig.chip.flipBits(sector * SECTOR_SIZE + within, 1 << (at % 8));
          rig.restart();
          const where = `cut before ${at}, byte ${within} of sector ${sector}`;
          equal(rig.update(file, payload), undefined, where);
          deepEqual(rig.bytes(image.length), image, where);
        }
    });
});
