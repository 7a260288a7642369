/**
 * Header fields of HTTP responses. The URL class of Node is the oracle for where a redirect leads.
 * @module
 */
import { parseContentRange, resolveUrl, retryAfter } from "../../../src/transfer/http-fields.js";
import { ascii } from "../../support/hex.js";
import type { Random } from "../random.js";
import { type FuzzTarget, must, TAKEN } from "../target.js";

const latin = (input: Uint8Array) =>
  Buffer.from(input.buffer, input.byteOffset, input.length).toString("latin1");

function joined(random: Random, pieces: readonly string[], count: number): Uint8Array {
  let text = "";
  for (let n = random.below(count); n > 0; n--) text += random.pick(pieces);
  return ascii(text);
}

const RANGE = [
  "bytes ",
  "BYTES ",
  "0",
  "-",
  "4095",
  "/",
  "*",
  "9000",
  "9007199254740993",
  " ",
  ",",
  "999999999999999",
];

export const contentRange: FuzzTarget = {
  name: "content-range",
  corpus: ["bytes 0-4095/9000", "bytes 8192-8999/9000", "bytes 0-0/*", "bytes */9000", "bytes 5-4/9"].map(
    ascii,
  ),
  dictionary: RANGE.map(ascii),
  maxLength: 64,
  generate: (random) =>
    random.oneIn(2)
      ? ascii(`bytes ${random.below(9)}-${random.below(99)}/${random.oneIn(4) ? "*" : random.below(99)}`)
      : joined(random, RANGE, 9),
  run(input) {
    const text = latin(input);
    const range = parseContentRange(text);
    if (!range) return "no range";
    const { first, last, total } = range;
    for (const number of [first, last])
      must(Number.isSafeInteger(number) && number >= 0, "offsets are safe integers");
    must(first <= last && (total === -1 || last < total), "a range does not contradict itself");
    must(
      `bytes ${first}-${last}/${total < 0 ? "*" : total}` === text.toLowerCase().replace(/\b0+(?=\d)/g, ""),
      "nothing is left out",
    );
    return TAKEN;
  },
};

const DATES = [
  "Tue, 24 Nov 2026 04:00:00 GMT",
  "Tue, 24 Nov 2026 04:05:00 GMT",
  "0",
  "1e9",
  "-1",
  "120",
  "\n",
  " ",
  "999999999",
];

export const retryAfterField: FuzzTarget = {
  name: "retry-after",
  corpus: ["120", "0", `${DATES[1]}\n${DATES[0]}`, `${DATES[0]}\n${DATES[1]}`, `${DATES[1]}`].map(ascii),
  dictionary: DATES.map(ascii),
  maxLength: 100,
  weight: 0.5,
  generate: (random) => joined(random, DATES, 4),
  run(input) {
    const [value = "", date] = latin(input).split("\n");
    const headers = new Map([["retry-after", value]]);
    if (date !== undefined) headers.set("date", date);
    const ms = retryAfter(headers);
    must(ms >= 0 && ms <= 3_600_000, "a wait is at most an hour");
    return ms > 0 ? TAKEN : "no wait";
  },
};

const BASES = [
  "https://bucket.s3.amazonaws.com/a/b.bin?X=1#f",
  "http://127.0.0.1:8080/f",
  "https://h",
  "http://u:p@h:1/x/",
];
const PIECES = [
  ...[
    "/",
    "//",
    "https:",
    "http:",
    "https://",
    "HTTPS://",
    "h2",
    "other.example",
    "@",
    ":",
    ":443",
    "?",
    "#",
    "..",
    ".",
  ],
  ...[
    "\\",
    "%2f",
    "%00",
    "a",
    "b.bin",
    "ftp:",
    "javascript:",
    "[",
    "]",
    "[::1]",
    "\t",
    "\r\n",
    "\0",
    "é",
    " ",
    "&",
  ],
];

function parseUrl(url: string, base?: string): URL | undefined {
  try {
    return new URL(url, base);
  } catch {
    return undefined;
  }
}

export const redirect: FuzzTarget = {
  name: "redirect",
  corpus: [
    "/other",
    "other?x",
    "https://h2/f",
    "//h2/f",
    "http://h2/f",
    "ftp://h2/f",
    "?x",
    "",
    "https:f",
  ].map(ascii),
  dictionary: PIECES.map(ascii),
  maxLength: 200,
  generate: (random) => joined(random, PIECES, 7),
  run(input) {
    const location = latin(input);
    let taken = false;
    for (const base of BASES) {
      const url = resolveUrl(base, location);
      if (url === undefined) continue;
      must(/^https?:\/\/[\x21-\x7e]+$/i.test(url), "a URL is one word of ASCII");
      const parsed = parseUrl(url);
      // What no URL can be is for the client to refuse.
      if (!parsed) continue;
      taken = true;
      must(!(base.startsWith("https:") && parsed.protocol !== "https:"), "https does not become http");
      // WHATWG takes a backslash for a slash, which RFC 3986 does not know, and a field's bytes for characters.
      const bytes = location.replace(/[\x80-\xff]/g, escape);
      const oracle = location.includes("\\") ? undefined : parseUrl(bytes, base);
      if (oracle) must(oracle.host === parsed.host, "a redirect leads to the host it names");
    }
    return taken ? TAKEN : "not followed";
  },
};
