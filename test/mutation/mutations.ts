/**
 * Deliberate faults: each takes one guard out of the code, and the tests named with it must notice. A guard whose
 * fault goes unnoticed is a guard nobody may rely on. Run by `npm run mutation`.
 * @module
 */

import { HOSTS } from "./hosts.js";
import { LIFE } from "./life.js";
import { type Mutation, mutations } from "./mutation.js";
import { OPTIONS } from "./options.js";
import { SERVICE } from "./service.js";

export type { Mutation };

export const MUTATIONS: readonly Mutation[] = [
  ...mutations(
    "src/slot/der.ts",
    ["test/unit/der.test.ts"],
    [
      ["r or s of 0 is taken", "if (!value || value >= N)", "if (value >= N)"],
      ["r or s of n is taken", "if (!value || value >= N)", "if (!value || value > N)"],
      ["a negative integer is taken", "!(bytes[0] < 0x80)", "!(bytes[0] < 0x100)"],
      [
        "an integer need not be minimal",
        '  if (zero && bytes[1] < 0x80) invalid("a number has a zero too many");\n',
        "",
      ],
      ["a length need not be minimal", "length > 0x7f ? 0x81 : length)", "length > 0x7e ? 0x81 : length)"],
      [
        "a length may lead beyond the end",
        '    if (!(end <= der.length)) invalid("an element overruns its parent");\n',
        "",
      ],
      ["a point need not be on the curve", " || (y * y - x * x * x + 3n * x - B) % P", ""],
      ["coordinates of a point may exceed the prime", "x >= P || y >= P || ", ""],
      ["an RSA key may be short", "length < MIN_MODULUS", "length < 128"],
    ],
  ),
  ...mutations(
    "src/slot/signature.ts",
    ["test/unit/signature.test.ts"],
    [
      [
        "a missing signature is good",
        "if (!signature)\n      fail(",
        "if (!signature) return [];\n    if (!signature)\n      fail(",
      ],
      ["any signature is good", "if (check(crypto, digest, key, file.signature!.bytes)) return", "return"],
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
      ["an RSA signature may exceed its modulus", "toBigInt(signature) < toBigInt(modulus) &&", ""],
      ["an issuer of a chain becomes a signer", "parts.length !== 5 ||", "parts.length < 5 ||"],
    ],
  ),
  ...mutations(
    "src/transfer/cbor.ts",
    ["test/unit/cbor.test.ts"],
    [
      ["depth has no limit", "if (++depth > MAX_DEPTH)", "if (++depth > 1e9)"],
      ["numbers may exceed 2^53", " || value > Number.MAX_SAFE_INTEGER", ""],
      ["an index may be negative or a float", " || major !== wanted", ""],
      ["an index may be negative or a float in the usual form", "first < 0x20 ?", "first < 0x40 ?"],
      ["a payload may come twice", "seen & bit || ", ""],
      ["trailing bytes are ignored", "if (at !== end) break;", "if (at > end) break;"],
      ["a cut head is taken", "if (!(at + (major > 1 && major < 6 ? value : 0) <= end)) break;", ""],
      ["an indefinite map need not end", "left === 27 && message[at] === 0xff &&", "left === 27 &&"],
    ],
  ),
  ...mutations(
    "src/control/job-document.ts",
    ["test/unit/job-document.test.ts"],
    [
      ["a job id may be any text", '"jobId", /^[\\w-]{0,72}$/', '"jobId"'],
      ["a stream name may be any text", ", /^[\\w-]{0,128}$/", ""],
      ["a text with an exponent is a number", "[1-9]\\d*)", "[1-9][\\de]*)"],
      ["a file size of 0 is taken", ' || refuse("filesize")', ""],
      ["a URL may hold a line end", ", /^[!-\\uffff]*$/", ""],
    ],
  ),
  ...mutations(
    "src/control/json.ts",
    ["test/unit/job-document.test.ts"],
    [
      ["a message may nest without end", "if (++depth > MAX_DEPTH)", "if (++depth > 1e9)"],
      ["an escaped quote ends a string", "if (byte !== BACKSLASH) continue;", "continue;"],
      [
        "a control character may stand in a string",
        "if (!(byte >= 0x20)) bad();",
        "if (!(byte >= 0)) bad();",
      ],
    ],
  ),
  ...mutations(
    "src/base64.ts",
    ["test/unit/base64.test.ts"],
    [
      ["padding bits are ignored", "(1 << (spare * 2)) - 1", "(1 << spare) - 1"],
      ["spaces may stand inside", "least = value;", "least = Math.min(value, PADDING);"],
      ["symbols may follow padding", "valid = value >= least;", "valid = value >= 0;"],
      ["there may be more bytes than asked for", "    length > maxLength ||\n", ""],
    ],
  ),
  ...mutations(
    "src/bytes.ts",
    ["test/unit/bytes.test.ts"],
    [
      ["a run may end inside a character", "while (part[next] >> 6 === 2", "while (false"],
      ["text ends where it is malformed", "if (at < part.length) throw", "if (false) throw"],
      ["a sequence may end behind its part", "bytes.subarray(start, end)", "bytes.subarray(start)"],
    ],
  ),
  ...mutations(
    "src/slot/esp-image.ts",
    ["test/unit/esp-image.test.ts"],
    [
      ["a third mapped segment is taken", "++mapped > MAX_MAPPED", "++mapped > MAX_MAPPED + 1"],
      ["anything may follow the image", " || read?.(sector, 1)[0] !== SIGNATURE_MAGIC", ""],
      ["a segment may end where the hash should be", "end + 1 + HASH > fileSize", "end > fileSize"],
      ["an image needs no hash", "if (head[23] !== 1)", "if (head[23] > 2)"],
      ["the descriptor may lie beyond the first segment", "end < HEAD_LENGTH || ", ""],
      ["the first segment may be in RAM", "inFlash === false", "false"],
    ],
  ),
  ...mutations(
    "src/slot/version.ts",
    ["test/unit/version.test.ts"],
    [
      ["a pre-release is newer than its release", 'text || "~"', "text"],
      ["10 is older than 9", '.padStart(32, "0")', ""],
      ["only the first number counts", "for (let n = 0; n < 4; n++) if", "for (let n = 0; n < 1; n++) if"],
    ],
  ),
  ...LIFE,
  ...HOSTS,
  ...SERVICE,
  ...OPTIONS,
];
