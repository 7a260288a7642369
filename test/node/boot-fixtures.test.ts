import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { checkImage } from "../../hosts/formats/esp-image-check.js";
import { describeApp, hex, imageBytes } from "../../hosts/formats/esp-image-layout.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { md5 } from "../../hosts/formats/md5.js";
import { parsePartitionCsv } from "../../hosts/formats/partition-csv.js";
import {
  encodePartitionTable,
  parsePartitionTable,
  verifyPartitionTable,
} from "../../hosts/formats/partition-table.js";
import { PureSha256 } from "../../hosts/formats/sha256.js";
import { deepEqual, equal, ok } from "../support/assert.js";

const sha256 = () => createHash("sha256");
const data = (name: string) => new Uint8Array(readFileSync(new URL(`../data/${name}`, import.meta.url)));

/** What Espressif's esptool prints for each image; offsets are those of the segments' data. */
const IMAGES = [
  {
    file: "app-c3-v1.bin",
    chipId: 5,
    entry: 0x40384000,
    revisions: [3, 199],
    segments: [
      [0x0418c, 0x3c000020, 0x00020],
      [0x00040, 0x3fc90000, 0x041b4],
      [0x001d8, 0x40384000, 0x041fc],
      [0x0bc3c, 0x00000000, 0x043dc],
      [0x0000c, 0x42010020, 0x10020],
    ],
    checksum: 0x70,
    sha256: "0a06102fb98ad74a3b82e93619a3756a1c1e5e8b69214d912c499a2bb45a41de",
    app: ["ota-fixture", "1.0.0", 0],
    elf: "1d836654622a2a421f16ae2617716b3c3d6ac03e581e72ce32be6b79836408c0",
  },
  {
    file: "app-c3-v3sec5.bin",
    chipId: 5,
    entry: 0x40384000,
    revisions: [3, 199],
    segments: [
      [0x0418c, 0x3c000020, 0x00020],
      [0x00040, 0x3fc90000, 0x041b4],
      [0x001d8, 0x40384000, 0x041fc],
      [0x0bc3c, 0x00000000, 0x043dc],
      [0x0000c, 0x42010020, 0x10020],
    ],
    checksum: 0x79,
    sha256: "9f909bc02f5d21d03cd536f88fe09c90505d92404af1d10070826361c9cb8ff2",
    app: ["ota-fixture", "3.0.0", 5],
    elf: "fac41ffce271b8f9af4da33cb041e469074c5b625fa2757a7594620ede91c75b",
  },
  {
    file: "app-esp32x-v1.bin",
    chipId: 0,
    entry: 0x40084118,
    revisions: [0, 399],
    segments: [
      [0x04188, 0x3f400020, 0x00020],
      [0x00040, 0x3ffb0000, 0x041b0],
      [0x001dc, 0x40084000, 0x041f8],
      [0x0bc3c, 0x00000000, 0x043dc],
      [0x0000c, 0x400e0020, 0x10020],
    ],
    checksum: 0xed,
    sha256: "da55d10a44a4ed13e827c7d8782dee006ebbc42f2cbd30b65d2921d7efa47332",
    app: ["ota-fixture", "1.0.0", 0],
    elf: "891f562c84634d47ab23fa564d0f029c3b9774be8e1ba75af676d8c9875d553b",
  },
] as const;

describe("image checks against images packed by ESP-IDF", () => {
  for (const expected of IMAGES)
    it(`${expected.file}: agrees with esptool`, () => {
      const source = imageBytes(data(expected.file));
      const image = checkImage(source, { chipId: expected.chipId }, sha256);
      equal(image.length, 65616);
      equal(image.chipId, expected.chipId);
      equal(image.entry, expected.entry);
      deepEqual([image.minChipRevision, image.maxChipRevision], expected.revisions);
      deepEqual(
        image.segments.map(({ length, loadAddress, offset }) => [length, loadAddress, offset]),
        expected.segments,
      );
      equal(image.checksum, expected.checksum);
      equal(hex(image.sha256!), expected.sha256);
      const { projectName, version, secureVersion, buildId } = describeApp(source);
      deepEqual([projectName, version, secureVersion], expected.app);
      equal(buildId, expected.elf.slice(0, 8));
      const { elfSha256, time, date, idfVersion } = image.descriptor!;
      equal(hex(elfSha256), expected.elf);
      deepEqual([date, time, idfVersion], ["Jan  1 2026", "00:00:00", "v6.0.2"]);
    });
});

describe("partition tables against those of ESP-IDF's tools", () => {
  for (const name of ["partitions", "partitions-3ota", "partitions-factory"])
    it(`${name}: CSV and binary agree byte by byte`, () => {
      const rows = parsePartitionCsv(new TextDecoder().decode(data(`${name}.csv`)));
      verifyPartitionTable(rows, 0x400000);
      const binary = data(`${name}.bin`);
      deepEqual(parsePartitionTable(binary), rows);
      equal(hex(encodePartitionTable(rows)), hex(binary));
    });
});

describe("hashes against Node's", () => {
  const lengths = [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 4097];
  const sample = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 251 + length) >> 2);

  it("PureSha256 agrees for lengths around each border", () => {
    for (const length of lengths) {
      const hash = new PureSha256();
      hash.update(sample(length).subarray(0, 40));
      hash.update(sample(length).subarray(40));
      equal(hex(hash.digest()), createHash("sha256").update(sample(length)).digest("hex"));
    }
  });

  it("md5 agrees for lengths around each border", () => {
    for (const length of lengths)
      equal(hex(md5(sample(length))), createHash("md5").update(sample(length)).digest("hex"));
  });
});

describe("image builder", () => {
  it("makes images that compress about as well as real firmware", () => {
    const image = buildImage({ version: "1.0.0", projectName: "demo", size: 1572864 }, sha256);
    const ratio = deflateSync(image).length / image.length;
    ok(ratio > 0.4 && ratio < 0.7, `compresses to ${ratio}`);
  });
});
