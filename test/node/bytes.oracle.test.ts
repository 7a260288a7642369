/**
 * UTF-8 and base64 against what Node has built in.
 * @module
 */
import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { decodeBase64 } from "../../src/base64.js";
import { decodeUtf8, encodeUtf8, toHex } from "../../src/bytes.js";
import { OtaError } from "../../src/errors.js";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function same(bytes: Uint8Array): void {
  let expected: string;
  try {
    expected = strict.decode(bytes);
  } catch {
    throws(() => decodeUtf8(bytes), OtaError);
    return;
  }
  equal(decodeUtf8(bytes), expected);
}

describe("UTF-8 against TextDecoder", () => {
  it("agrees on every code point", () => {
    for (let point = 0; point < 0x110000; point++) {
      if (point >> 11 === 0x1b) continue;
      const text = String.fromCodePoint(point);
      const bytes = Buffer.from(text);
      equal(decodeUtf8(bytes), text);
      deepEqual(encodeUtf8(text), new Uint8Array(bytes));
    }
  });

  it("agrees on every sequence of two bytes, and of three that begin with one of three or four", () => {
    const bytes = new Uint8Array(3);
    for (let pair = 0; pair < 0x10000; pair++) {
      bytes[0] = pair >> 8;
      bytes[1] = pair;
      same(bytes.subarray(0, 2));
      if (bytes[0] < 0xdf) continue;
      for (const third of [0, 0x7f, 0x80, 0xbf, 0xc0, 0xff]) {
        bytes[2] = third;
        same(bytes);
      }
    }
  });

  it("agrees on random bytes around valid text", () =>
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 4 }), fc.string({ unit: "binary" }))),
        (parts) => same(Buffer.concat(parts.map((part) => Buffer.from(part as string)))),
      ),
      { numRuns: 2000 },
    ));
});

describe("hexadecimal digits against Buffer", () => {
  it("agrees", () =>
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => equal(toHex(bytes), Buffer.from(bytes).toString("hex"))),
    ));
});

describe("base64 against Buffer", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 100 });

  it("decodes what Buffer encodes, with or without padding, in lines", () =>
    fc.assert(
      fc.property(bytes, fc.boolean(), fc.constantFrom("", "\n", "\r\n"), (data, padded, end) => {
        let text = Buffer.from(data).toString("base64");
        if (!padded) text = text.replaceAll("=", "");
        deepEqual(decodeBase64(text.replace(/.{1,20}/g, `$&${end}`), 100), data);
      }),
    ));

  it("takes one text only for any bytes, but for padding and blanks", () =>
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9+/]{1,12}={0,3}$/), (text) => {
        let data: Uint8Array;
        try {
          data = decodeBase64(text, 9);
        } catch (error) {
          equal((error as OtaError).code, "bad-base64");
          return;
        }
        const canonical = Buffer.from(data).toString("base64");
        equal(text.replaceAll("=", ""), canonical.replaceAll("=", ""));
        if (text.includes("=")) equal(text, canonical);
      }),
      { numRuns: 3000 },
    ));
});
