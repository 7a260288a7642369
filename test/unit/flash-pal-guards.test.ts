import { refuse } from "../../hosts/emulated/flash-faults.js";
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { equal, ok } from "../support/assert.js";
import { fileOf, PalRig, rigImage, SLOT } from "../support/pal-rig.js";
import { image, sign, World } from "../support/world.js";

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

describe("flash PAL: a journal that cannot be begun", () => {
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
    ok(reasons[0].includes("cannot be written"), reasons[0]);
  });
});

describe("flash PAL: a switch that was called off", () => {
  it("does not take place, whenever it was called off: the last timer was not kept before", () => {
    const file = fileOf(rigImage());
    for (let turns = 0; ; turns++) {
      const rig = new PalRig();
      rig.create(file);
      rig.write(rigImage());
      equal(rig.close().code, undefined);
      rig.pal.activate(() => {});
      for (let n = 0; n < turns; n++) rig.clock.time.step();
      const switched = rig.boot.calls.includes("setBoot");
      rig.pal.abort(false);
      rig.clock.run(1000);
      if (switched) {
        ok(turns > 1, "the image is hashed in turns of their own, and then booted in another one");
        return;
      }
      ok(!rig.boot.calls.includes("setBoot") && !rig.boot.calls.includes("restart"), `after ${turns} turns`);
    }
  });
});

describe("flash PAL: the journal of a file that failed", () => {
  it("does not stay: the same file is fetched anew as a whole", () => {
    const world = new World().powerOn();
    const bytes = image("2.0.0", { seed: 7 });
    const fail = () => {
      const { status, statusDetails } = world.ended(world.deploy(bytes, { signature: sign(image("2.0.0")) }));
      equal(`${status} ${statusDetails["code"]}`, "FAILED signature-check");
    };
    fail();
    const header = new Uint8Array(64);
    const slot = world.device.open(world.control.otherPartition);
    slot.read(header, slot.status().size - SECTOR_SIZE);
    ok(
      header.every((byte) => byte === 0xff),
      "the journal is still there",
    );
  });
});
