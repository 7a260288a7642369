import { DataBlock, decodeRejection, encodeGetStream, type GetStream } from "../../src/cbor.js";
import { OtaError } from "../../src/errors.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { ascii, concat, hex } from "../support/hex.js";

const request: GetStream = {
  clientToken: "rdy",
  fileId: 0,
  blockSize: 4096,
  offset: 0,
  bitmap: hex("07"),
  count: 1,
};
const buffer = new Uint8Array(128);

describe("CBOR: GetStream request", () => {
  // Bytes observed from the FreeRTOS OTA agent for a file of 3 blocks, and of 13.
  const golden: [string, Partial<GetStream>, string][] = [
    ["all of 3 blocks", {}, "a66163637264796166 00 616c191000 616f00 61624107 616e01"],
    ["block 1 and 2", { bitmap: hex("06") }, "a66163637264796166 00 616c191000 616f00 61624106 616e01"],
    ["block 2", { bitmap: hex("04") }, "a66163637264796166 00 616c191000 616f00 61624104 616e01"],
    [
      "13 blocks, 4 at a time",
      { bitmap: hex("ff1f"), count: 4 },
      "a66163637264796166 00 616c191000 616f00 616242ff1f 616e04",
    ],
    [
      "13 blocks without 0, 2 and 5",
      { bitmap: hex("da1f"), count: 4 },
      "a66163637264796166 00 616c191000 616f00 616242da1f 616e04",
    ],
  ];
  for (const [name, change, bytes] of golden)
    it(`is the original agent's, byte for byte: ${name}`, () =>
      deepEqual(encodeGetStream(buffer, { ...request, ...change }), hex(bytes)));

  it("leaves out the client token", () =>
    deepEqual(
      encodeGetStream(buffer, { ...request, clientToken: undefined }),
      hex("a5 616600 616c191000 616f00 61624107 616e01"),
    ));

  it("names the stream version", () =>
    deepEqual(
      encodeGetStream(buffer, { ...request, streamVersion: 300 }),
      hex("a7 616363726479 617319012c 616600 616c191000 616f00 61624107 616e01"),
    ));

  it("writes the largest numbers of the service", () =>
    deepEqual(
      encodeGetStream(buffer, { ...request, fileId: 255, blockSize: 131072, offset: 98304, count: 98304 }),
      hex("a6 616363726479 616618ff 616c1a00020000 616f1a00018000 61624107 616e1a00018000"),
    ));

  it("writes into the buffer it is given", () => {
    const message = encodeGetStream(buffer, request);
    ok(message.buffer === buffer.buffer);
    equal(message.byteOffset, 0);
  });

  it("fits a buffer of its own length", () => equal(encodeGetStream(new Uint8Array(25), request).length, 25));

  for (const length of [0, 1, 10, 18, 20, 21, 22, 24])
    it(`refuses a buffer of ${length} bytes`, () =>
      throws(() => encodeGetStream(new Uint8Array(length), request), { type: RangeError }));

  const impossible: [string, Partial<GetStream>][] = [
    ["a file id above 255", { fileId: 256 }],
    ["a negative file id", { fileId: -1 }],
    ["a file id that is no integer", { fileId: 0.5 }],
    ["a block size below 256", { blockSize: 255 }],
    ["a block size above 131072", { blockSize: 131073 }],
    ["a block size that is no number", { blockSize: Number.NaN }],
    ["an offset above 98304", { offset: 98305 }],
    ["an infinite offset", { offset: Number.POSITIVE_INFINITY }],
    ["a count of 0", { count: 0 }],
    ["a count above 98304", { count: 98305 }],
    ["an empty bitmap", { bitmap: hex("") }],
    ["a bitmap of 12288 bytes", { bitmap: new Uint8Array(12288) }],
    ["a stream version below 0", { streamVersion: -1 }],
    ["a client token of 65 characters", { clientToken: "x".repeat(65) }],
    ["a client token beyond ASCII", { clientToken: "é" }],
  ];
  for (const [name, change] of impossible)
    it(`refuses ${name}`, () =>
      throws(() => encodeGetStream(new Uint8Array(20000), { ...request, ...change }), { type: RangeError }));
});

