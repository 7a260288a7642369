import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { buildComponent } from "../../hosts/formats/component-builder.js";
import { buildModFile } from "../../hosts/formats/mod-archive.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import {
  ASSETS,
  componentFile,
  type Files,
  firmwareImage,
  MOD,
  withStatement,
} from "../support/component-rig.js";
import { here } from "../support/here.js";
import { cutMods, MOD_UPDATES } from "../support/mod-cuts.js";
import { buildArchive, modFile, modFileOf, program } from "../support/mod-engine.js";
import { flipMods, MOD_FLIPS } from "../support/mod-flips.js";
import { ModRig, type ModRigOptions } from "../support/mod-rig.js";

const SIZE = 2 * SECTOR_SIZE + 900;
const mod = (version: string, changes = {}) => modFile(version, SIZE, changes);
const one = (bytes: Uint8Array, type = MOD): Files => new Map([[type, bytes]]);
const runs = (rig: ModRig, version: string) =>
  deepEqual(rig.running, program(version.charCodeAt(0), SIZE), `mod ${version} runs as it was signed`);

/** The first bytes of a place, as many as a mod has. */
function bytesIn(rig: ModRig, place: number): Uint8Array {
  const flash = rig.places[place];
  ok(flash);
  const bytes = new Uint8Array(SIZE);
  flash.read(bytes, 0);
  return bytes;
}

/** A device with mod 1, accepted. */
function device(options: ModRigOptions = {}): ModRig {
  const rig = new ModRig(options);
  equal(rig.rig.install(one(mod("1"))), undefined);
  rig.start();
  rig.accept();
  rig.start();
  equal(rig.versions, "1.0.0 - 1");
  return rig;
}

describe("mods: one by itself", () => {
  it("is not there until the first update, then linked, on trial, then accepted", () => {
    const rig = new ModRig();
    equal(rig.versions, "1.0.0 - -");
    equal(rig.mods.problem, undefined);
    equal(rig.rig.install(one(mod("1"))), undefined);
    equal(rig.rig.restarts, 1);
    rig.start();
    equal(rig.versions, "1.0.0 - 1");
    ok(rig.prepared?.onTrial);
    ok(rig.guard.on, "a mod on trial is guarded");
    runs(rig, "1");
    rig.accept();
    ok(!rig.guard.on, "and no longer once it was accepted");
    const before = rig.rig.chip.operations;
    rig.start();
    runs(rig, "1");
    ok(!rig.guard.on);
    // The components' record is made to stay at a start; nothing is linked again.
    ok(rig.rig.chip.operations - before < 12, "linked once");
  });

  it("goes into the place not in use, and comes back when it is not accepted by the next start", () => {
    const rig = device();
    rig.rig.install(one(mod("2")));
    rig.start();
    equal(rig.versions, "1.0.0 - 2");
    runs(rig, "2");
    rig.start();
    equal(rig.versions, "1.0.0 - 1");
    runs(rig, "1");
    ok(rig.rig.components.rolledBack);
  });

  it("restarts even where components take effect at once", () => {
    const rig = new ModRig({ components: { live: true } });
    rig.rig.install(one(mod("1")));
    equal(rig.rig.restarts, 1);
    rig.start();
    equal(rig.versions, "1.0.0 - 1");
  });

  it("works on encrypted places", () => {
    const rig = device({ encrypted: true });
    runs(rig, "1");
  });
});

