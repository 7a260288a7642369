/**
 * UTF-8, base64 and versions. Built-in decoders are the oracles.
 * @module
 */
import { decodeBase64 } from "../../../src/base64.js";
import { decodeUtf8, encodeUtf8 } from "../../../src/bytes.js";
import { compareVersions, packVersion, parseVersion } from "../../../src/slot/version.js";
import { ascii, hex } from "../../support/hex.js";
import type { Random } from "../random.js";
import { type FuzzTarget, must, outcome, TAKEN } from "../target.js";

const latin = (input: Uint8Array) =>
  Buffer.from(input.buffer, input.byteOffset, input.length).toString("latin1");

/** `count` characters of an alphabet. */
function characters(random: Random, alphabet: string, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => alphabet.charCodeAt(random.below(alphabet.length)));
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const EDGES = [
  0, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4,
  0xf5, 0xff,
];

export const utf8: FuzzTarget = {
  name: "utf-8",
  corpus: [
    ascii("ota"),
    hex("4772c3b6c39f6520e282ac3520f09f9a80"),
    hex("eda080"),
    hex("f48fbfbf"),
    hex("efbbbf41"),
  ],
  dictionary: ["c3b6", "e282ac", "f09f9a80", "c0af", "e09f80", "f0808080", "edbfbf", "f4908080"].map(hex),
  maxLength: 300,
  generate: (random) => Uint8Array.from({ length: random.below(100) }, () => random.pick(EDGES)),
  run: (input) =>
    outcome(
      () => {
        let expected: string | undefined;
        try {
          expected = strict.decode(input);
        } catch {
          expected = undefined;
        }
        let text: string | undefined;
        try {
          text = decodeUtf8(input);
          return text;
        } finally {
          must(text === expected, "decoded as TextDecoder decodes");
        }
      },
      ["bad-utf8"],
      (text) => must(Buffer.compare(encodeUtf8(text), input) === 0, "encoding gives the same bytes"),
    ).replace(/near byte #/, ""),
};

export const base64: FuzzTarget = {
  name: "base64",
  corpus: ["Rk9PQg==", "Rk9PQkE=", "Rk9PQkFS", "\r\nRk9P\r\nQkE=\r\n", "TWG=", "Rk9P QkFS", "Zg==="].map(
    ascii,
  ),
  dictionary: ["=", "==", "\n", "\r\n", " ", "-", "_", "AAAA"].map(ascii),
  maxLength: 300,
  generate: (random) => characters(random, "AQZaz09+/+/g8wBCDEFh=\n", random.below(40)),
  run(input) {
    const text = latin(input);
    return outcome(
      () => decodeBase64(text, 64),
      ["bad-base64"],
      (bytes) => {
        must(bytes.length > 0 && bytes.length <= 64, "as many bytes as allowed");
        const plain = text.replace(/[ \r\n]/g, "");
        const canonical = Buffer.from(bytes).toString("base64");
        must(plain === canonical || plain === canonical.replace(/=/g, ""), "base64 has one form");
      },
    );
  },
};

export const version: FuzzTarget = {
  name: "version",
  corpus: [
    "1.2.3",
    "v1.2",
    "1.2.3-rc.1+x",
    "1.2.3-4-gabcdef0-dirty",
    "2024.01.05",
    "1.2.3.4",
    "2024-9-1",
    "1.0b1",
    "",
  ].map(ascii),
  dictionary: [
    ".",
    "-",
    "+",
    "v",
    "0",
    "999999999999999",
    "9999999999999999",
    "rc",
    "-g1234567",
    "-dirty",
    "b1",
  ].map(ascii),
  maxLength: 64,
  generate: (random) => characters(random, "0123456789..-+vrc", random.below(16)),
  run(input) {
    const text = latin(input);
    const read = parseVersion(text);
    const packed = packVersion(text);
    must(Number.isInteger(packed) && packed >= 0 && packed <= 0xffffffff, "a packed version has 32 bits");
    must(
      Object.is(compareVersions(text, text), read ? 0 : Number.NaN),
      "a version equals itself, and only a version",
    );
    if (!read) return "no version";
    for (const number of [...read.numbers, read.commits])
      must(Number.isSafeInteger(number) && number >= 0, "numbers are safe integers");
    const order = compareVersions(text, "1.2.3-rc.1");
    must(
      Math.sign(order) === -Math.sign(compareVersions("1.2.3-rc.1", text)) || order === 0,
      "order has two sides",
    );
    return TAKEN;
  },
};
