import { encodeUtf8 } from "../../src/bytes.js";
import { OtaError } from "../../src/errors.js";
import {
  decodeMessage,
  encodeGetStream,
  FIELDS,
  FILE_ID,
  INDEX,
  LENGTH,
  PAYLOAD,
  START,
} from "../../src/transfer/cbor.js";
import { deepEqual, equal, fail, throws } from "../support/assert.js";
import { ascii, concat, hex } from "../support/hex.js";

describe("CBOR: GetStream request", () => {
  // Bytes observed from the FreeRTOS OTA agent for a file of 3 blocks, and of 13.
  const golden: [string, string, number, string][] = [
    ["all of 3 blocks", "07", 1, "a66163637264796166 00 616c191000 616f00 61624107 616e01"],
    ["block 1 and 2", "06", 1, "a66163637264796166 00 616c191000 616f00 61624106 616e01"],
    ["block 2", "04", 1, "a66163637264796166 00 616c191000 616f00 61624104 616e01"],
    ["13 blocks, 4 at a time", "ff1f", 4, "a66163637264796166 00 616c191000 616f00 616242ff1f 616e04"],
    ["13 blocks without 0, 2 and 5", "da1f", 4, "a66163637264796166 00 616c191000 616f00 616242da1f 616e04"],
  ];
  for (const [name, bitmap, count, bytes] of golden)
    it(`is the original agent's, byte for byte but for the token: ${name}`, () => {
      const encode = (token: number) => encodeGetStream(0, 4096, 0, hex(bitmap), count, token);
      deepEqual(encode(0), hex(bytes.replace("a6616363726479", "a5")));
      deepEqual(encode(1), hex(bytes.replace("a6616363726479", "a661636131")));
      deepEqual(encode(63), hex(bytes.replace("a6616363726479", "a66163616f")));
    });

  it("writes the largest numbers of the service", () =>
    deepEqual(
      encodeGetStream(255, 131072, 98304, hex("07"), 98304, 0),
      hex("a5 616618ff 616c1a00020000 616f1a00018000 61624107 616e1a00018000"),
    ));

  it("writes each number as short as it can be", () =>
    deepEqual(
      encodeGetStream(24, 256, 23, new Uint8Array(24).fill(0xff), 65535, 0),
      hex(`a5 61661818 616c190100 616f17 61625818${"ff".repeat(24)} 616e19ffff`),
    ));
});

/** What a block decodes to, the payload as bytes. */
function decode(message: Uint8Array, fields = new Float64Array(FIELDS)) {
  if (decodeMessage(message, fields) !== "") fail("taken for a rejection");
  const start = fields[START + PAYLOAD];
  return {
    fileId: fields[FILE_ID],
    index: fields[INDEX],
    length: fields[LENGTH],
    payload: message.subarray(start, start + fields[PAYLOAD]),
  };
}

const payload88 = Uint8Array.from({ length: 88 }, (_, n) => n * 7);
const payload256 = Uint8Array.from({ length: 256 }, (_, n) => n);