/** What a block decodes to, the payload as bytes. */
function decode(message: Uint8Array) {
  const block = new DataBlock();
  block.decode(message);
  const { fileId, index, length, offset, byteLength } = block;
  return { fileId, index, length, payload: message.subarray(offset, offset + byteLength) };
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
    const block = new DataBlock();
    block.decode(concat(hex("a4 616600 616902 616c1858 61705858"), payload88));
    equal(block.offset, 15);
    equal(block.byteLength, 88);
  });

  it("can be used again", () => {
    const block = new DataBlock();
    block.decode(concat(hex("a4 616600 616900 616c190100 6170590100"), payload256));
    block.decode(hex("a4 616601 616903 616c01 6170412a"));
    deepEqual([block.fileId, block.index, block.length, block.offset, block.byteLength], [1, 3, 1, 13, 1]);
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
    const block = new DataBlock();
    block.decode(hex("a4 616600 616900 616c191000 617042abcd"));
    equal(block.length, 4096);
    equal(block.byteLength, 2);
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
    const block = new DataBlock();
    throws(() => block.decode(hex("a4 616609")), { code: "cbor-decode" });
    block.decode(hex("a4 616601 616903 616c02 617042abcd"));
    equal(block.fileId, 1);
  });
});

describe("CBOR: rejection", () => {
  const rejection = { code: "ResourceNotFound", message: "no such", clientToken: "rdy" };
  const code = concat(hex("70"), ascii("ResourceNotFound"));
  const message = concat(hex("67"), ascii("no such"));
  const token = hex("63726479");
  const key = (name: string) => concat([0x60 + name.length], ascii(name));

  it("decodes short names", () =>
    deepEqual(
      decodeRejection(concat(hex("a3"), key("o"), code, key("m"), message, key("c"), token)),
      rejection,
    ));

  it("decodes the older long names in an indefinite map", () =>
    deepEqual(
      decodeRejection(
        concat(hex("bf"), key("clientToken"), token, key("code"), code, key("message"), message, hex("ff")),
      ),
      rejection,
    ));

  it("takes a code alone", () =>
    deepEqual(decodeRejection(concat(hex("a1"), key("o"), code)), {
      code: "ResourceNotFound",
      message: "",
      clientToken: "",
    }));

  it("steps over what it does not know", () =>
    equal(
      decodeRejection(concat(hex("a2"), key("timestamp"), hex("1a6553f100"), key("o"), code)).code,
      "ResourceNotFound",
    ));

  it("takes text beyond ASCII", () =>
    equal(decodeRejection(concat(hex("a2"), key("o"), code, key("m"), hex("63e282ac"))).message, "€"));

  const malformed: [string, Uint8Array][] = [
    ["nothing", hex("")],
    ["no code", concat(hex("a1"), key("m"), message)],
    ["an empty code", concat(hex("a1"), key("o"), hex("60"))],
    ["a code that is a number", concat(hex("a1"), key("o"), hex("01"))],
    ["a code twice", concat(hex("a2"), key("o"), code, key("o"), code)],
    ["a code under both names", concat(hex("a2"), key("o"), code, key("code"), code)],
    ["a message twice", concat(hex("a3"), key("o"), code, key("m"), message, key("m"), message)],
    ["a token twice", concat(hex("a3"), key("o"), code, key("c"), token, key("clientToken"), token)],
    ["a message that is no UTF-8", concat(hex("a2"), key("o"), code, key("m"), hex("61ff"))],
    ["a key that is no UTF-8", concat(hex("a2"), key("o"), code, hex("61ff00"))],
    ["a cut text", concat(hex("a1"), key("o"), code.subarray(0, 9))],
    ["trailing bytes", concat(hex("a1"), key("o"), code, hex("00"))],
    ["no break", concat(hex("bf"), key("o"), code)],
    ["JSON", ascii('{"code":"InvalidJson"}')],
  ];
  for (const [name, bytes] of malformed)
    it(`refuses ${name}`, () =>
      throws(() => decodeRejection(bytes), { type: OtaError, code: "cbor-decode" }));
});
