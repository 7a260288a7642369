import { decodeUtf8, encodeUtf8, equalBytes, toHex } from "../../src/bytes.js";
import { OtaError } from "../../src/errors.js";
import { deepEqual, equal, throws } from "../support/assert.js";
import { hex } from "../support/hex.js";

describe("bytes", () => {
  const texts: [string, string, string][] = [
    ["nothing", "", ""],
    ["ASCII", "ota", "6f7461"],
    ["NUL", "a\0b", "610062"],
    ["the last of one byte", "\x7f", "7f"],
    ["the first of two bytes", "\x80", "c280"],
    ["the last of two bytes", "\u07ff", "dfbf"],
    ["the first of three bytes", "\u0800", "e0a080"],
    ["the last before the surrogates", "\ud7ff", "ed9fbf"],
    ["the first behind the surrogates", "\ue000", "ee8080"],
    ["the last of three bytes", "\uffff", "efbfbf"],
    ["the first of four bytes", "\u{10000}", "f0908080"],
    ["the last of all", "\u{10ffff}", "f48fbfbf"],
    ["a mixture", "Größe €5 🚀", "4772c3b6c39f6520e282ac3520f09f9a80"],
  ];
  for (const [name, text, digits] of texts) {
    it(`decodes ${name}`, () => equal(decodeUtf8(hex(digits)), text));
    it(`encodes ${name}`, () => deepEqual(encodeUtf8(text), hex(digits)));
  }

  it("decodes text longer than a run of characters, at every length around it", () => {
    for (const character of ["é", "€", "🚀"])
      for (let lead = 0; lead < 4; lead++)
        for (let length = 10; length < 100; length++) {
          const text = "a".repeat(lead) + character.repeat(length);
          equal(decodeUtf8(encodeUtf8(text)), text);
        }
  });

  it("decodes a part of an array", () => equal(decodeUtf8(hex("ff6f7461ff"), 1, 4), "ota"));

  const malformed: [string, string][] = [
    ["a lone continuation byte", "80"],
    ["a cut sequence of two", "c3"],
    ["a cut sequence of three", "e282"],
    ["a cut sequence of four", "f09f9a"],
    ["a sequence cut by ASCII", "e28241"],
    ["an overlong sequence of two", "c0af"],
    ["an overlong sequence of two (c1)", "c1bf"],
    ["an overlong sequence of three", "e09fbf"],
    ["an overlong sequence of four", "f08fbfbf"],
    ["a surrogate", "eda080"],
    ["the last surrogate", "edbfbf"],
    ["a value beyond U+10FFFF", "f4908080"],
    ["a sequence of five", "f888808080"],
    ["the byte FE", "fe"],
    ["the byte FF", "ff"],
  ];
  for (const [name, digits] of malformed) {
    it(`refuses ${name}`, () =>
      throws(() => decodeUtf8(hex(`61${digits}`)), { type: OtaError, code: "bad-utf8" }));
  }

  it("does not read behind the end of the part", () =>
    throws(() => decodeUtf8(hex("e282ac"), 0, 2), { code: "bad-utf8" }));

  it("throws with the code of the caller's format", () =>
    throws(() => decodeUtf8(hex("ff"), 0, 1, "cbor-decode"), { code: "cbor-decode" }));

  for (const text of ["\ud800", "a\udfff", "\ude80\ud83d"]) {
    it(`does not encode a lone surrogate (${JSON.stringify(text)})`, () =>
      throws(() => encodeUtf8(text), { type: OtaError, code: "bad-utf8" }));
  }

  it("compares bytes", () => {
    equal(equalBytes(hex("0102"), hex("0102")), true);
    equal(equalBytes(hex(""), hex("")), true);
    equal(equalBytes(hex("0102"), hex("0202")), false);
    equal(equalBytes(hex("0102"), hex("0103")), false);
    equal(equalBytes(hex("0102"), hex("01")), false);
  });

  it("writes hexadecimal digits", () => equal(toHex(hex("00 0f a0 ff")), "000fa0ff"));
});