describe("CBOR: data block", () => {
  it("decodes a short last block", () =>
    deepEqual(decode(concat(hex("a4 616600 616902 616c1858 61705858"), payload88)), {
      fileId: 0,
      index: 2,
      length: 88,
      payload: payload88,
    }));

  it("decodes a whole block", () =>
    deepEqual(decode(concat(hex("a4 616600 616900 616c190100 6170590100"), payload256)), {
      fileId: 0,
      index: 0,
      length: 256,
      payload: payload256,
    }));

  it("leaves the payload where it is", () => {
    const message = concat(hex("a4 616600 616902 616c1858 61705858"), payload88);
    const { payload } = decode(message);
    deepEqual([payload.buffer === message.buffer, payload.byteOffset, payload.length], [true, 15, 88]);
  });

  it("can be used again", () => {
    const fields = new Float64Array(FIELDS);
    decode(concat(hex("a4 616600 616900 616c190100 6170590100"), payload256), fields);
    const { payload, ...numbers } = decode(hex("a4 616601 616903 616c01 6170412a"), fields);
    deepEqual([numbers, payload.byteOffset, payload], [{ fileId: 1, index: 3, length: 1 }, 13, hex("2a")]);
  });

  const small = { fileId: 1, index: 3, length: 2, payload: hex("abcd") };
  const variants: [string, string][] = [
    ["a client token", "a5 616363726479 616601 616903 616c02 617042abcd"],
    ["keys in another order", "a4 617042abcd 616c02 616903 616601"],
    ["an indefinite map", "bf 616601 616903 616c02 617042abcd ff"],
    ["an empty rest of an indefinite map", "bf 617042abcd 616c02 616903 616601 ff"],
    ["8-bit integers", "a4 61661801 61691803 616c1802 617042abcd"],
    ["16-bit integers", "a4 6166190001 6169190003 616c190002 6170590002abcd"],
    ["32-bit integers", "a4 61661a00000001 61691a00000003 616c1a00000002 61705a00000002abcd"],
    [
      "64-bit integers",
      "a4 61661b0000000000000001 61691b0000000000000003 616c1b0000000000000002 61705b0000000000000002abcd",
    ],
    ["a map with an 8-bit count", "b804 616601 616903 616c02 617042abcd"],
    ["a map with a 64-bit count", "bb0000000000000004 616601 616903 616c02 617042abcd"],
    ["keys with 8-bit lengths", "a4 78016601 78016903 78016c02 78017042abcd"],
    ["an unknown integer", "a5 61781864 616601 616903 616c02 617042abcd"],
    ["an unknown negative integer", "a5 617838ff 616601 616903 616c02 617042abcd"],
    ["an unknown text", "a5 6178666162636465 66 616601 616903 616c02 617042abcd"],
    ["an unknown byte string", "a5 61784401020304 616601 616903 616c02 617042abcd"],
    [
      "an unknown half, a float and a double",
      "a5 617883f97e00fa7f800000fb7fefffffffffffff 616601 616903 616c02 617042abcd",
    ],
    ["an unknown null", "a5 6178f6 616601 616903 616c02 617042abcd"],
    ["an unknown nested value", "a5 617882a1616183f5f4f7c11a5f5e1000 616601 616903 616c02 617042abcd"],
    ["an unknown indefinite array", "a5 61789f0102ff 616601 616903 616c02 617042abcd"],
    ["an unknown indefinite map", "a5 6178bf01020304ff 616601 616903 616c02 617042abcd"],
    ["an unknown indefinite text", "a5 61787f61616162ff 616601 616903 616c02 617042abcd"],
    ["an unknown indefinite byte string", "a5 61785f4101ff 616601 616903 616c02 617042abcd"],
    ["an unknown empty key", "a5 6000 616601 616903 616c02 617042abcd"],
    ["a longer key that begins alike", "a5 62667801 616601 616903 616c02 617042abcd"],
    ["nesting of 8", "a5 6178 8181818181818181 00 616601 616903 616c02 617042abcd"],
  ];
  for (const [name, bytes] of variants) it(`takes ${name}`, () => deepEqual(decode(hex(bytes)), small));

  it("takes an empty payload: its length is the caller's concern", () =>
    deepEqual(decode(hex("a4 616600 616900 616c00 617040")), {
      fileId: 0,
      index: 0,
      length: 0,
      payload: hex(""),
    }));

  it("takes the largest safe integer", () =>
    equal(decode(hex("a4 616601 61691b001fffffffffffff 616c02 617042abcd")).index, Number.MAX_SAFE_INTEGER));

  it("takes 32-bit numbers as unsigned", () =>
    equal(decode(hex("a4 616601 61691affffffff 616c02 617042abcd")).index, 0xffffffff));

  it("gives l and the length of p apart", () => {
    const { length, payload } = decode(hex("a4 616600 616900 616c191000 617042abcd"));
    equal(length, 4096);
    equal(payload.length, 2);
  });

  const malformed: [string, string][] = [
    ["nothing", ""],
    ["an integer", "00"],
    ["an array", "84 616601 616903"],
    ["a text, such as a JSON error", "7b22636f6465223a22496e76616c69644a736f6e227d"],
    ["a tagged map", "c0 a4 616601 616903 616c02 617042abcd"],
    ["an empty map", "a0"],
    ["an empty indefinite map", "bfff"],
    ["no f", "a3 616903 616c02 617042abcd"],
    ["no i", "a3 616601 616c02 617042abcd"],
    ["no l", "a3 616601 616903 617042abcd"],
    ["no p", "a3 616601 616903 616c02"],
    ["f twice", "a5 616601 616601 616903 616c02 617042abcd"],
    ["i twice", "a5 616601 616903 616903 616c02 617042abcd"],
    ["l twice", "a5 616601 616903 616c02 616c02 617042abcd"],
    ["p twice", "a5 616601 616903 616c02 617042abcd 617042abcd"],
    ["c twice", "a6 616363726479 616363726479 616601 616903 616c02 617042abcd"],
    ["f twice in different forms", "a5 616601 78016601 616903 616c02 617042abcd"],
    ["a negative f", "a4 616620 616903 616c02 617042abcd"],
    ["a negative i", "a4 616601 616920 616c02 617042abcd"],
    ["a negative l", "a4 616601 616903 616c21 617042abcd"],
    ["a float i", "a4 616601 6169f94200 616c02 617042abcd"],
    ["a double i", "a4 616601 6169fb4008000000000000 616c02 617042abcd"],
    ["a tagged i", "a4 616601 6169c203 616c02 617042abcd"],
    ["a text i", "a4 616601 69 6133 616c02 617042abcd"],
    ["an i of 2^53", "a4 616601 61691b0020000000000000 616c02 617042abcd"],
    ["an i of 2^64 − 1", "a4 616601 61691bffffffffffffffff 616c02 617042abcd"],
    ["a null l", "a4 616601 616903 616cf6 617042abcd"],
    ["a text p", "a4 616601 616903 616c02 617062abcd"],
    ["an array p", "a4 616601 616903 616c02 6170820102"],
    ["a chunked p", "a4 616601 616903 616c02 61705f42abcdff"],
    ["an indefinite map of more than it holds", "bf 616601 616903 616c02 617042abcd 6178 ff"],
    ["a map with a count for the indefinite map of four entries", "bc 616601 616903 616c02 617042abcd ff"],
    ["an integer c", "a5 616301 616601 616903 616c02 617042abcd"],
    ["a chunked c", "a5 61637f61 61ff 616601 616903 616c02 617042abcd"],
    ["an integer key", "a5 0001 616601 616903 616c02 617042abcd"],
    ["a byte string key", "a5 416600 616601 616903 616c02 617042abcd"],
    ["a chunked key", "a5 7f6166ff00 616601 616903 616c02 617042abcd"],
    ["a key longer than the message", "a5 7affffffff 616601 616903 616c02 617042abcd"],
    ["a p longer than the message", "a4 616601 616903 616c02 617043abcd"],
    ["a p of 2^32 − 1 bytes", "a4 616601 616903 616c02 61705affffffffabcd"],
    ["a p of 2^53 − 1 bytes", "a4 616601 616903 616c02 61705b001fffffffffffffabcd"],
    ["a p of 2^64 − 1 bytes", "a4 616601 616903 616c02 61705bffffffffffffffffabcd"],
    ["a map of 2^53 − 1 entries", "bb001fffffffffffff 616601 616903 616c02 617042abcd"],
    ["an array of 2^32 − 1 values", "a5 61789affffffff 616601 616903 616c02 617042abcd"],
    ["more entries than there are", "a5 616601 616903 616c02 617042abcd"],
    ["fewer entries than there are", "a3 616601 616903 616c02 617042abcd"],
    ["no break", "bf 616601 616903 616c02 617042abcd"],
    ["another byte in place of the break", "bf 616601 616903 616c02 617042abcd 00"],
    ["a break in place of a value", "bf 616601 616903 616c02 617042abcd 6178ff"],
    ["a break in a definite map", "a4 616601 616903 616c02 617042abcd ff"],
    ["a break in an unknown definite array", "a5 617881ff 616601 616903 616c02 617042abcd"],
    ["a key without value in an unknown map", "a5 6178bf01ff 616601 616903 616c02 617042abcd"],
    ["chunks of another type", "a5 61787f4161ff 616601 616903 616c02 617042abcd"],
    ["chunks within chunks", "a5 61787f7f6161ffff 616601 616903 616c02 617042abcd"],
    ["chunks without a break", "a5 616601 616903 616c02 617042abcd 61787f6161"],
    ["trailing bytes", "a4 616601 616903 616c02 617042abcd 00"],
    ["trailing bytes behind a break", "bf 616601 616903 616c02 617042abcd ff ff"],
    ["reserved length 28", "a4 61661c 616903 616c02 617042abcd"],
    ["reserved length 29", "a4 61661d 616903 616c02 617042abcd"],
    ["reserved length 30", "a4 61661e 616903 616c02 617042abcd"],
    ["an indefinite integer", "a4 61661f 616903 616c02 617042abcd"],
    ["an indefinite tag", "a5 6178df00 616601 616903 616c02 617042abcd"],
    ["nesting of 9", "a5 6178 818181818181818181 00 616601 616903 616c02 617042abcd"],
    ["a bomb of tags", `a5 6178 ${"c1".repeat(5000)} 00 616601 616903 616c02 617042abcd`],
    ["a bomb of arrays", `a1 6178 ${"81".repeat(5000)}`],
    ["a bomb of indefinite arrays", `a1 6178 ${"9f".repeat(5000)}`],
    ["a bomb of indefinite maps", `a1 6178 ${"bf00".repeat(5000)}`],
  ];
  for (const [name, bytes] of malformed)
    it(`refuses ${name}`, () => throws(() => decode(hex(bytes)), { type: OtaError, code: "cbor-decode" }));

  for (const whole of [
    "a5 616363726479 616601 61691803 616c190002 617042abcd",
    "bf 6178 9f 01 a1 6161 fb0000000000000000 5f 4101 ff ff 616601 61691a00000003 616c02 617042abcd ff",
  ]) {
    it(`refuses every cut of ${whole}`, () => {
      const message = hex(whole);
      decode(message);
      for (let length = 0; length < message.length; length++)
        throws(() => decode(message.slice(0, length)), { code: "cbor-decode" });
    });
  }

  it("decodes after an error", () => {
    const fields = new Float64Array(FIELDS);
    throws(() => decodeMessage(hex("a4 616609"), fields), { code: "cbor-decode" });
    deepEqual(decode(hex("a4 616601 616903 616c02 617042abcd"), fields), small);
  });
});

