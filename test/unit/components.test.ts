import { refuse } from "../../hosts/emulated/flash-faults.js";
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { buildStatement } from "../../hosts/formats/component-builder.js";
import { RecordLog } from "../../src/components/record-log.js";
import { BAD, decodeRecords } from "../../src/components/records.js";
import { parseStatement } from "../../src/components/statement.js";
import type { JobFile } from "../../src/control/job-document.js";
import type { OtaError } from "../../src/errors.js";
import type { FileSet } from "../../src/slot/pal.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { accept, cutComponents } from "../support/component-cuts.js";
import {
  ASSETS,
  CERTS,
  ComponentRig,
  componentFile,
  type Files,
  firmwareImage,
  STATEMENT,
  withStatement,
} from "../support/component-rig.js";
import { fileOf } from "../support/pal-rig.js";
import { testCrypto } from "../support/test-crypto.js";

const assets = (version: string, changes = {}) => componentFile("assets", version, changes);
const certs = (version: string, changes = {}) => componentFile("certs", version, changes);
const one = (bytes: Uint8Array, type = ASSETS): Files => new Map([[type, bytes]]);
/** A file with other bytes at `at`. */
function changed(file: Uint8Array, at: number, ...bytes: readonly number[]): Uint8Array {
  const copy = file.slice();
  copy.set(bytes, at);
  return copy;
}

describe("components: one by itself", () => {
  it("is not there until the first update, then on trial, then accepted", () => {
    const rig = new ComponentRig();
    equal(rig.versions, "1.0.0 - -");
    equal(rig.install(one(assets("1"))), undefined);
    equal(rig.restarts, 1);
    equal(rig.versions, "1.0.0 - -");
    rig.start();
    equal(rig.versions, "1.0.0 1 -");
    accept(rig);
    equal(rig.components.getPlatformImageState(), "valid");
    rig.start();
    equal(rig.versions, "1.0.0 1 -");
  });

  it("goes into the place not in use, and comes back when it is not accepted by the next start", () => {
    const rig = new ComponentRig();
    rig.install(one(assets("1")));
    rig.start();
    accept(rig);
    rig.install(one(assets("2")));
    rig.start();
    equal(rig.versions, "1.0.0 2 -");
    rig.start();
    equal(rig.versions, "1.0.0 1 -");
    rig.start();
    equal(rig.versions, "1.0.0 1 -");
  });

  it("has as many starts as the product gives it", () => {
    const rig = new ComponentRig({ attempts: 3 });
    rig.install(one(assets("1")));
    for (let start = 0; start < 3; start++) {
      rig.start();
      equal(rig.versions, "1.0.0 1 -");
    }
    rig.start();
    equal(rig.versions, "1.0.0 - -");
  });

  it("is not tried when its start cannot be counted", () => {
    const rig = new ComponentRig();
    rig.install(one(assets("1")));
    rig.chip.faults = refuse(({ kind }) => kind === "write", "fail");
    rig.start();
    equal(rig.versions, "1.0.0 - -");
    rig.chip.faults = undefined;
    rig.start();
    equal(rig.versions, "1.0.0 1 -");
  });

  it("that came with firmware is given up for good when the boot loader gives up the firmware", () => {
    const rig = new ComponentRig();
    rig.install(withStatement(new Map([[0, firmwareImage("2.0.0")], ...one(assets("1"))])));
    rig.start();
    equal(rig.versions, "2.0.0 1 -");
    rig.start();
    equal(rig.versions, "1.0.0 - -");
    const record = new RecordLog(rig.partition(0, 2), testCrypto).open();
    ok(record);
    const { components, trial } = decodeRecords(record, ["assets", "certs"]);
    deepEqual([trial, components[0].state], [false, BAD]);
  });

  it("is given up when it is rejected", () => {
    const rig = new ComponentRig();
    rig.install(one(assets("1")));
    rig.start();
    rig.components.setPlatformImageState("rejected");
    equal(rig.versions, "1.0.0 - -");
    rig.start();
    equal(rig.versions, "1.0.0 - -");
  });

  it("takes effect at once where the product says so, and its trial is counted", () => {
    const rig = new ComponentRig({ live: true });
    rig.install(one(assets("1")));
    equal(rig.restarts, 0);
    equal(rig.versions, "1.0.0 1 -");
    rig.start();
    equal(rig.versions, "1.0.0 - -");
    rig.install(one(assets("1")));
    accept(rig);
    rig.start();
    equal(rig.versions, "1.0.0 1 -");
  });

  it("is read as it was written, and not beyond its end", () => {
    const rig = new ComponentRig({ live: true });
    const file = assets("1");
    rig.install(one(file));
    const open = rig.components.open("assets");
    ok(open);
    equal(open.byteLength, file.length - 256);
    const bytes = new Uint8Array(open.byteLength);
    open.read(0, bytes);
    ok(bytes.every((byte, at) => byte === file[256 + at]));
    throws(() => open.read(1, bytes), { type: RangeError });
    throws(() => open.read(-1, bytes), { type: RangeError });
    throws(() => rig.components.open("stranger"), { type: RangeError });
  });
});

