/**
 * The CBOR messages of file streams. What is taken must mean the same to cborg.
 * @module
 */
import * as cborg from "cborg";
import { decodeMessage, FIELDS, FILE_ID, INDEX, LENGTH, PAYLOAD, START } from "../../../src/transfer/cbor.js";
import { ascii, hex } from "../../support/hex.js";
import type { Random } from "../random.js";
import { type FuzzTarget, must, outcome } from "../target.js";

const INTERESTING = [
  0,
  1,
  23,
  24,
  255,
  256,
  4096,
  65535,
  65536,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
];
const KEYS = ["f", "i", "l", "p", "c", "o", "m", "x", "code", "message", "clientToken", ""];

function head(out: number[], random: Random, major: number, value: number): void {
  const natural = value < 24 ? 0 : value < 256 ? 1 : value < 65536 ? 2 : value < 2 ** 32 ? 4 : 8;
  const width = random.oneIn(6) ? Math.max(natural, random.pick([0, 1, 2, 4, 8])) : natural;
  if (random.oneIn(200)) out.push((major << 5) | random.pick([28, 29, 30, 31]));
  else if (width === 0) out.push((major << 5) | value);
  else {
    out.push((major << 5) | (24 + Math.log2(width)));
    for (let n = width - 1; n >= 0; n--) out.push(Math.floor(value / 256 ** n) & 255);
  }
}

function text(out: number[], random: Random, value: string): void {
  head(out, random, 3, random.oneIn(100) ? value.length + 1 : value.length);
  out.push(...ascii(value));
}

function item(out: number[], random: Random, depth: number): void {
  const kind = random.below(depth > 10 ? 5 : 9);
  if (kind < 2) head(out, random, kind, random.oneIn(2) ? random.below(100) : random.pick(INTERESTING));
  else if (kind === 2 || kind === 3) {
    const indefinite = random.oneIn(8);
    if (indefinite) out.push((kind << 5) | 31);
    for (let chunks = indefinite ? random.below(3) : 1; chunks > 0; chunks--) {
      const length = random.below(12);
      head(out, random, kind, length);
      for (let n = 0; n < length; n++) out.push(0x61 + random.below(26));
    }
    if (indefinite && !random.oneIn(10)) out.push(0xff);
  } else if (kind === 4) {
    const first = random.pick([0xf4, 0xf5, 0xf6, 0xf9, 0xfa, 0xfb, 0xff]);
    out.push(first);
    if (first > 0xf8 && first < 0xfc)
      for (let n = 2 ** (first - 0xf8); n > 0; n--) out.push(random.below(256));
  } else if (kind === 5) {
    head(out, random, 6, random.below(40));
    item(out, random, depth + 1);
  } else if (kind === 6 || kind === 7) map(out, random, depth + 1, kind === 6 ? 4 : 5, []);
  else text(out, random, random.pick(KEYS));
}

/** An array (4) or map (5) with the given entries and some more. */
function map(out: number[], random: Random, depth: number, major: number, entries: (() => void)[]): void {
  const all = [...entries];
  for (let more = random.below(3); more > 0; more--)
    all.splice(random.below(all.length + 1), 0, () => {
      if (major === 5) text(out, random, random.pick(KEYS));
      item(out, random, depth);
    });
  const indefinite = random.oneIn(3);
  if (indefinite) out.push((major << 5) | 31);
  else head(out, random, major, random.oneIn(40) ? all.length + 1 : all.length);
  for (const entry of all) entry();
  if (indefinite && !random.oneIn(20)) out.push(0xff);
}

function message(
  random: Random,
  keys: readonly string[],
  value: (out: number[], key: string) => void,
): Uint8Array {
  const out: number[] = [];
  const entries = keys
    .filter(() => !random.oneIn(20))
    .map((key) => () => {
      text(out, random, key);
      if (random.oneIn(20)) item(out, random, 0);
      else value(out, key);
    });
  for (let n = entries.length; n > 1; n--) entries.push(...entries.splice(random.below(n), 1));
  map(out, random, 0, 5, entries);
  if (random.oneIn(30)) out.push(random.below(256));
  return Uint8Array.from(out);
}

