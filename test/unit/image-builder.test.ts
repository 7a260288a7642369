import { CHIPS, chipByName, isMapped } from "../../hosts/formats/chips.js";
import { checkImage } from "../../hosts/formats/esp-image-check.js";
import {
  describeApp,
  ImageError,
  imageBytes,
  readImageLayout,
} from "../../hosts/formats/esp-image-layout.js";
import {
  buildImage,
  type ImageOptions,
  readBehaviour,
  sealImage,
} from "../../hosts/formats/image-builder.js";
import { PureSha256 } from "../../hosts/formats/sha256.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { ascii, hex } from "../support/hex.js";
import { newSha256 as sha256 } from "../support/sha256.js";

const C3 = { chipId: 5 };
const BASE = { version: "1.2.3", projectName: "demo", size: 4096 };

function build(change: Partial<ImageOptions> = {}): Uint8Array {
  return buildImage({ ...BASE, ...change }, sha256);
}

function check(bytes: Uint8Array, target: Parameters<typeof checkImage>[1] = C3, size = bytes.length) {
  return checkImage({ ...imageBytes(bytes), size }, target, sha256);
}

describe("PureSha256", () => {
  for (const [text, digest] of [
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
    ["a".repeat(64), "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"],
  ])
    it(`agrees with FIPS 180-4 for ${text.length} characters`, () => {
      const hash = new PureSha256();
      for (const character of text) hash.update(ascii(character));
      deepEqual(hash.digest(), hex(digest));
    });
});

describe("image builder", () => {
  for (const { name, id, title } of CHIPS)
    it(`makes images for ${title} that pass the checks`, () => {
      for (const size of [512, 5000, 0x31000]) {
        const image = check(build({ chip: name, size }), { chipId: id, chipRevision: 100, blockRevision: 1 });
        equal(image.length, Math.ceil(size / 16) * 16);
        equal(image.chipId, id);
      }
    });

  it("makes the same bytes of the same options", () => {
    deepEqual(build({ size: 20000 }), build({ size: 20000 }));
  });

  it("makes versions that have no sector in common", () => {
    const [a, b] = ["1.0.0", "1.0.1"].map((version) => build({ version, size: 0x8000 }));
    for (let at = 0; at < a.length; at += 4096)
      ok(a.subarray(at, at + 4096).some((byte, i) => byte !== b[at + i]));
  });

  it("makes versions that share their code when told the seed", () => {
    const [a, b] = ["1.0.0", "1.0.1"].map((version) => build({ version, size: 0x8000, seed: 7 }));
    deepEqual(a.slice(0x1000, 0x7000), b.slice(0x1000, 0x7000));
  });

  it("describes the application", () => {
    const bytes = build({ secureVersion: 5, chip: "esp32s3" });
    const app = describeApp(imageBytes(bytes));
    const buildId = Array.from(bytes.slice(176, 180), (byte) => byte.toString(16).padStart(2, "0")).join("");
    deepEqual(app, { chipId: 9, projectName: "demo", version: "1.2.3", secureVersion: 5, buildId });
  });

  it("tells builds of a version apart", () => {
    const ids = [build(), build({ seed: 1 }), build({ behaviour: "fail" }), build({ secureVersion: 1 })].map(
      (bytes) => describeApp(imageBytes(bytes)).buildId,
    );
    equal(new Set(ids).size, 4);
  });

  it("begins code on an MMU page of its own in a large image", () => {
    const { segments } = readImageLayout(imageBytes(build({ size: 0x40000 })));
    equal(segments.length, 5);
    equal(segments[3].loadAddress, 0);
    equal(segments[4].loadAddress, 0x42010020);
    equal(segments[4].offset % 0x10000, 0x20);
  });

  it("maps exactly two segments, on pages of their own", () => {
    for (const { name } of CHIPS)
      for (const size of [512, 0x40000]) {
        const { segments } = readImageLayout(imageBytes(build({ chip: name, size })));
        const chip = chipByName(name)!;
        const mapped = segments.filter(({ loadAddress }) => isMapped(chip, loadAddress));
        equal(mapped.length, 2);
        const pages = mapped.map(({ loadAddress, length }) => [
          Math.floor(loadAddress / 0x10000),
          Math.floor((loadAddress + length - 1) / 0x10000),
        ]);
        ok(pages[0][1] < pages[1][0] || pages[1][1] < pages[0][0], `${name}: ${pages}`);
      }
  });

  it("tells a simulated device how to behave", () => {
    equal(readBehaviour(imageBytes(build())), "pass");
    equal(readBehaviour(imageBytes(build({ behaviour: "no-network" }))), "no-network");
    equal(readBehaviour(imageBytes(build({ behaviour: "x".repeat(63) }))), "x".repeat(63));
  });

  it("finds no behaviour in an image from elsewhere", () => {
    equal(readBehaviour(imageBytes(new Uint8Array(1000))), undefined);
    equal(readBehaviour(imageBytes(new Uint8Array(10))), undefined);
  });

  for (const [change, type, message] of [
    [{ size: 400 }, RangeError, "512"],
    [{ size: Number.NaN }, RangeError, "512"],
    [{ chip: "esp8266" }, TypeError, "esp8266"],
    [{ version: "1".repeat(32) }, TypeError, "31"],
    [{ projectName: "Größe" }, TypeError, "ASCII"],
    [{ behaviour: "x".repeat(64) }, TypeError, "63"],
  ] as const)
    it(`refuses ${JSON.stringify(change)}`, () => {
      throws(() => build(change), { type, message });
    });
});

