import { OtaError } from "../../src/errors.js";
import { checkRevision, checkStructure, HEAD_LENGTH, parseHead } from "../../src/slot/esp-image.js";
import { C3, ESP32, type ImageHead, S3 } from "../data/esp-image-heads.js";
import { deepEqual, equal, throws } from "../support/assert.js";
import { ascii, hex } from "../support/hex.js";

/** Offsets in the head. */
const AT = {
  segments: 1,
  chip: 12,
  hashAppended: 23,
  address: 24,
  length: 28,
  magic: 32,
  secure: 36,
  version: 48,
  project: 80,
  page: 212,
};

function head(image: ImageHead, ...changes: [number, ...number[]][]): Uint8Array {
  const bytes = hex(image.head);
  for (const [at, ...values] of changes) bytes.set(values, at);
  return bytes;
}
const parse = (image: ImageHead, ...changes: [number, ...number[]][]) =>
  parseHead(head(image, ...changes), image.size);
const refuses = (action: () => unknown, message: string) =>
  throws(action, { type: OtaError, code: "bad-image", message });

const NO_IMAGE = "no ESP32 application image";
const notLoaded = (at: number) => `the segment at ${at} cannot be loaded`;

/** A 32-byte text field: what is behind the text is not zero. */
function field(at: number, text: string): [number, ...number[]] {
  const bytes = new Uint8Array(32).fill(0x58);
  bytes.set(ascii(text));
  return [at, ...bytes];
}