describe("CBOR: rejection", () => {
  const code = concat(hex("70"), ascii("ResourceNotFound"));
  const message = concat(hex("67"), ascii("no such"));
  const token = hex("63726479");
  const key = (name: string) => concat([0x60 + name.length], ascii(name));
  const decodeRejection = (payload: Uint8Array, fields = new Float64Array(FIELDS)) =>
    decodeMessage(payload, fields);

  it("decodes short names", () =>
    equal(
      decodeRejection(concat(hex("a3"), key("o"), code, key("m"), message, key("c"), token)),
      "ResourceNotFound: no such",
    ));

  it("decodes the older long names in an indefinite map", () =>
    equal(
      decodeRejection(
        concat(hex("bf"), key("clientToken"), token, key("code"), code, key("message"), message, hex("ff")),
      ),
      "ResourceNotFound: no such",
    ));

  it("takes a code alone", () =>
    equal(decodeRejection(concat(hex("a1"), key("o"), code)), "ResourceNotFound: "));

  it("keeps nothing of the message before", () => {
    const fields = new Float64Array(FIELDS);
    decodeRejection(concat(hex("a2"), key("m"), message, key("o"), code), fields);
    equal(decodeRejection(concat(hex("a1"), key("o"), code), fields), "ResourceNotFound: ");
    throws(() => decodeRejection(concat(hex("a1"), key("m"), message), fields), { code: "cbor-decode" });
    decode(concat(hex("a4 616600 616902 616c1858 61705858"), payload88), fields);
    throws(() => decodeRejection(hex("a3 616600 616902 616c1858"), fields), { code: "cbor-decode" });
  });

  it("steps over what it does not know", () =>
    equal(
      decodeRejection(concat(hex("a2"), key("timestamp"), hex("1a6553f100"), key("o"), code)),
      "ResourceNotFound: ",
    ));

  it("takes text beyond ASCII", () =>
    equal(
      decodeRejection(concat(hex("a2"), key("o"), code, key("m"), hex("63e282ac"))),
      "ResourceNotFound: €",
    ));

  const malformed: [string, Uint8Array][] = [
    ["nothing", hex("")],
    ["no code", concat(hex("a1"), key("m"), message)],
    ["an empty code", concat(hex("a1"), key("o"), hex("60"))],
    ["a code that is a number", concat(hex("a1"), key("o"), hex("01"))],
    ["a code twice", concat(hex("a2"), key("o"), code, key("o"), code)],
    ["a code under both names", concat(hex("a2"), key("o"), code, key("code"), code)],
    ["a message twice", concat(hex("a3"), key("o"), code, key("m"), message, key("m"), message)],
    ["a token twice", concat(hex("a3"), key("o"), code, key("c"), token, key("clientToken"), token)],
    ["a long token that is a number", concat(hex("a2"), key("o"), code, key("clientToken"), hex("01"))],
    ["a message that is a number", concat(hex("a2"), key("o"), code, key("m"), hex("01"))],
    ["a code that is no UTF-8", concat(hex("a1"), key("o"), hex("61ff"))],
    ["a message that is no UTF-8", concat(hex("a2"), key("o"), code, key("m"), hex("61ff"))],
    ["a key that is no UTF-8", concat(hex("a2"), key("o"), code, hex("61ff00"))],
    ["a long key that is no UTF-8", concat(hex("a2"), key("o"), code, hex("6261ff00"))],
    ["a cut text", concat(hex("a1"), key("o"), code.subarray(0, 9))],
    ["trailing bytes", concat(hex("a1"), key("o"), code, hex("00"))],
    ["no break", concat(hex("bf"), key("o"), code)],
    ["JSON", ascii('{"code":"InvalidJson"}')],
  ];
  for (const [name, bytes] of malformed)
    it(`refuses ${name}`, () =>
      throws(() => decodeRejection(bytes), { type: OtaError, code: "cbor-decode" }));

  it("reads no more than 256 bytes of a refusal's text, whole characters (all of it before)", () => {
    const words = encodeUtf8(`x${"€".repeat(20_000)}`);
    const head = hex("a2 616f 6158 616d 79 ea61");
    const message = new Uint8Array(head.length + words.length);
    message.set(head);
    message.set(words, head.length);
    equal(decodeMessage(message, new Float64Array(FIELDS)), `X: x${"€".repeat(85)}`);
  });
});