describe("mods: with firmware", () => {
  it("is linked for new firmware in the other place; the firmware before finds its own as it was", () => {
    const rig = device();
    const bytes = bytesIn(rig, 0);
    equal(rig.rig.install(one(firmwareImage("2.0.0"), 0)), undefined);
    rig.start();
    equal(rig.versions, "2.0.0 - 1");
    equal(rig.prepared?.place, 1);
    ok(!rig.prepared?.onTrial);
    runs(rig, "1");
    // Not accepted: the chip goes back.
    const before = rig.rig.chip.operations;
    rig.start();
    equal(rig.versions, "1.0.0 - 1");
    equal(rig.prepared?.place, 0);
    runs(rig, "1");
    deepEqual(bytesIn(rig, 0), bytes);
    ok(rig.rig.chip.operations - before < 20);
  });

  it("stays where it was linked once the firmware is accepted: the next one on trial wrote over it", () => {
    const rig = device();
    rig.rig.install(one(firmwareImage("2.0.0"), 0));
    rig.start();
    equal(rig.prepared?.place, 1);
    rig.accept();
    const bytes = bytesIn(rig, 1);
    // Without a start in between.
    equal(rig.rig.install(one(firmwareImage("3.0.0"), 0)), undefined);
    rig.start();
    equal(rig.versions, "3.0.0 - 1");
    equal(rig.prepared?.place, 0);
    deepEqual(bytesIn(rig, 1), bytes);
    rig.start();
    equal(rig.versions, "2.0.0 - 1");
    equal(rig.prepared?.place, 1);
    runs(rig, "1");
  });

  it("stays where it was linked once the firmware is accepted, and the next update goes to the other place", () => {
    const rig = device();
    rig.rig.install(one(firmwareImage("2.0.0"), 0));
    rig.start();
    rig.accept();
    equal(rig.rig.install(one(mod("2"))), undefined);
    rig.start();
    equal(rig.versions, "2.0.0 - 2");
    equal(rig.prepared?.place, 0);
    runs(rig, "2");
    rig.start();
    equal(rig.versions, "2.0.0 - 1");
    equal(rig.prepared?.place, 1);
  });

  it("takes no mod while the firmware that moved it is on trial", () => {
    const rig = device();
    rig.rig.install(one(firmwareImage("2.0.0"), 0));
    rig.start();
    equal(rig.rig.install(one(mod("2"))), "no-way-back");
    runs(rig, "1");
  });

  it("comes together with it, and goes together with it", () => {
    const rig = device();
    const files = withStatement(
      new Map([
        [0, firmwareImage("2.0.0")],
        [MOD, mod("2")],
        [ASSETS, componentFile("assets", "2")],
      ]),
    );
    equal(rig.rig.install(files), undefined);
    rig.start();
    equal(rig.versions, "2.0.0 2 2");
    runs(rig, "2");
    rig.start();
    equal(rig.versions, "1.0.0 - 1");
    runs(rig, "1");
    equal(rig.rig.install(files), undefined);
    rig.start();
    rig.accept();
    rig.start();
    equal(rig.versions, "2.0.0 2 2");
    runs(rig, "2");
  });

  it("goes back together with firmware of another XS than it was made for", () => {
    const rig = device({ xs: (firmware) => (firmware === "2.0.0" ? [17, 8, 0] : [17, 7, 0]) });
    const set = (xs: readonly number[]) =>
      withStatement(
        new Map([
          [0, firmwareImage("2.0.0")],
          [MOD, modFileOf(buildArchive(program(50, SIZE), xs), "2")],
        ]),
      );
    equal(rig.rig.install(set([17, 7, 0])), undefined);
    rig.start();
    equal(rig.versions, "2.0.0 - -");
    ok(/for XS 17\.7\.0/.test(rig.mods.problem?.message ?? ""));
    equal(rig.rig.restarts, 3);
    rig.start();
    equal(rig.versions, "1.0.0 - 1");
    equal(rig.rig.install(set([17, 8, 0])), undefined);
    rig.start();
    equal(rig.versions, "2.0.0 - 2");
    runs(rig, "2");
  });

  it("is not started by firmware of another XS, and is there again when that goes back", () => {
    const rig = device({ xs: (firmware) => (firmware === "2.0.0" ? [18, 3, 0] : [17, 7, 0]) });
    rig.rig.install(one(firmwareImage("2.0.0"), 0));
    rig.start();
    equal(rig.versions, "2.0.0 - -");
    equal(rig.mods.problem?.code, "bad-version");
    rig.start();
    equal(rig.versions, "1.0.0 - 1");
    runs(rig, "1");
  });

  it("keeps out firmware it does not go with, unless it comes along", () => {
    const rig = new ModRig();
    rig.rig.install(one(mod("1", { maxFirmware: "1.9.9" })));
    rig.start();
    rig.accept();
    equal(rig.rig.install(one(firmwareImage("2.0.0"), 0)), "bad-version");
    const files = withStatement(
      new Map([
        [0, firmwareImage("2.0.0")],
        [MOD, mod("2", { minFirmware: "2" })],
      ]),
    );
    equal(rig.rig.install(files), undefined);
    rig.start();
    equal(rig.versions, "2.0.0 - 2");
  });
});