describe("ESP32 image: first bytes", () => {
  it("needs 288 bytes", () => equal(HEAD_LENGTH, 288));

  it("of an ESP32-C3", () =>
    deepEqual(parse(C3), {
      chipId: 5,
      secureVersion: 5,
      version: "3.0.0",
      projectName: "ota-fixture",
      buildId: "fac41ffc",
    }));

  it("of an ESP32", () =>
    deepEqual(parse(ESP32), {
      chipId: 0,
      secureVersion: 0,
      version: "1.0.0",
      projectName: "ota-fixture",
      buildId: "891f562c",
    }));

  it("of an ESP32-S3", () => equal(parse(S3).chipId, 9));

  it("of a chip that is not known yet", () => equal(parse(C3, [AT.chip, 0xfe, 0xff]).chipId, 0xfffe));

  it("with more bytes behind", () => {
    const block = new Uint8Array(4096).fill(0xa5);
    block.set(head(C3));
    equal(parseHead(block, C3.size).version, "3.0.0");
  });

  it("with the largest secure version", () =>
    equal(parse(C3, [AT.secure, 255, 255, 255, 255]).secureVersion, 0xffffffff));

  it("with texts that end at a NUL", () => {
    equal(parse(C3, field(AT.version, "1.2.3\0")).version, "1.2.3");
    equal(parse(C3, field(AT.project, "\0")).projectName, "");
  });

  it("with texts that fill their field", () => {
    equal(parse(C3, field(AT.version, "v".repeat(32))).version, "v".repeat(32));
    equal(parse(C3, field(AT.project, `${"p".repeat(31)}\0`)).projectName, "p".repeat(31));
  });

  it("with smaller MMU pages, where the descriptor says so", () => {
    const address: [number, ...number[]] = [AT.address, 0x20, 0x80, 0x00, 0x3c];
    equal(parse(C3, address, [AT.page, 15]).chipId, 5);
    refuses(() => parse(C3, address), notLoaded(24));
  });

  it("with the page size left to the chip", () => equal(parse(C3, [AT.page, 0]).chipId, 5));

  const refused: [string, string, ...[number, ...number[]][]][] = [
    ["another first byte", NO_IMAGE, [0, 0xea]],
    ["the magic of a boot loader of ESP8266", NO_IMAGE, [0, 0xe7]],
    ["no segments", NO_IMAGE, [AT.segments, 0]],
    [NO_IMAGE, NO_IMAGE, [AT.segments, 17]],
    ["no hash appended", "no SHA-256", [AT.hashAppended, 0]],
    ["another value for the hash", "no SHA-256", [AT.hashAppended, 2]],
    [NO_IMAGE, NO_IMAGE, [AT.magic, 0x33]],
    ["no application descriptor (high byte)", NO_IMAGE, [AT.magic + 3, 0]],
    ["a first segment too short for the descriptor", notLoaded(24), [AT.length, 0xfc, 0, 0, 0]],
    ["an empty first segment", notLoaded(24), [AT.length, 0, 0, 0, 0]],
    ["a first segment with a length no multiple of 4", notLoaded(24), [AT.length, 0x01, 0x10, 0, 0]],
    ["a first segment of 16 MB", notLoaded(24), [AT.length, 0, 0, 0, 1]],
    ["a first segment of 4 GB", notLoaded(24), [AT.length, 0xfc, 0xff, 0xff, 0xff]],
    ["a first segment longer than the file", notLoaded(24), [AT.length, 0x20, 0, 1, 0]],
    ["a first segment that leaves no room for the hash", notLoaded(24), [AT.length, 0x10, 0, 1, 0]],
    ["a first segment in RAM", notLoaded(24), [AT.address, 0x00, 0x00, 0xc9, 0x3f]],
    ["a first segment just below flash", notLoaded(24), [AT.address, 0x20, 0x00, 0xff, 0x3b]],
    ["a first segment just above flash", notLoaded(24), [AT.address, 0x20, 0x00, 0x80, 0x3c]],
    ["a first segment that no page can map", notLoaded(24), [AT.address, 0x24, 0x00, 0x00, 0x3c]],
    ["an impossible page size", NO_IMAGE, [AT.page, 17]],
    ["a page size of 255", NO_IMAGE, [AT.page, 255]],
    ["a version that is no text", "not UTF-8", [AT.version, 0xff, 0]],
    ["a project name that is no text", "not UTF-8", [AT.project, 0xc3, 0]],
  ];
  for (const [name, message, ...changes] of refused)
    it(`refuse ${name}`, () => refuses(() => parse(C3, ...changes), message));

  it("refuse bytes of erased flash, and zeros", () => {
    refuses(() => parseHead(new Uint8Array(288).fill(0xff), 65616), NO_IMAGE);
    refuses(() => parseHead(new Uint8Array(288), 65616), NO_IMAGE);
  });

  for (const length of [0, 1, 24, 287])
    it(`refuse ${length} bytes`, () =>
      refuses(() => parseHead(head(C3).subarray(0, length), C3.size), NO_IMAGE));

  for (const size of [1, 335])
    it(`refuse a file of ${size} bytes`, () => refuses(() => parseHead(head(C3), size), NO_IMAGE));

  for (const size of [0, 16, 288, 320])
    it(`refuse a file of ${size} bytes, which ends before its first segment`, () =>
      refuses(() => parseHead(head(C3), size), notLoaded(24)));

  it("refuse a file of a size no image has", () => refuses(() => parseHead(head(C3), C3.size + 1), NO_IMAGE));

  // Chip, an address in flash, one in none of its ranges.
  const ranges: [string, number, number, number][] = [
    ["ESP32", 0x00, 0x3f400020, 0x3f000020],
    ["ESP32-S2", 0x02, 0x3f000020, 0x3ff80020],
    ["ESP32-C3", 0x05, 0x3c7f0020, 0x3c800020],
    ["ESP32-S3", 0x09, 0x3dff0020, 0x3e000020],
    ["ESP32-C2", 0x0c, 0x3c000020, 0x3fca0020],
    ["ESP32-C6", 0x0d, 0x42000020, 0x3c000020],
    ["ESP32-H2", 0x10, 0x42000020, 0x40800020],
    ["ESP32-P4", 0x12, 0x40000020, 0x4ff00020],
    ["ESP32-C61", 0x14, 0x42000020, 0x40800020],
    ["ESP32-C5", 0x17, 0x42000020, 0x44000020],
    ["ESP32-H21", 0x19, 0x42000020, 0x40800020],
    ["ESP32-H4", 0x1c, 0x42000020, 0x20000020],
  ];
  const little = (value: number) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);
  for (const [name, chip, good, bad] of ranges)
    it(`know where the flash of ${name} is mapped`, () => {
      equal(parse(C3, [AT.chip, chip, 0], [AT.address, ...little(good)]).chipId, chip);
      refuses(() => parse(C3, [AT.chip, chip, 0], [AT.address, ...little(bad)]), notLoaded(24));
    });
});

/** Reads the parts of an image that are given, and notes what was read; the rest is zero. */
function reader(image: ImageHead, changes: Record<number, string> = {}) {
  const parts: [number, Uint8Array][] = [[0, hex(image.head)]];
  for (const [at, digits] of image.segments) parts.push([at, hex(digits)]);
  for (const [at, digits] of Object.entries(changes)) parts.push([Number(at), hex(digits)]);
  const reads: [number, number][] = [];
  const read = (offset: number, length: number) => {
    reads.push([offset, length]);
    const bytes = new Uint8Array(length);
    for (const [at, part] of parts)
      for (let n = 0; n < part.length; n++)
        if (at + n >= offset && at + n < offset + length) bytes[at + n - offset] = part[n];
    return bytes;
  };
  return { read, reads };
}

