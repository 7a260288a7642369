import { decodeBase64 } from "../../src/base64.js";
import { OtaError } from "../../src/errors.js";
import { deepEqual, throws } from "../support/assert.js";
import { ascii, hex } from "../support/hex.js";

/** Cases named as in the base64 suite of the FreeRTOS OTA library. */
describe("base64", () => {
  const valid: [string, string, string][] = [
    ["ValidTwoPaddingSymbols", "Rk9PQg==", "FOOB"],
    ["ValidOnePaddingSymbol", "Rk9PQkE=", "FOOBA"],
    ["ValidNoPaddingSymbols", "Rk9PQkFS", "FOOBAR"],
    ["ValidNoOptionalPadding, two left out", "Rk9PQg", "FOOB"],
    ["ValidNoOptionalPadding, one left out", "Rk9PQkE", "FOOBA"],
    ["ValidDataContainsLF", "\nZm\n9v\n", "foo"],
    ["ValidDataContainsCRLF", "\r\nRk9P\r\nQkE=\r\n", "FOOBA"],
    ["ValidWhitespace behind data", "Rk9PQkFS ", "FOOBAR"],
    ["ValidWhitespace behind padding", "Rk9PQkE= ", "FOOBA"],
    ["a line end between padding symbols", "Rk9PQg=\n=", "FOOB"],
    ["a single byte", "Zg==", "f"],
  ];
  for (const [name, text, decoded] of valid)
    it(`takes ${name}`, () => deepEqual(decodeBase64(text, 20), ascii(decoded)));

  it("ValidBufferSize: takes exactly as much as it may", () =>
    deepEqual(decodeBase64("Rk9PQkFSQkFa", 9), ascii("FOOBARBAZ")));

  it("knows all 64 symbols", () =>
    deepEqual(
      decodeBase64("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 48),
      hex("00108310518720928b30d38f41149351559761969b71d79f8218a39259a7a29aabb2dbafc31cb3d35db7e39ebbf3dfbf"),
    ));

  const invalid: [string, string][] = [
    ["InvalidPadding: three symbols", "Zg==="],
    ["InvalidPadding: two too many", "Rk9PQkE==="],
    ["InvalidPadding: three behind whole data", "Rk9PQkFS==="],
    ["InvalidPadding: one behind whole data", "Rk9PQkFS="],
    ["InvalidPadding: one of two", "Rk9PQg="],
    ["InvalidPadding: two for one", "Rk9PQkE=="],
    ["InvalidSymbols: hyphen of the URL alphabet", "Rk9PQkF-"],
    ["InvalidSymbols: underline of the URL alphabet", "Rk9PQkF_"],
    ["InvalidSymbols: @ before A", "Rk9@"],
    ["InvalidSymbols: [ behind Z", "Rk9["],
    ["InvalidSymbols: ` before a", "Rk9`"],
    ["InvalidSymbols: { behind z", "Rk9{"],
    ["InvalidSymbols: . before /", "Rk9."],
    ["InvalidSymbols: : behind 9", "Rk9:"],
    ["InvalidSymbols: tab", "Rk9\tPQkFS"],
    ["InvalidSymbols: NUL", "Rk9P\0"],
    ["InvalidSymbols: beyond ASCII", "Rk9PŁkFS"],
    ["InvalidNonZeroPaddingBits: two", "TWG="],
    ["InvalidNonZeroPaddingBits: the last of two", "TWF="],
    ["InvalidNonZeroPaddingBits: four", "Tf=="],
    ["InvalidNonZeroPaddingBits: the first of four", "TY=="],
    ["InvalidNonZeroPaddingBits: the last of four", "TR=="],
    ["InvalidNonZeroPaddingBits: without padding", "Tf"],
    ["InvalidWhitespace: in front", " Rk9PQkFS"],
    ["InvalidWhitespace: inside", "Rk9P QkFS"],
    ["InvalidWhitespace: before padding", "Rk9PQkE ="],
    ["InvalidInputSize: a single symbol", "R"],
    ["InvalidInputSize: nothing", ""],
    ["InvalidInputSize: line ends only", "\r\n\r\n"],
    ["InvalidEncodedDataLength", "Rk9PC==="],
    ["InvalidEncodedDataLength without padding", "Rk9PC"],
    ["InvalidPaddingPlacement: in front", "=Rk9PQkFS"],
    ["InvalidPaddingPlacement: inside", "Rk9P=QkFS"],
    ["InvalidPaddingPlacement: in front, as much as is due", "=Zm8"],
    ["InvalidPaddingPlacement: inside, as much as is due", "Z=m8"],
    ["InvalidPaddingPlacement: nothing else", "=="],
  ];
  for (const [name, text] of invalid)
    it(`refuses ${name}`, () => throws(() => decodeBase64(text, 20), { type: OtaError, code: "bad-base64" }));

  it("InvalidBufferSize: refuses one byte more than it may give", () =>
    throws(() => decodeBase64("Rk9PQkFSQkFa", 8), {
      type: OtaError,
      code: "bad-base64",
      message: "not base64 of 1 to 8 bytes",
    }));

  it("refuses line ends without end before it has read them", () =>
    throws(() => decodeBase64(`Zm9v${"\n".repeat(100)}`, 20), {
      code: "bad-base64",
      message: "not base64 of 1 to 20 bytes",
    }));
});