describe("components: a record of a trial that is told not to have been written", () => {
  for (const withFirmware of [false, true])
    it(`is not followed at the next start, ${withFirmware ? "with" : "without"} firmware: it was`, () => {
      const rig = new ComponentRig();
      const files = withFirmware
        ? withStatement(new Map([...one(assets("1")), ...one(firmwareImage("2.0.0"), 0)]), 1)
        : one(assets("1"));
      const { chip } = rig;
      let reads = 0;
      let failed = false;
      // The record is there whole; that it is can not be read.
      rig.onActivate = () => {
        chip.faults = {
          fate: ({ kind, offset }) => {
            if (kind !== "read" || offset >= 2 * SECTOR_SIZE || failed || ++reads < 2) return undefined;
            failed = true;
            return "fail";
          },
        };
      };
      equal(rig.install(files), "flash-write");
      ok(failed);
      chip.faults = undefined;
      rig.start();
      equal(rig.versions, "1.0.0 - -");
      equal(rig.components.getPlatformImageState(), "valid");
    });
});

describe("components: what is refused", () => {
  const refused: [why: string, files: Files, code: string][] = [
    ["another component's file", one(certs("1")), "wrong-project"],
    ["another product's", one(assets("1", { projectName: "other" })), "wrong-project"],
    ["firmware as a component", one(firmwareImage("2.0.0")), "bad-image"],
    ["a component as firmware", one(assets("1"), 0), "bad-image"],
    ["one for newer firmware", one(assets("1", { minFirmware: "1.0.1" })), "bad-version"],
    ["one for older firmware", one(assets("1", { maxFirmware: "0.9" })), "bad-version"],
    ["one larger than its place", one(assets("1", { size: 0x10000 })), "file-too-large"],
    ["a type nobody knows", one(assets("1"), 12), "file-create"],
    ["a header that is not 0 behind its texts", one(changed(assets("1"), 200, 1)), "bad-image"],
    ["a header that is not 0 between length and texts", one(changed(assets("1"), 13, 1)), "bad-image"],
    ["a text with more behind its end", one(changed(assets("1"), 16 + 20, 0x61)), "bad-image"],
    ["a text that does not end", one(changed(assets("1"), 16, ...new Array(32).fill(0x61))), "bad-image"],
    ["a header for a longer file", one(changed(assets("1"), 8, 0xff)), "bad-image"],
    [
      "several without a statement",
      new Map([...one(assets("1")), ...one(certs("1"), CERTS)]),
      "signature-missing",
    ],
  ];
  for (const [why, files, code] of refused)
    it(`${why}: ${code}`, () => {
      const rig = new ComponentRig();
      const bits = rig.storage.bytes.slice();
      equal(rig.install(files), code);
      ok(
        rig.storage.bytes.every((byte, at) => byte === bits[at]),
        "flash was touched",
      );
    });

  it("the same and an older version", () => {
    const rig = new ComponentRig({ live: true });
    rig.install(one(assets("2")));
    accept(rig);
    equal(rig.install(one(assets("1"))), "downgrade");
    equal(rig.install(one(assets("2", { size: 500 }))), "same-version");
    equal(rig.versions, "1.0.0 2 -");
  });

  it("what is in use signed anew, by itself and in a set: a head does not tell that the rest is the same", () => {
    const rig = new ComponentRig({ live: true });
    rig.install(one(assets("2")));
    accept(rig);
    // Another s: nothing is verified before the head is judged.
    const anew = ({ fileType, signature }: JobFile) =>
      fileType === ASSETS && signature
        ? { signature: { ...signature, bytes: changed(signature.bytes, signature.bytes.length - 1, 2) } }
        : {};
    equal(rig.install(one(assets("2")), anew), "same-version");
    const set = withStatement(
      new Map([
        [ASSETS, assets("2")],
        [CERTS, certs("1")],
      ]),
    );
    equal(rig.install(set, anew), "same-version");
    equal(rig.install(set), undefined);
  });

  it("firmware that a component in use does not go with, unless the job brings another", () => {
    const rig = new ComponentRig({ live: true });
    rig.install(one(assets("1", { maxFirmware: "1.9" })));
    accept(rig);
    equal(rig.install(one(firmwareImage("2.0.0"), 0)), "bad-version");
    const set = new Map([
      [0, firmwareImage("2.0.0")],
      [ASSETS, assets("2", { minFirmware: "2" })],
    ]);
    equal(rig.install(withStatement(set)), undefined);
  });

  it("a file that is not the one of the set, a set for another product, an older set", () => {
    const rig = new ComponentRig();
    const set = new Map([
      [ASSETS, assets("2")],
      [CERTS, certs("2")],
    ]);
    const mixed = new Map([...withStatement(set, 7), [CERTS, certs("1")]]);
    equal(rig.install(mixed), "signature-check");
    equal(rig.install(withStatement(set, 7, { projectName: "other" })), "wrong-project");
    equal(rig.install(withStatement(set, 7)), undefined);
    rig.start();
    accept(rig);
    const newer = new Map([
      [ASSETS, assets("3")],
      [CERTS, certs("3")],
    ]);
    equal(rig.install(withStatement(newer, 6)), "downgrade");
    equal(rig.install(withStatement(newer, 8)), undefined);
  });

  const untouched = (rig: ComponentRig, action: () => void) => {
    const bits = rig.storage.bytes.slice();
    action();
    ok(
      rig.storage.bytes.every((byte, at) => byte === bits[at]),
      "flash was touched",
    );
  };

  it("a signature of another file: firmware's on a component and back, of another component, of an older version", () => {
    const crossings: [bytes: Uint8Array, type: number, signed: Uint8Array][] = [
      [assets("1"), ASSETS, firmwareImage("2.0.0")],
      [firmwareImage("2.0.0"), 0, assets("1")],
      [assets("1"), ASSETS, certs("1")],
      [assets("2"), ASSETS, assets("1")],
    ];
    for (const [bytes, type, signed] of crossings) {
      const rig = new ComponentRig();
      const { signature } = fileOf(signed);
      equal(
        rig.install(one(bytes, type), () => ({ signature })),
        "signature-check",
      );
      rig.start();
      equal(rig.versions, "1.0.0 - -");
    }
  });

  it("a statement as a component, a component as a statement, a statement with the signature of one of its files", () => {
    const rig = new ComponentRig();
    const set = withStatement(one(assets("1")), 1);
    const paper = set.get(STATEMENT) as Uint8Array;
    untouched(rig, () => {
      equal(rig.install(one(paper)), "bad-image");
      equal(
        rig.install(new Map([...one(assets("1")), [STATEMENT, assets("1", { size: 100 })]])),
        "bad-image",
      );
      const { signature } = fileOf(assets("1"));
      equal(
        rig.install(set, ({ fileType }) => (fileType === STATEMENT ? { signature } : {})),
        "signature-check",
      );
    });
  });

  it("a statement that was given up while it was verified: it told the next job", () => {
    const rig = new ComponentRig();
    const { components, clock } = rig;
    const set = withStatement(one(assets("1")), 1);
    const files = [...set].map(([fileType, bytes]) => fileOf(bytes, { fileType }));
    const [paper, ...rest] = (components.plan(files) as FileSet).files;
    const told: string[] = [];
    components.createFile(paper, () => told.push("created"));
    clock.run(1000);
    components.writeBlock(0, set.get(STATEMENT) as Uint8Array);
    components.closeFile(() => told.push("closed"));
    components.abort(false);
    clock.run(1000);
    equal(told.join(), "created");
    // Its files belong to no job any more.
    throws(() => components.createFile(rest[0], () => {}), { code: "file-create" });
  });

  it("deltas and packed images where firmware is taken whole: they were fetched, and told to be no image", () => {
    const { components } = new ComponentRig();
    const bytes = firmwareImage("2.0.0");
    const whole = fileOf(bytes);
    const delta = fileOf(bytes, { filePath: "/d;base=0a1b2c3d" });
    const packed = fileOf(bytes, { filePath: "/d;packed" });
    deepEqual(components.rank([delta, whole, packed]), [whole]);
    const refused = components.plan([packed, fileOf(assets("1"), { fileType: ASSETS })]);
    equal((refused as OtaError).code, "file-create");
  });

  it("a set with one member that is older than what is in use: nothing of it is written", () => {
    const rig = new ComponentRig({ live: true });
    const both = (a: string, c: string) =>
      new Map([
        [ASSETS, assets(a)],
        [CERTS, certs(c)],
      ]);
    equal(rig.install(withStatement(both("2", "2"), 1)), undefined);
    accept(rig);
    untouched(rig, () => {
      equal(rig.install(withStatement(both("3", "1"), 2)), "downgrade");
      equal(
        rig.install(withStatement(new Map([[0, firmwareImage("0.9.0")], ...both("3", "3")]), 2)),
        "downgrade",
      );
    });
    equal(rig.versions, "1.0.0 2 2");
  });

  it("a set whose members do not go with its own firmware: nothing of it is written", () => {
    const rig = new ComponentRig();
    const set = new Map([
      [0, firmwareImage("2.0.0")],
      [ASSETS, assets("1", { maxFirmware: "1.9" })],
    ]);
    untouched(rig, () => equal(rig.install(withStatement(set)), "bad-version"));
  });

  it("a set with a component that has one place, and no way back", () => {
    const rig = new ComponentRig(({ definitions: [first, second] }) => ({
      components: [first, { ...second, places: second.places.slice(0, 1), refetchable: true }],
    }));
    const set = new Map([
      [ASSETS, assets("2")],
      [CERTS, certs("2")],
    ]);
    untouched(rig, () => {
      equal(rig.install(withStatement(set)), "file-create");
      equal(
        rig.install(withStatement(new Map([[0, firmwareImage("2.0.0")], ...one(certs("2"), CERTS)]))),
        "file-create",
      );
    });
    equal(rig.install(one(certs("2"), CERTS)), undefined);
  });

  it("a statement that names a component twice, or none", () => {
    const digest = new Uint8Array(32);
    const paper = (...names: string[]) =>
      buildStatement({
        ...{ sequence: 1, projectName: "rig" },
        entries: names.map((name) => ({ name, version: "1", digest })),
      });
    equal(parseStatement(paper("assets", "certs")).entries.length, 2);
    throws(() => parseStatement(paper("assets", "certs", "assets")), { code: "bad-image", message: "twice" });
    const nameless = paper("assets");
    nameless.fill(0, 48, 64);
    throws(() => parseStatement(nameless), { code: "bad-image", message: "none" });
  });

  it("a set whose statement names less, or more, than the job has", () => {
    const rig = new ComponentRig();
    const both = withStatement(
      new Map([
        [ASSETS, assets("2")],
        [CERTS, certs("2")],
      ]),
    );
    const less = new Map(both);
    less.delete(CERTS);
    equal(rig.install(less), "signature-check");
    const more = new Map([...withStatement(one(assets("2"))), ...one(certs("2"), CERTS)]);
    equal(rig.install(more), "signature-check");
  });
});

describe("components: power cuts at some of the flash operations", () => {
  for (const set of ["components", "with firmware"] as const)
    it(`a set: ${set}: all or nothing`, () => {
      ok(cutComponents(set, false, 23) > 5);
    });
});