describe("ESP32 image: structure", () => {
  for (const [name, image] of Object.entries({ C3, ESP32, S3 })) {
    it(`${name}: ends where the file does`, () => checkStructure(reader(image).read, image.size));

    it(`${name}: is read by its headers alone`, () => {
      const { read, reads } = reader(image);
      checkStructure(read, image.size);
      deepEqual(reads, [[0, 288], ...image.segments.map(([at]) => [at, 8])]);
    });

    for (const change of [-4096, -16, -1, 1, 16, 4096])
      it(`${name}: is refused in a file ${change} bytes longer`, () =>
        throws(() => checkStructure(reader(image).read, image.size + change), {
          type: OtaError,
          code: "bad-image",
        }));
  }

  const signed = Math.ceil(C3.size / 4096) * 4096;

  it("may be followed by the signature sector of Secure Boot v2", () =>
    checkStructure(reader(C3, { [signed]: "e703" }).read, signed + 4096));

  it("may not be followed by another sector", () => {
    refuses(() => checkStructure(reader(C3).read, signed + 4096), "the image ends at 65616");
    refuses(
      () => checkStructure(reader(C3, { [signed + 4096]: "e703" }).read, signed + 8192),
      "the image ends at",
    );
  });

  const [, second, , , last] = C3.segments.map(([at]) => at);
  const structures: [string, string, Record<number, string>][] = [
    ["another magic", NO_IMAGE, { 0: "e8" }],
    ["no segments", NO_IMAGE, { 1: "00" }],
    ["fewer segments", "the image ends at", { 1: "04" }],
    ["more segments", notLoaded(65580), { 1: "06" }],
    [NO_IMAGE, NO_IMAGE, { 1: "11" }],
    ["no hash", "no SHA-256", { 23: "00" }],
    ["a second segment of a length no multiple of 4", notLoaded(second), { [second + 4]: "41000000" }],
    ["a second segment of 16 MB", notLoaded(second), { [second + 4]: "00000001" }],
    ["a second segment of 4 GB", notLoaded(second), { [second + 4]: "fcffffff" }],
    ["a second segment beyond the end", notLoaded(second), { [second + 4]: "00000100" }],
    ["a last segment that is longer", notLoaded(last), { [last + 4]: "10000000" }],
    ["a last segment that no page can map", notLoaded(last), { [last]: "24000142" }],
    ["a third segment mapped from flash", notLoaded(last), { [second]: "b4410042" }],
  ];
  for (const [name, message, changes] of structures)
    it(`is refused with ${name}`, () =>
      refuses(() => checkStructure(reader(C3, changes).read, C3.size), message));

  for (const size of [1, 287, 335])
    it(`is refused in a file of ${size} bytes`, () =>
      refuses(() => checkStructure(reader(C3).read, size), NO_IMAGE));

  for (const size of [0, 16, 288, 320])
    it(`is refused in a file of ${size} bytes, which ends before its first segment`, () =>
      refuses(() => checkStructure(reader(C3).read, size), notLoaded(24)));

  it("is refused by its phase", () => {
    try {
      checkStructure(reader(C3).read, C3.size + 16);
    } catch (error) {
      equal((error as OtaError).phase, "verify");
    }
  });
});

describe("ESP32 image: what will not boot here, found in the head", () => {
  it("a signature of Secure Boot v1 behind the image is named, not taken for a broken image", () =>
    refuses(() => parseHead(head(ESP32), ESP32.size + 68), "Secure Boot v1"));

  const image = (least: number, greatest: number) =>
    head(C3, [15, least & 255, least >> 8], [17, greatest & 255, greatest >> 8]);
  for (const [least, greatest, revision] of [
    [0, 0, 0],
    [3, 199, 3],
    [3, 199, 199],
    [101, 0, 400],
    [101, 65535, 400],
    [300, 399, undefined],
  ] as const)
    it(`revisions ${least} to ${greatest} are for ${revision ?? "a chip that is not known"}`, () =>
      checkRevision(image(least, greatest), revision));

  for (const [least, greatest, revision] of [
    [3, 199, 2],
    [3, 199, 200],
    [301, 0, 300],
    [0, 99, 100],
  ])
    it(`revisions ${least} to ${greatest} are not for ${revision} (only the boot loader said so before)`, () =>
      throws(() => checkRevision(image(least, greatest), revision), {
        type: OtaError,
        code: "wrong-chip",
        message: "chip revisions",
      }));
});