/** What cborg makes of a message; undefined where it stops at what the agent steps over. */
function oracle(input: Uint8Array): Record<string, unknown> | undefined {
  try {
    return cborg.decode(input, { rejectDuplicateMapKeys: true, allowBigInt: true }) as Record<
      string,
      unknown
    >;
  } catch (error) {
    // Unknown values may hold tags, simple values, duplicate or other keys, and text that is no UTF-8.
    const { message } = error as Error;
    if (/tag|simple|undefined|key|repeat|utf|integers|depth|indefinite/i.test(message)) return undefined;
    throw new Error(`taken, but cborg says: ${message}`);
  }
}

/** Used for every message, as the agent does: what one leaves must not show in the next. */
const fields = new Float64Array(FIELDS);

/** What was taken has to mean the same to cborg. */
function compare(input: Uint8Array, refusal: string): void {
  const other = oracle(input);
  if (refusal) {
    must(refusal !== ": ", "a rejection has a code");
    if (!other) return;
    const code = other["o"] ?? other["code"];
    const message = other["m"] ?? other["message"] ?? "";
    must(Boolean(code), "a rejection has a code");
    must(refusal === `${code}: ${message}`, "cborg reads the same code and message");
    return;
  }
  const [fileId, index, length, byteLength] = [FILE_ID, INDEX, LENGTH, PAYLOAD].map((field) => fields[field]);
  const start = fields[START + PAYLOAD];
  for (const number of [fileId, index, length])
    must(Number.isSafeInteger(number) && number >= 0, "a safe integer");
  must(start > 0 && byteLength >= 0 && start + byteLength <= input.length, "the payload lies in the message");
  if (!other) return;
  must(
    other["f"] === fileId && other["i"] === index && other["l"] === length,
    "cborg reads the same numbers",
  );
  const payload = other["p"] as Uint8Array;
  const same = payload.length === byteLength && payload.every((byte, n) => byte === input[start + n]);
  must(same, "cborg reads the same payload");
}

/** The agent takes what comes on either topic for what it is. */
function decodes(input: Uint8Array): ReturnType<FuzzTarget["run"]> {
  return outcome(
    () => decodeMessage(input, fields),
    ["cbor-decode"],
    (refusal) => compare(input, refusal),
  );
}

export const dataBlock: FuzzTarget = {
  name: "cbor-block",
  corpus: [
    cborg.encode({ f: 0, i: 2, l: 88, p: new Uint8Array(88) }),
    cborg.encode({ c: "rdy", f: 0, i: 0, l: 300, p: new Uint8Array(300) }),
    hex("bf 616601 61691a00000003 616c1b0000000000000002 617042abcd ff"),
    hex("a5 617882a1616183f5f4f7c11a5f5e1000 616601 616903 616c02 617042abcd"),
    hex("bf 6178 9f 01 a1 6161 fb0000000000000000 5f 4101 ff ff 616601 616903 616c02 617042abcd ff"),
  ],
  dictionary: [
    "6166",
    "6169",
    "616c",
    "6170",
    "6163",
    "bf",
    "ff",
    "9f",
    "5f",
    "7f",
    "1b7fffffffffffffff",
    "c1",
  ].map(hex),
  maxLength: 1024,
  generate: (random) =>
    message(random, ["f", "i", "l", "p", "c"], (out, key) => {
      if (key === "p") {
        head(out, random, 2, 4);
        out.push(1, 2, 3, 4);
      } else if (key === "c") text(out, random, "rdy");
      else head(out, random, 0, random.pick(INTERESTING));
    }),
  run: decodes,
};

export const rejection: FuzzTarget = {
  name: "cbor-rejection",
  corpus: [
    cborg.encode({ o: "ResourceNotFound", m: "no such stream", c: "rdy" }),
    Uint8Array.of(
      0xbf,
      ...cborg.encode({ code: "InvalidCbor", message: "€", clientToken: "" }).subarray(1),
      0xff,
    ),
    ascii('{"code":"InvalidJson"}'),
  ],
  dictionary: ["616f", "616d", "6163", "64636f6465", "676d657373616765", "bf", "ff", "7f"].map(hex),
  maxLength: 1024,
  generate: (random) =>
    message(random, random.oneIn(2) ? ["o", "m", "c"] : ["code", "message", "clientToken"], (out) =>
      text(out, random, random.pick(KEYS)),
    ),
  run: decodes,
};
