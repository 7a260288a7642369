/**
 * ESP32 application images: the input is the file. Nothing outside of it may be read.
 * @module
 */
import { checkStructure, HEAD_LENGTH, parseHead } from "../../../src/slot/esp-image.js";
import { C3, ESP32, type ImageHead, S3 } from "../../data/esp-image-heads.js";
import { ascii, concat, hex } from "../../support/hex.js";
import type { Random } from "../random.js";
import { type FuzzTarget, must, outcome } from "../target.js";

const CHIPS = [0, 2, 5, 9, 12, 13, 16, 18, 20, 23, 25, 28, 99];
const ADDRESSES = [
  0x3c000000, 0x3c010000, 0x3f400000, 0x3f000000, 0x42000000, 0x40000000, 0x400d0000, 0x3fc90000, 0,
];

/** The head of a real image, with one segment that leaves room for checksum and hash. */
function small(image: ImageHead): Uint8Array {
  const bytes = concat(hex(image.head), new Uint8Array(48));
  bytes[1] = 1;
  new DataView(bytes.buffer).setUint32(28, 256, true);
  return bytes;
}
const HEADS = [C3, ESP32, S3].map(small);

function generate(random: Random): Uint8Array {
  const head = random.pick(HEADS);
  const count = random.oneIn(30) ? random.below(20) : 1 + random.below(6);
  const parts: Uint8Array[] = [];
  let at = 24;
  for (let n = 0; n < count; n++) {
    const length = (n === 0 ? 256 : 0) + (random.oneIn(30) ? random.below(64) : 4 * random.below(32));
    const content =
      n === 0
        ? concat(head.subarray(32, HEAD_LENGTH), new Uint8Array(Math.max(0, length - 256)))
        : new Uint8Array(length);
    const header = new DataView(new ArrayBuffer(8));
    const base = random.pick(ADDRESSES) + (random.oneIn(8) ? random.below(65536) : at + 8);
    header.setUint32(0, base, true);
    header.setUint32(4, random.oneIn(60) ? random.next() : length, true);
    parts.push(new Uint8Array(header.buffer), content);
    at += 8 + content.length;
  }
  const end = (at | 15) + 1 + 32;
  const signature = random.oneIn(8)
    ? new Uint8Array(Math.ceil(end / 4096) * 4096 + 4096 - end)
    : new Uint8Array(0);
  const image = concat(head.subarray(0, 24), ...parts, new Uint8Array(end - at), signature);
  if (signature.length) image[image.length - 4096] = 0xe7;
  image[1] = count;
  if (!random.oneIn(3)) image[12] = random.pick(CHIPS);
  return image;
}

export const espImage: FuzzTarget = {
  name: "esp-image",
  corpus: HEADS,
  dictionary: [
    ascii("\xe9"),
    hex("3254cdab"),
    hex("2000003c"),
    hex("00010000"),
    hex("fcffffff"),
    hex("00000001"),
  ],
  maxLength: 10000,
  generate,
  run: (input) =>
    outcome(
      () => {
        const description = parseHead(input.subarray(0, HEAD_LENGTH), input.length);
        checkStructure((offset, length) => {
          must(
            offset >= 0 && length > 0 && offset + length <= input.length,
            "nothing outside of the file is read",
          );
          return input.subarray(offset, offset + length);
        }, input.length);
        return description;
      },
      ["bad-image"],
      ({ chipId, version, projectName, secureVersion, buildId }) => {
        must(
          chipId >= 0 && chipId < 65536 && secureVersion >= 0 && secureVersion < 2 ** 32,
          "numbers are unsigned",
        );
        must(version.length <= 32 && projectName.length <= 32, "texts fit their fields");
        must(/^[0-9a-f]{8}$/.test(buildId), "a build id has 8 digits");
      },
    ),
};