describe("mods: what is refused before anything is erased", () => {
  const refused = (why: string, file: Uint8Array, code: string, options: ModRigOptions = {}) =>
    it(why, () => {
      const rig = device(options);
      const before = rig.rig.chip.operations;
      equal(rig.rig.install(one(file)), code);
      equal(rig.rig.chip.operations, before);
      runs(rig, "1");
    });

  refused("another project", mod("2", { projectName: "other" }), "wrong-project");
  refused("another component", mod("2", { name: "assets" }), "wrong-project");
  refused("a component that is not a mod", componentFile("mod", "2"), "bad-image");
  refused("firmware", firmwareImage("2"), "bad-image");
  refused("an older version", mod("0"), "downgrade");
  refused("the same version", mod("1", { minFirmware: "1" }), "same-version");
  refused("firmware too old for it", mod("2", { minFirmware: "1.0.1" }), "bad-version");
  refused("firmware too new for it", mod("2", { maxFirmware: "0.9" }), "bad-version");
  refused("another build of the host", mod("2", { host: new Uint8Array(16).fill(7) }), "bad-version");
  refused("more names than there is room for", mod("2", { newNames: 101 }), "bad-image");
  for (const xs of [
    [17, 6, 0],
    [18, 7, 0],
  ])
    it(`another XS version: ${xs.join(".")}`, () => {
      const rig = device();
      const bytes = mod("2");
      bytes.set(xs, 256 + 8);
      bytes.set(xs, 288 + 16);
      equal(rig.rig.install(one(bytes)), "bad-version");
      runs(rig, "1");
    });

  it("an archive in place of firmware, firmware in place of a component", () => {
    const rig = device();
    equal(rig.rig.install(one(mod("2"), 0)), "bad-image");
    equal(rig.rig.install(one(mod("2"), ASSETS)), "wrong-project");
    equal(rig.rig.install(one(firmwareImage("2"), ASSETS)), "bad-image");
  });

  it("the signature of firmware on a mod, and that of a mod on firmware", () => {
    const rig = device();
    const firmware = firmwareImage("2.0.0");
    const signatureOf = new Map<number, unknown>();
    rig.rig.install(
      new Map([
        [0, firmware],
        [MOD, mod("2")],
      ]),
      (file) => {
        signatureOf.set(file.fileType, file.signature);
        return {};
      },
    );
    const swapped = (type: number) => () => ({ signature: signatureOf.get(type) as never });
    equal(rig.rig.install(one(mod("2")), swapped(0)), "signature-check");
    equal(rig.rig.install(one(firmware, 0), swapped(MOD)), "signature-check");
    rig.start();
    equal(rig.versions, "1.0.0 - 1");
    runs(rig, "1");
  });

  it("an older set, and a mod that is not the one of the set", () => {
    const rig = device();
    const set = (version: string, sequence: number) =>
      withStatement(
        new Map([
          [MOD, mod(version)],
          [ASSETS, componentFile("assets", version)],
        ]),
        sequence,
      );
    equal(rig.rig.install(set("2", 5)), undefined);
    rig.start();
    rig.accept();
    equal(rig.rig.install(set("3", 4)), "downgrade");
    const mixed = new Map([...set("3", 6), [MOD, mod("4")]]);
    equal(rig.rig.install(mixed), "signature-check");
    rig.start();
    equal(rig.versions, "1.0.0 2 2");
    runs(rig, "2");
  });
});

describe("mods: what is wrong with one shows at its first start", () => {
  it("an archive whose names do not fit comes back to the one before", () => {
    const rig = device({ room: 20 });
    // Says that it adds none.
    const archive = buildArchive({
      symbols: ["@", ...Array.from({ length: 30 }, (_, n) => `more${n}`)],
      code: [1],
    });
    equal(rig.rig.install(one(modFileOf(archive, "2"))), undefined);
    rig.start();
    equal(rig.versions, "1.0.0 - 1");
    ok(/adds 30 names/.test(rig.mods.problem?.message ?? ""));
    ok(rig.rig.components.rolledBack);
    runs(rig, "1");
  });

  it("an archive for another XS than its header says", () => {
    const rig = device();
    const bytes = mod("2");
    bytes.set([17, 6, 0], 288 + 16);
    equal(rig.rig.install(one(bytes)), undefined);
    rig.start();
    ok(/another version of XS than its header says/.test(rig.rig.notices.join()), rig.rig.notices.join());
    runs(rig, "1");
  });

  it("an archive that is none, though it is signed", () => {
    const good = mod("2");
    for (const at of [288, 288 + 4, 288 + 12, 288 + 24, 288 + 44, 288 + 60, good.length - 12]) {
      const rig = device();
      const bytes = good.slice();
      bytes[at] = (bytes[at] as number) ^ 0x55;
      rig.rig.install(one(bytes));
      rig.start();
      equal(rig.versions, "1.0.0 - 1", `byte ${at}`);
      runs(rig, "1");
    }
  });
});

