import { StuckBits } from "../../hosts/emulated/flash-faults.js";
import { SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { OtaError } from "../../src/index.js";
import { jsDecoder } from "../../src/payload/js-decoder.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { here } from "../support/here.js";
import { fileOf } from "../support/pal-rig.js";
import { makePayload } from "../support/payload-maker.js";
import { appImage, cutPairs, cutUpdates, deltaFile, PayloadRig, packedFile } from "../support/payload-rig.js";

const BASE = appImage("1.0.0");
const NEXT = appImage("1.1.0");
const DELTA = makePayload(NEXT, BASE);
const DELTA_FILE = deltaFile(DELTA, NEXT, BASE);
/** Other content, so that there is something to fetch. */
const OTHER = appImage("1.2.0", { seed: 8 });
const PACKED = makePayload(OTHER);
const PACKED_FILE = packedFile(PACKED, OTHER);

function refused(rig: PayloadRig, code: string, payload = DELTA, file = DELTA_FILE): void {
  const before = rig.chip.operations;
  throws(() => rig.fetch(file, payload, rig.create(file)), { type: OtaError, code });
  equal(rig.chip.operations, before, "flash is not touched");
}

describe("staged PAL: applies", () => {
  for (const encrypted of [false, true]) {
    it(`a delta${encrypted ? ", encrypted" : ""}`, () => {
      const rig = new PayloadRig({ encrypted });
      equal(rig.update(DELTA_FILE, DELTA), undefined);
      deepEqual(rig.bytes(NEXT.length), NEXT);
      equal(rig.applied.at(-1), NEXT.length);
      equal(rig.activate(), undefined);
      deepEqual(rig.boot.calls.slice(-2), ["setBoot", "restart"]);
    });

    it(`a compressed image${encrypted ? ", encrypted" : ""}`, () => {
      const rig = new PayloadRig({ encrypted });
      equal(rig.update(PACKED_FILE, PACKED), undefined);
      deepEqual(rig.bytes(OTHER.length), OTHER);
    });
  }

  it("a whole image as ever", () => {
    const rig = new PayloadRig();
    const file = fileOf(OTHER);
    equal(rig.update(file, OTHER), undefined);
    deepEqual(rig.bytes(OTHER.length), OTHER);
    equal(rig.activate(), undefined);
  });

  it("a delta to an image that is already in the slot", () => {
    const rig = new PayloadRig();
    equal(rig.update(DELTA_FILE, DELTA), undefined);
    rig.restart();
    equal(rig.update(DELTA_FILE, DELTA), undefined);
  });

  it("onto a cell that will not hold its bit: given up, where it went on for ever", () => {
    const rig = new PayloadRig();
    const cell = new StuckBits();
    cell.stick(2 * SECTOR_SIZE + 100, 0xff, ~NEXT[2 * SECTOR_SIZE + 100]);
    rig.chip.faults = cell;
    equal(rig.update(DELTA_FILE, DELTA), "signature-check");
  });

  it("forgets an old verdict about the slot before it writes", () => {
    const rig = new PayloadRig();
    rig.boot.other = "aborted";
    rig.fetch(DELTA_FILE, DELTA, rig.create(DELTA_FILE));
    equal(rig.boot.other, "undefined");
  });
});

describe("staged PAL: its decoder", () => {
  it("has to be given", () => {
    throws(() => new PayloadRig({ pal: { decoder: undefined } }), {
      type: TypeError,
      message: 'option "decoder" is missing',
    });
  });

  for (const [what, file, payload] of [
    ["a delta", DELTA_FILE, DELTA],
    ["a compressed image", PACKED_FILE, PACKED],
  ] as const)
    it(`is told where ${what} lies, for one that reads the flash by itself`, () => {
      const read = new Uint8Array(payload.length);
      let decoders = 0;
      const rig: PayloadRig = new PayloadRig({
        pal: {
          decoder: (header, place) => {
            decoders++;
            equal(place.length, payload.length);
            // As payload.c reads it: the first sector stands behind the others.
            const first = Math.ceil(place.length / SECTOR_SIZE) - 1;
            for (let at = 0; at < place.length; at += SECTOR_SIZE) {
              const sector = at > 0 ? at / SECTOR_SIZE - 1 : first;
              rig.slot.read(read.subarray(at, at + SECTOR_SIZE), place.start + sector * SECTOR_SIZE);
            }
            return jsDecoder(header, place);
          },
        },
      });
      equal(rig.update(file, payload), undefined);
      deepEqual(read, payload);
      equal(decoders, 1);
    });
});

describe("staged PAL: ranks what a job has", () => {
  const rig = new PayloadRig();
  const whole = fileOf(OTHER);
  const foreign = { ...DELTA_FILE, filePath: "/d;base=00000000" };
  const unknown = { ...DELTA_FILE, filePath: "/d;zip" };

  it("the delta from what runs, then the compressed image, then the whole one", () => {
    deepEqual(rig.pal.rank([whole, foreign, PACKED_FILE, unknown, DELTA_FILE]), [
      DELTA_FILE,
      PACKED_FILE,
      whole,
    ]);
  });

  it("no compressed image, unless the application or its platform wants it", () => {
    const { pal } = new PayloadRig({ pal: { packed: undefined } });
    deepEqual(pal.rank([whole, PACKED_FILE]), [whole]);
  });
});

describe("staged PAL: refuses on the first block, and leaves the slot alone", () => {
  it("a delta from another build", () => {
    refused(new PayloadRig({ base: appImage("1.0.0", { seed: 9 }) }), "wrong-base");
  });

  it("a delta from an image that differs in one byte", () => {
    const rig = new PayloadRig();
    rig.chip.flipBits(rig.slotSize + 5000, 1);
    refused(rig, "wrong-base");
  });

  it("a payload whose image has another signature", () => {
    refused(new PayloadRig(), "signature-check", DELTA, { ...deltaFile(DELTA, OTHER, BASE) });
  });

  it("a compressed image where a delta was promised", () => {
    const file = deltaFile(PACKED, OTHER, BASE);
    refused(new PayloadRig(), "bad-payload", PACKED, file);
  });

  it("an older image", () => {
    const base = appImage("2.0.0");
    const payload = makePayload(NEXT, base);
    refused(new PayloadRig({ base }), "downgrade", payload, deltaFile(payload, NEXT, base));
  });

  it("what is no payload", () => {
    refused(new PayloadRig(), "bad-payload", NEXT, { ...DELTA_FILE, fileSize: NEXT.length });
  });

  it("another file of the job that is signed for another image", () => {
    const rig = new PayloadRig();
    rig.pal.rank([DELTA_FILE, fileOf(OTHER)]);
    refused(rig, "signature-check");
  });

  it("before a block is fetched: a delta from another build, a key nobody has, no way back", () => {
    const other = new PayloadRig({ base: appImage("1.0.0", { seed: 9 }) });
    throws(() => other.create(DELTA_FILE), { code: "wrong-base" });
    const rig = new PayloadRig();
    throws(() => rig.create({ ...DELTA_FILE, signature: undefined }), { code: "signature-missing" });
    rig.boot.failing = "keepWayBack";
    throws(() => rig.create(DELTA_FILE), { code: "no-way-back" });
  });

  it("a kind it does not know", () => {
    throws(() => new PayloadRig().create({ ...DELTA_FILE, filePath: "/d;zip" }), { code: "file-create" });
  });
});

describe("staged PAL: room", () => {
  // Image, payload, a journal sector for each.
  const sectors = Math.ceil(OTHER.length / SECTOR_SIZE);
  const staged = Math.ceil(PACKED.length / SECTOR_SIZE);

  it("takes a slot that is just large enough, the image overwriting what has been applied", () => {
    let least = sectors + 2;
    for (; least < sectors + staged + 2; least++) {
      const rig = new PayloadRig({ slot: least * SECTOR_SIZE });
      try {
        rig.fetch(PACKED_FILE, PACKED, rig.create(PACKED_FILE));
      } catch (error) {
        equal((error as OtaError).code, "file-too-large");
        continue;
      }
      break;
    }
    ok(least < sectors + staged + 2, `it takes ${least} sectors`);
    const rig = new PayloadRig({ slot: least * SECTOR_SIZE });
    equal(rig.update(PACKED_FILE, PACKED), undefined);
    deepEqual(rig.bytes(OTHER.length), OTHER);
    refused(new PayloadRig({ slot: (least - 1) * SECTOR_SIZE }), "file-too-large", PACKED, PACKED_FILE);
  });
});

describe("staged PAL: flash that loses what is still to be applied", () => {
  const TIGHT = 11 * SECTOR_SIZE;
  /** So many sectors that the last of them is where the payload was. */
  const MADE = 5;

  for (const encrypted of [false, true])
    it(`it is fetched again, in the midst of what is made${encrypted ? ", encrypted" : ""}`, () => {
      const rig = new PayloadRig({ encrypted, slot: TIGHT });
      rig.fetch(PACKED_FILE, PACKED, rig.create(PACKED_FILE));
      rig.pal.closeFile(
        () => {},
        (bytes) => rig.applied.push(bytes),
      );
      while (rig.applied.length < MADE) rig.clock.run(1);
      const { wear } = rig.chip;
      const worn = wear.slice();
      // The last sector of the payload, before that which is its first one and the journals.
      rig.chip.flipBits(TIGHT - 4 * SECTOR_SIZE, 1);
      rig.restart();
      equal(rig.update(PACKED_FILE, PACKED), undefined);
      deepEqual(rig.bytes(OTHER.length), OTHER);
      for (let sector = 0; sector < MADE; sector++)
        equal(wear[sector], worn[sector], `sector ${sector} stays as it is`);
    });
});

describe("staged PAL: a payload that lies", () => {
  const bodyAt = 128 + 288;

  it("whose body is not what its header says ends before it is applied", () => {
    const rig = new PayloadRig();
    const forged = PACKED.slice();
    forged[forged.length - 9] ^= 1;
    equal(rig.update(PACKED_FILE, forged), "bad-payload");
    deepEqual(rig.applied, []);
  });

  it("whose digests fit each other, but which makes another image, ends before the switch", () => {
    const forged = makePayload(OTHER, BASE);
    // The head and the digest of the signed image, everything else of the other one.
    forged.set(DELTA.subarray(32, 64), 32);
    const file = { ...deltaFile(DELTA, NEXT, BASE), fileSize: forged.length };
    const rig = new PayloadRig();
    equal(rig.update(file, forged), "bad-payload");
    ok(rig.applied.length > 0);
    equal(rig.activate(), "activate-failed");
    ok(!rig.boot.calls.includes("setBoot"));
    ok(forged.length > bodyAt);
  });
});

describe("staged PAL: a signature over the payload itself", () => {
  const file = fileOf(PACKED, { filePath: "/d;packed;signed=file" });

  it("is taken", () => {
    const rig = new PayloadRig();
    equal(rig.update(file, PACKED), undefined);
    deepEqual(rig.bytes(OTHER.length), OTHER);
    equal(rig.activate(), undefined);
  });

  it("that does not fit is noticed before anything is applied", () => {
    const rig = new PayloadRig();
    const forged = makePayload(appImage("1.3.0", { seed: 8 }));
    equal(rig.update({ ...file, fileSize: forged.length }, forged), "signature-check");
    deepEqual(rig.applied, []);
  });

  it("lets no other payload go on with what was applied", () => {
    const rig = new PayloadRig();
    rig.fetch(file, PACKED, rig.create(file));
    rig.pal.closeFile(() => {});
    rig.clock.run(2);
    rig.restart();
    equal(rig.update(file, PACKED), undefined);
  });
});

describe("staged PAL: power cuts while a payload is fetched and applied", () => {
  it("a delta", () => {
    ok(cutUpdates({}, { file: DELTA_FILE, payload: DELTA, image: NEXT }, 29) >= 5);
  });

  it("a compressed image that is overwritten as it is applied, cut twice", () => {
    const slot = 14 * SECTOR_SIZE;
    const plan = here({ first: 61, second: 31 }, { first: 127, second: 67 });
    ok(cutPairs({ slot }, { file: PACKED_FILE, payload: PACKED, image: OTHER }, plan) >= here(50, 10));
  });
});