describe("image checks", () => {
  /** Changes bytes of a good image, makes checksum and hash right again if asked, and checks it. */
  function changed(change: (bytes: Uint8Array, view: DataView) => void, seal = true, options = {}) {
    const bytes = build(options);
    change(bytes, new DataView(bytes.buffer));
    if (seal) sealImage(bytes, sha256);
    return () => check(bytes);
  }

  it("pass an image followed by other bytes", () => {
    const bytes = new Uint8Array(8192).fill(0xff);
    bytes.set(build());
    equal(check(bytes).length, 4096);
  });

  it("pass an image without appended hash", () => {
    const bytes = build();
    bytes[23] = 0;
    equal(check(bytes).length, 4064);
    equal(check(bytes).sha256, undefined);
  });

  for (const [reason, action] of [
    ["first byte is 0xe8", changed((bytes) => (bytes[0] = 0xe8))],
    ["first byte is 0xff", () => check(new Uint8Array(4096).fill(0xff))],
    ["17 segments", changed((bytes) => (bytes[1] = 17), false)],
    ["image is for ESP32-S3, not for ESP32-C3", changed((bytes) => (bytes[12] = 9))],
    ["image is for chip 254", changed((bytes) => (bytes[12] = 254))],
    ["impossible length", changed((_, view) => view.setUint32(28, 1001, true), false)],
    ["impossible length", changed((_, view) => view.setUint32(28, 0x1000000, true), false)],
    ["impossible length", changed((_, view) => view.setUint32(28, 0xfffffffc, true), false)],
    ["ends outside", changed((_, view) => view.setUint32(28, 8192, true), false)],
    ["no MMU page", changed((_, view) => view.setUint32(24, 0x3c000024, true))],
    ["checksum", changed((bytes) => (bytes[2000] ^= 1), false)],
    ["SHA-256", changed((bytes) => (bytes[4090] ^= 1), false)],
    ["SHA-256", changed((bytes) => (bytes[2] ^= 1), false)],
    ["does not fit", () => check(build(), C3, 4095)],
    ["ends before byte 24", () => check(build().subarray(0, 20))],
  ] as const)
    it(`find: ${reason}`, () => {
      throws(action, { type: ImageError, message: reason });
    });

  it("find the chip's revision outside the image's limits", () => {
    const bytes = build({ minChipRevision: 3, maxChipRevision: 199 });
    check(bytes, { chipId: 5, chipRevision: 3 });
    check(bytes, { chipId: 5, chipRevision: 199 });
    throws(() => check(bytes, { chipId: 5, chipRevision: 2 }), { type: ImageError, message: "minimum of 3" });
    throws(() => check(bytes, { chipId: 5, chipRevision: 200 }), {
      type: ImageError,
      message: "maximum of 199",
    });
  });

  it("find the eFuse block's revision outside the image's limits, except on ESP32", () => {
    for (const chip of ["esp32c3", "esp32"]) {
      const bytes = build({ chip });
      new DataView(bytes.buffer).setUint16(208, 2, true);
      sealImage(bytes, sha256);
      const target = { chipId: chip === "esp32" ? 0 : 5, blockRevision: 1 };
      if (chip === "esp32") check(bytes, target);
      else throws(() => check(bytes, target), { type: ImageError, message: "eFuse block revision 1" });
    }
  });

  it("insist on a descriptor only where it decides the page size", () => {
    for (const chip of ["esp32c3", "esp32c6"]) {
      const bytes = build({ chip });
      bytes[32] ^= 1;
      sealImage(bytes, sha256);
      const chipId = chipByName(chip)!.id;
      if (chip === "esp32c3") equal(check(bytes, { chipId }).descriptor, undefined);
      else throws(() => check(bytes, { chipId }), { type: ImageError, message: "no application descriptor" });
      throws(() => describeApp(imageBytes(bytes)), {
        type: ImageError,
        message: "no application descriptor",
      });
    }
  });

  it("know no unknown chip", () => {
    throws(() => check(build(), { chipId: 99 }), { type: RangeError, message: "99" });
  });

  it("find any single bit changed", () => {
    const bytes = build({ size: 512 });
    for (let bit = 0; bit < bytes.length * 8; bit += 37) {
      bytes[bit >> 3] ^= 1 << (bit & 7);
      throws(() => check(bytes), { type: ImageError });
      bytes[bit >> 3] ^= 1 << (bit & 7);
    }
    check(bytes);
  });
});
