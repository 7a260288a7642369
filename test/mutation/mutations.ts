/**
 * Deliberate faults: each takes one guard out of the code, and the tests named with it must notice. A guard whose
 * fault goes unnoticed is a guard nobody may rely on. Run by `npm run mutation`.
 * @module
 */

import { LIFE } from "./life.js";
import { type Mutation, mutations } from "./mutation.js";

export type { Mutation };

export const MUTATIONS: readonly Mutation[] = [
  ...mutations(
    "src/der.ts",
    ["test/unit/der.test.ts"],
    [
      ["r or s of 0 is taken", "bytes.length === 0 || bytes.length > 32", "bytes.length > 32"],
      ["r or s of n is taken", "toBigInt(bytes) >= N", "toBigInt(bytes) > N"],
      ["a negative integer is taken", "if (bytes[0] > 0x7f)", "if (bytes[0] > 0xff)"],
      ["an integer need not be minimal", "bytes.length > 1 && bytes[1] < 0x80", "bytes.length < 1"],
      ["a length need not be minimal", "(size === 1 ? 0x80 : 0x100)", "(size === 1 ? 0x7f : 0xff)"],
      ["a length may lead beyond the end", "!(at + length <= bytes.length)", "false"],
      ["a point need not be on the curve", " || (y * y - x * x * x + 3n * x - B) % P !== 0n", ""],
      ["coordinates of a point may exceed the prime", "x >= P || y >= P || ", ""],
      ["an RSA key may be short", "length < MIN_MODULUS", "length < 128"],
    ],
  ),
  ...mutations(
    "src/signature.ts",
    ["test/unit/signature.test.ts"],
    [
      [
        "a missing signature is good",
        "if (!signature)\n      fail(",
        "if (!signature) return [];\n    if (!signature)\n      fail(",
      ],
      [
        "any signature is good",
        "if (check(crypto, digest, key, bytes)) return",
        "check(crypto, digest, key, bytes);\n      return",
      ],
      [
        "a certfile nobody configured gets another's key",
        '?? this.#entries.get("")',
        "?? this.#entries.values().next().value",
      ],
      [
        "a key checks signatures of the other algorithm",
        "(key) => key.algorithm === signature.algorithm",
        "() => true",
      ],
      ["an RSA signature may exceed its modulus", "isLess(signature, modulus) &&", ""],
      ["an issuer of a chain becomes a signer", "if (parts.length !== 1)", "if (parts.length < 1)"],
    ],
  ),
  ...mutations(
    "src/cbor.ts",
    ["test/unit/cbor.test.ts"],
    [
      ["depth has no limit", "if (depth > MAX_DEPTH)", "if (depth > 1e9)"],
      ["numbers may exceed 2^53", "value > Number.MAX_SAFE_INTEGER && major !== 7", "false"],
      ["an index may be negative or a float", "if (first > 0x1f)", "if (first > 0xff)"],
      ["a payload may come twice", "if (byteLength >= 0) fail", "if (byteLength > 1e9) fail"],
      ["trailing bytes are ignored", "if (at !== message.length)", "if (at > message.length)"],
      ["a cut head is taken", 'if (at > bytes.length) fail("is cut");', ""],
    ],
  ),
  ...mutations(
    "src/job-document.ts",
    ["test/unit/job-document.test.ts"],
    [
      ["a message may nest one deeper", "if (++depth > MAX_DEPTH)", "if (++depth > MAX_DEPTH + 1)"],
      ["inherited fields count", "Object.hasOwn(object, key) ? object[key] : undefined", "object[key]"],
      ["a job id may be any text", "!isName(id, MAX_JOB_ID)", 'typeof id !== "string"'],
      ["a stream name may be any text", "!isName(streamName, MAX_STREAM_NAME)", "false"],
      ["a text with an exponent is a number", "String(number) !== value", "false"],
      ["a file size of 0 is taken", '"filesize", 1,', '"filesize", 0,'],
      ["an escaped quote ends a string", "if (byte === 0x5c) at++;", ""],
      ["a URL may hold a line end", "if (url.includes(character))", "if (false)"],
    ],
  ),
  ...mutations(
    "src/base64.ts",
    ["test/unit/base64.test.ts"],
    [
      ["padding bits are ignored", "(tail === 2 ? 15 : 3)", "(tail === 2 ? 7 : 1)"],
      ["spaces may stand inside", "if (space) fail", "if (false) fail"],
      ["symbols may follow padding", "if (padding > 0) fail", "if (false) fail"],
      ["there may be more bytes than asked for", 'if (length === maxLength) fail("is too long");', ""],
    ],
  ),
  ...mutations(
    "src/bytes.ts",
    ["test/unit/bytes.test.ts"],
    [
      ["surrogates are taken", "point > 0x7ff && point >> 11 !== 0x1b", "point > 0x7ff"],
      ["overlong text is taken", "valid = valid && point > 0x7ff", "valid = valid"],
      ["a sequence may be cut", "&& at + more <= end", ""],
    ],
  ),
  ...mutations(
    "src/esp-image.ts",
    ["test/unit/esp-image.test.ts"],
    [
      ["a third mapped segment is taken", "if (mapped > MAX_MAPPED)", "if (mapped > MAX_MAPPED + 1)"],
      ["anything may follow the image", " || read(sector, 1)[0] !== SIGNATURE_MAGIC", ""],
      [
        "a segment may end where the hash should be",
        "data + length + 1 + HASH > this.fileSize",
        "data + length > this.fileSize",
      ],
      ["an image needs no hash", "if (head[23] !== 1)", "if (head[23] > 2)"],
      ["the first segment may be in RAM", "isMapped(chipId, word(head, HEADER)) === false", "false"],
    ],
  ),
  ...mutations(
    "src/version.ts",
    ["test/unit/version.test.ts"],
    [
      [
        "a pre-release is newer than its release",
        "return b.length - a.length;",
        "return a.length - b.length;",
      ],
      ["10 is older than 9", "const difference = Number(a) - Number(b);", "const difference = 0;"],
      ["only the first number counts", "x.minor - y.minor ||", ""],
    ],
  ),
  ...LIFE,
];
