import { refuse } from "../../hosts/emulated/flash-faults.js";
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { equal, ok } from "../support/assert.js";
import { fileOf, PalRig, rigImage, SLOT } from "../support/pal-rig.js";

describe("flash PAL: what was signed is judged", () => {
  it("refuses a signed older image whose head was another one when it came", () => {
    const rig = new PalRig();
    const old = rigImage("0.9.0");
    const file = fileOf(old);
    rig.create(file);
    rig.pal.inspect(file, rigImage("1.1.0").subarray(0, rig.pal.headLength));
    rig.write(old);
    equal(rig.close().code, "downgrade");
  });
});

describe("flash PAL: a journal that can not be begun", () => {
  it("costs the resume, not the update", () => {
    const reasons: string[] = [];
    const rig = new PalRig({ pal: { onNoResume: (reason) => reasons.push(reason) } });
    const image = rigImage();
    const file = fileOf(image);
    rig.create(file);
    rig.chip.faults = refuse(
      ({ kind, offset }) => kind === "write" && offset >= SLOT - SECTOR_SIZE && offset < SLOT,
      "fail",
    );
    rig.write(image);
    equal(rig.close().code, undefined);
    equal(reasons.length, 1);
    ok(reasons[0].includes("can not be written"), reasons[0]);
  });
});
