import { OtaError } from "../../src/index.js";
import { beginSegment } from "../../src/payload/decoder.js";
import { PayloadHeader } from "../../src/payload/header.js";
import { jsDecoder } from "../../src/payload/js-decoder.js";
import * as Model from "../../src/payload/model.js";
import type { Plan } from "../../tools/payload/assemble.js";
import { Coder } from "../../tools/payload/coder.js";
import { makeDelta, packImage } from "../../tools/payload/encoder.js";
import * as Vectors from "../data/payload-vectors.js";
import { deepEqual, equal, throws } from "../support/assert.js";
import { decodeAll, payloadOf, reader } from "../support/payloads.js";
import { sha256 } from "../support/sha256.js";
import { seeded } from "../support/virtual-clock.js";

const REFUSAL = { type: OtaError, code: "bad-payload" };

/** A payload of one segment of 4096 bytes whose bits `code` writes. */
function coded(code: (coder: Coder) => void, plan: Partial<Plan> = {}): Uint8Array {
  const coder = new Coder();
  code(coder);
  return payloadOf(plan, [{ data: coder.finish(), raw: false }]);
}

function literal(coder: Coder, byte: number, last = 0): void {
  coder.bit(Model.IS_COPY + last, 0);
  coder.tree(Model.LITERAL, 8, byte);
}

/** A copy from `distance` before in the output. */
function copyNew(coder: Coder, length: number, distance: number, last = 0): void {
  coder.bit(Model.IS_COPY + last, 1);
  coder.bit(Model.IS_OTHER + last, 1);
  coder.bit(Model.IS_NEW, 1);
  coder.bit(Model.IS_REPEATED, 0);
  coder.number(Model.NEW_LENGTH, length - 2);
  coder.number(length > Model.SHORT_LENGTH ? Model.LONG : Model.SHORT, distance - 1);
}

/** A copy from the base, whose shift changes by `by`. */
function copyOld(coder: Coder, length: number, by: number): void {
  coder.bit(Model.IS_COPY, 1);
  coder.bit(Model.IS_OTHER, Number(by !== 0));
  if (by) {
    coder.bit(Model.IS_NEW, 0);
    coder.bit(Model.IS_MINUS, Number(by < 0));
    coder.number(Model.SHIFT, Math.abs(by) - 1);
  }
  coder.number(Model.OLD_LENGTH, length - 1);
}

function noise(length: number, seed = 1): Uint8Array {
  const random = seeded(seed);
  return Uint8Array.from({ length }, () => random() * 256);
}

describe("payload decoder: vectors of another encoder", () => {
  for (const [name, payload, base] of [
    ["a delta without predictor", Vectors.TINY_DELTA, Vectors.TINY_DELTA_OLD],
    ["an image by itself", Vectors.TINY_FULL, undefined],
    ["stored segments", Vectors.TINY_STORED, undefined],
    ["an application for ESP32-C3", Vectors.C3_DELTA, decodeAll(Vectors.C3_V1).image],
    ["the same in segments of 4 KB", Vectors.C3_DELTA_4K, decodeAll(Vectors.C3_V1).image],
    ["the same by itself", Vectors.C3_FULL, undefined],
    ["an application for ESP32", Vectors.ESP32X_DELTA, decodeAll(Vectors.ESP32X_V1).image],
    ["the same in segments of 4 KB", Vectors.ESP32X_DELTA_4K, decodeAll(Vectors.ESP32X_V1).image],
  ] as const)
    for (const step of [4096, 1000])
      it(`${name}, ${step} bytes at a time`, () => {
        const { header, image } = decodeAll(payload, base, step);
        deepEqual(sha256(image), header.imageDigest);
        if (base) deepEqual(sha256(base), header.baseDigest);
        deepEqual(sha256(payload.subarray(128)), header.bodyDigest);
      });

  it("byte for byte", () => {
    deepEqual(decodeAll(Vectors.TINY_DELTA, Vectors.TINY_DELTA_OLD).image, Vectors.TINY_DELTA_NEW);
  });
});