describe("mods: one that is on trial and cannot be linked", () => {
  it("gives way at the next start: its names have taken ids, and the one in use is not linked again in its place", () => {
    const rig = device();
    equal(rig.rig.install(one(mod("2"))), undefined);
    const { restarts } = rig.rig;
    const before = bytesIn(rig, 0);
    const [place] = rig.places;
    const { offset, size } = { offset: rig.offsets.place, size: place!.status().size };
    const inFirst = (at: number) => at >= offset && at < offset + size;
    let touched = 0;
    rig.rig.chip.faults = {
      fate({ kind, offset: at }) {
        if (kind === "read") return undefined;
        if (inFirst(at)) touched++;
        return at >= offset && at < rig.offsets.links ? "ignore" : undefined;
      },
    };
    rig.start();
    equal(rig.prepared, undefined);
    equal(rig.mods.problem?.code, "flash-write");
    equal(rig.rig.restarts, restarts + 1);
    rig.rig.chip.faults = undefined;
    rig.start();
    equal(rig.versions, "1.0.0 - 1");
    runs(rig, "1");
    deepEqual(bytesIn(rig, 0), before);
    equal(touched, 0);
  });
});

describe("mods: one that throws when it is started", () => {
  it("comes back to the one before at once, when it is on trial", () => {
    const rig = device();
    rig.rig.install(one(mod("2")));
    rig.start();
    const { restarts } = rig.rig;
    rig.mods.fail(new TypeError("no such function"), rig.rig.components);
    equal(rig.rig.restarts, restarts + 1);
    ok(!rig.guard.on);
    rig.start();
    equal(rig.versions, "1.0.0 - 1");
  });

  it("leaves the device without a mod, when it was accepted", () => {
    const rig = device();
    const { restarts } = rig.rig;
    rig.mods.fail(new TypeError("no such function"), rig.rig.components);
    equal(rig.rig.restarts, restarts);
    ok(/no such function/.test(rig.mods.problem?.message ?? ""));
  });
});

describe("mods: one that was accepted and then fails", () => {
  it("is not started any more after three starts that did not last, until there is another", () => {
    const rig = device();
    // That of `device` was the first.
    for (let start = 0; start < 2; start++) {
      rig.start();
      equal(rig.versions, "1.0.0 - 1");
    }
    rig.start();
    equal(rig.versions, "1.0.0 - -");
    equal(rig.mods.problem?.code, "self-test-rejected");
    equal(rig.rig.install(one(mod("2"))), undefined);
    rig.start();
    equal(rig.versions, "1.0.0 - 2");
    rig.accept();
    rig.start();
    equal(rig.versions, "1.0.0 - 2");
  });

  it("is started again after restarts that were asked for", () => {
    const rig = device();
    for (let start = 0; start < 10; start++) {
      rig.rig.components.reset();
      rig.start();
      equal(rig.versions, "1.0.0 - 1");
    }
  });

  it("is started for good when a start lasts", () => {
    const rig = device();
    for (let start = 0; start < 10; start++) {
      rig.rig.clock.run(300_001);
      rig.start();
      equal(rig.versions, "1.0.0 - 1");
    }
  });
});

describe("mods: records and files that are not what they should be", () => {
  it("needs three sectors for its links", () => {
    let message = "";
    try {
      const rig = new ModRig();
      new ModRig({ mods: { links: rig.rig.partition(0, 2) } });
    } catch (error) {
      message = (error as Error).message;
    }
    ok(/three sectors/.test(message));
  });

  it("files that cannot be built", () => {
    const description = {
      name: "mod",
      projectName: "rig",
      version: "1",
      minFirmware: "",
      maxFirmware: "",
      newNames: 0,
      host: undefined,
    };
    const archive = buildArchive(program(1, SIZE));
    const wrong = (changes: object, bytes: Uint8Array, why: RegExp) => {
      let message = "";
      try {
        buildModFile({ ...description, ...changes }, bytes);
      } catch (error) {
        message = (error as Error).message;
      }
      ok(why.test(message), message);
    };
    wrong({ newNames: -1 }, archive, /no number of names/);
    wrong({ host: new Uint8Array(3) }, archive, /16 bytes/);
    wrong({}, buildComponent({ ...description }, archive), /does not begin/);
    const flipped = archive.slice();
    flipped[30] = (flipped[30] as number) ^ 1;
    wrong({}, flipped, /checksum/);
    wrong({}, archive.subarray(0, archive.length - 1), /length/);
  });
});

describe("mods: any byte inverted on flash, some of them here", () => {
  for (const what of MOD_FLIPS)
    it(what, () => {
      flipMods(what, { step: here(13, 61) });
    });
});

describe("mods: power cuts, some of them", () => {
  for (const update of MOD_UPDATES)
    it(update, () => {
      ok(cutMods(update, false, here(160, 640)) > here(20, 5));
    });
});