describe("payload decoder: what tokens can say", () => {
  it("a copy that overlaps itself, and across sectors", () => {
    const payload = coded((coder) => {
      literal(coder, 7);
      literal(coder, 9);
      copyNew(coder, 4094, 2);
    });
    const { image } = decodeAll(payload, undefined, 64);
    deepEqual(
      image,
      Uint8Array.from({ length: 4096 }, (_, n) => (n % 2 ? 9 : 7)),
    );
  });

  it("a copy from an earlier segment", () => {
    const first = noise(4096);
    const coder = new Coder();
    copyNew(coder, 904, 4096);
    const image = new Uint8Array(5000);
    const parts = [
      { data: first, raw: true },
      { data: coder.finish(), raw: false },
    ];
    deepEqual(decodeAll(payloadOf({ image }, parts)).image.subarray(4096), first.subarray(0, 904));
  });

  it("copies from both ends of the base", () => {
    const base = noise(5000);
    const payload = coded(
      (coder) => {
        copyOld(coder, 4, 0);
        coder.bit(Model.IS_COPY + 1, 1);
        coder.bit(Model.IS_OTHER + 1, 1);
        coder.bit(Model.IS_NEW, 0);
        coder.bit(Model.IS_MINUS, 0);
        coder.number(Model.SHIFT, 5000 - 4096 - 1);
        coder.number(Model.OLD_LENGTH, 4092 - 1);
      },
      { base },
    );
    const { image } = decodeAll(payload, base);
    deepEqual(image.subarray(0, 4), base.subarray(0, 4));
    deepEqual(image.subarray(4), base.subarray(908));
  });
});

describe("payload decoder: refusals of tokens", () => {
  const base = noise(4096);
  for (const [what, code, plan] of [
    ["a copy that begins before the base", (coder: Coder) => copyOld(coder, 4, -1), { base }],
    ["a copy that ends behind the base", (coder: Coder) => copyOld(coder, 4096, 1), { base }],
    ["a copy from a base that is not there", (coder: Coder) => copyOld(coder, 4, 0), {}],
    ["a copy from before the image", (coder: Coder) => copyNew(coder, 4, 1), {}],
    [
      "a copy beyond the segment",
      (coder: Coder) => {
        literal(coder, 1);
        copyNew(coder, 4096, 1);
      },
      {},
    ],
    [
      "a number that is too large",
      (coder: Coder) => {
        coder.bit(Model.IS_COPY, 1);
        coder.bit(Model.IS_OTHER, 0);
        coder.tree(Model.OLD_LENGTH, 5, 25);
      },
      { base },
    ],
  ] as const)
    it(what, () => {
      const payload = coded(code, plan);
      throws(() => decodeAll(payload, "base" in plan ? plan.base : undefined), REFUSAL);
    });

  it("a segment that leaves bytes over", () => {
    const coder = new Coder();
    literal(coder, 1);
    copyNew(coder, 4095, 1);
    const data = Uint8Array.of(...coder.finish(), 1, 2, 3, 4, 5);
    throws(() => decodeAll(payloadOf({}, [{ data, raw: false }])), { ...REFUSAL, message: "left over" });
  });

  it("a code outside of its range", () => {
    for (const first of [0x7f, 0x80, 0xff]) {
      const data = Uint8Array.of(first, 0xff, 0xff, 0xff);
      throws(() => decodeAll(payloadOf({}, [{ data, raw: false }])), REFUSAL);
    }
  });

  it("a code outside of its range, before a byte is made", () => {
    for (const first of [0x7f, 0x80]) {
      const data = Uint8Array.of(first, 0xff, 0xff, 0xff);
      const payload = payloadOf({}, [{ data, raw: false }]);
      const header = new PayloadHeader(payload, payload.length);
      const source = { payload: reader(payload), base: reader(payload), output: reader(payload) };
      throws(() => beginSegment(jsDecoder(header, source), header, 0), REFUSAL);
    }
  });

  it("a predictor for a base that is no application", () => {
    const segments = [{ offset: 32, address: 0x3c000020, length: 64 }];
    const payload = coded((coder) => copyOld(coder, 4096, 0), { base, predictor: 2, segments });
    throws(() => decodeAll(payload, base), REFUSAL);
  });
});

describe("payload header: refusals", () => {
  const good = Vectors.C3_DELTA;
  const open = (payload: Uint8Array, length = payload.length) => new PayloadHeader(payload, length);
  const changed = (at: number, ...bytes: number[]) => {
    const payload = good.slice();
    payload.set(bytes, at);
    return payload;
  };

  it("none for a good one", () => equal(open(good).imageLength, 65616));

  for (const [what, payload] of [
    ["another magic", changed(0, 0x78)],
    ["a later format", changed(6, 0x32)],
    ["no NUL behind the magic", changed(7, 1)],
    ["an unknown kind", changed(8, 2)],
    ["a base without a delta", changed(8, 0)],
    ["an unknown predictor", changed(9, 3)],
    ["segments without a predictor", changed(9, 0)],
    ["segments shorter than a sector", changed(10, 11)],
    ["segments that are too long", changed(10, 17)],
    ["a reserved byte", changed(11, 1)],
    ["an empty image", changed(12, 0, 0, 0, 0)],
    ["an image of gigabytes", changed(12, 0xff, 0xff, 0xff, 0xff)],
    ["a delta without a base", changed(16, 0, 0, 0, 0)],
    ["a base of gigabytes", changed(16, 0, 0, 0, 0x80)],
    ["more steps than there are", changed(20, 2)],
    ["steps of gigabytes", changed(20, 0xff, 0xff, 0xff, 0xff)],
    ["no segments for the predictor", changed(24, 0, 0)],
    ["too many segments", changed(24, 17)],
    ["a head longer than the file", changed(26, 0xff, 0xff)],
    ["tables longer than the file", changed(28, 0, 0, 1)],
    ["tables that wrap", changed(28, 0xff, 0xff, 0xff, 0xff)],
    ["a segment outside of the image", changed(128 + 288, 0xff, 0xff, 0xff, 0xff)],
    ["a segment longer than the image", changed(128 + 288 + 8, 0xff, 0xff, 0xff, 0x7f)],
    ["a number that does not end", changed(128 + 288 + 60, 0xff, 0xff, 0xff, 0xff, 0xff)],
    ["data longer than the file", changed(128 + 288 + 68 - 6, 0xff, 0xff)],
    ["a stored segment of another length", changed(128 + 288 + 68 - 4, 0x80)],
  ] as const)
    it(what, () => {
      throws(() => open(payload), REFUSAL);
    });

  it("a segment that is no shorter than what it makes, and is not stored", () => {
    const parts = [{ data: new Uint8Array(4096), raw: false }];
    throws(() => open(payloadOf({}, parts)), { ...REFUSAL, message: "another length" });
  });

  it("tables with something behind them", () => {
    const end = 128 + 288 + 68;
    const payload = Uint8Array.from([...changed(28, 71).subarray(0, end), 0, 0, 0, ...good.subarray(end)]);
    throws(() => open(payload), { ...REFUSAL, message: "tables have another length" });
  });

  it("another length than the segments have", () => {
    throws(() => open(good, good.length + 1), REFUSAL);
    throws(() => open(good, good.length - 1), REFUSAL);
  });

  it("a start that is cut", () => {
    for (const length of [0, 7, 127, 128, 416, 483]) throws(() => open(good.subarray(0, length)), REFUSAL);
  });

  for (const [count, refused] of [
    [0, false],
    [1, false],
    [256, false],
    [257, true],
  ] as const)
    it(`a map of ${count} steps${refused ? "" : " is taken"}`, () => {
      const steps = Array.from({ length: count }, (_, n) => ({ from: n, shift: n % 3 }));
      const segments = [{ offset: 0, address: 0x3c000000, length: 64 }];
      const payload = payloadOf({ base: new Uint8Array(4096), predictor: 1, segments, steps }, [
        { data: new Uint8Array(4096), raw: true },
      ]);
      if (refused) throws(() => open(payload), REFUSAL);
      else equal(open(payload).steps.length, 2 * count);
    });

  it("steps that do not rise", () => {
    const steps = [
      { from: 8, shift: 0 },
      { from: 8, shift: 1 },
    ];
    const segments = [{ offset: 0, address: 0x3c000000, length: 64 }];
    const plan = { base: new Uint8Array(4096), predictor: 1, segments, steps };
    throws(() => open(payloadOf(plan, [{ data: new Uint8Array(4096), raw: true }])), REFUSAL);
  });
});

describe("payload encoder", () => {
  const base = noise(6000);
  const image = Uint8Array.from([...base.subarray(100, 3000), ...noise(500, 2), ...base.subarray(2000)]);

  it("makes what the decoder takes, the same each time", () => {
    const payload = makeDelta(base, image, { sha256, segmentLog2: 12 });
    deepEqual(decodeAll(payload, base).image, image);
    deepEqual(makeDelta(base, image, { sha256, segmentLog2: 12 }), payload);
    const packed = packImage(image, { sha256 });
    deepEqual(decodeAll(packed).image, image);
  });

  it("takes images of any length", () => {
    for (const length of [1, 2, 3, 4, 5, 4095, 4096, 4097]) {
      const short = image.subarray(0, length);
      deepEqual(decodeAll(makeDelta(base, short, { sha256, segmentLog2: 12 }), base).image, short);
      deepEqual(decodeAll(packImage(short, { sha256 })).image, short);
    }
  });

  it("stores what cannot be compressed", () => {
    const payload = packImage(noise(5000), { sha256, segmentLog2: 12 });
    equal(payload.length, 128 + 6 + 5000);
  });

  it("is no larger than what another encoder made of the same images", () => {
    const v1 = decodeAll(Vectors.C3_V1).image;
    const v2 = decodeAll(Vectors.C3_DELTA, v1).image;
    equal(makeDelta(v1, v2, { sha256 }).length <= Vectors.C3_DELTA.length, true);
    equal(packImage(v2, { sha256 }).length <= Vectors.C3_FULL.length, true);
  });
});
