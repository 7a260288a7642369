/**
 * The CBOR codec against cborg, and over generated messages.
 * @module
 */
import { deepEqual, equal, throws } from "node:assert/strict";
import * as cborg from "cborg";
import fc from "fast-check";
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

const uint = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 23, 24, 255, 256, 65535, 65536, 2 ** 32));
const unknown = fc.anything({
  maxDepth: 4,
  values: [
    fc.string({ unit: "grapheme" }),
    fc.maxSafeInteger(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array(),
  ],
});
const extra = fc.dictionary(
  fc.string({ minLength: 2 }).filter((key) => key !== "code"),
  unknown,
  { maxKeys: 4 },
);
/** Options that make cborg as strict as the agent. */
const STRICT = { rejectDuplicateMapKeys: true, allowBigInt: false };

function shuffle<T>(items: T[], order: number[]): T[] {
  return items
    .map((item, n) => ({ item, rank: order[n % order.length] }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

/** A map with its entries in the given order, definite or not. */
function encodeMap(entries: [string, unknown][], indefinite: boolean): Uint8Array {
  const parts = entries.flatMap(([key, value]) => [cborg.encode(key), cborg.encode(value)]);
  const head = indefinite ? [0xbf] : entries.length < 24 ? [0xa0 + entries.length] : [0xb8, entries.length];
  return Uint8Array.from([...head, ...parts.flatMap((part) => [...part]), ...(indefinite ? [0xff] : [])]);
}

function decodeBlock(message: Uint8Array) {
  const fields = new Float64Array(FIELDS);
  equal(decodeMessage(message, fields), "");
  const start = fields[START + PAYLOAD];
  return {
    f: fields[FILE_ID],
    i: fields[INDEX],
    l: fields[LENGTH],
    p: message.slice(start, start + fields[PAYLOAD]),
  };
}

const decodeRejection = (message: Uint8Array) => decodeMessage(message, new Float64Array(FIELDS));

describe("CBOR against cborg", () => {
  it("a GetStream request decodes to what was asked", () => {
    const request = fc.record({
      fileId: fc.nat(255),
      blockSize: fc.integer({ min: 256, max: 131072 }),
      offset: fc.nat(98304),
      bitmap: fc.uint8Array({ minLength: 1, maxLength: 300 }),
      count: fc.integer({ min: 1, max: 98304 }),
      token: fc.nat(63),
    });
    fc.assert(
      fc.property(request, (asked) => {
        const { fileId: f, blockSize: l, offset: o, bitmap: b, count: n, token } = asked;
        const decoded = cborg.decode(encodeGetStream(f, l, o, b, n, token), { ...STRICT, strict: true });
        const c = String.fromCharCode(0x30 + token);
        deepEqual(decoded, { ...(token ? { c } : {}), f, l, o, b, n });
      }),
    );
  });

  it("a data block decodes alike: any order, definite or not, with unknown keys", () => {
    fc.assert(
      fc.property(
        fc.record({ f: uint, i: uint, l: uint, p: fc.uint8Array({ maxLength: 600 }) }),
        fc.option(fc.string(), { nil: undefined }),
        extra,
        fc.array(fc.double({ noNaN: true }), { minLength: 1 }),
        fc.boolean(),
        (block, c, others, order, indefinite) => {
          const entries = Object.entries({ ...others, ...block, ...(c === undefined ? {} : { c }) });
          const message = encodeMap(shuffle(entries, order), indefinite);
          const oracle = cborg.decode(message, STRICT) as Record<string, unknown>;
          const decoded = decodeBlock(message);
          for (const key of ["f", "i", "l", "p"] as const) deepEqual(decoded[key], oracle[key]);
        },
      ),
    );
  });

  it("a rejection decodes alike", () => {
    const name = fc.string({ unit: "grapheme", minLength: 1 });
    fc.assert(
      fc.property(
        name,
        name,
        fc.boolean(),
        fc.boolean(),
        extra,
        (code, message, long, indefinite, others) => {
          const known: [string, unknown][] = long
            ? [
                ["code", code],
                ["message", message],
              ]
            : [
                ["o", code],
                ["m", message],
              ];
          const entries = [
            ...Object.entries(others).filter(([key]) => key !== "message" && key !== "clientToken"),
            ...known,
          ];
          equal(decodeRejection(encodeMap(entries, indefinite)), `${code}: ${message}`);
        },
      ),
    );
  });

  it("whatever is taken, cborg takes with the same values; the rest is an OtaError", () => {
    let taken = 0;
    const base = cborg.encode({ f: 1, i: 2, l: 4, p: new Uint8Array(4), x: [1, { y: "z" }] });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 3 }),
        fc.nat(base.length),
        fc.boolean(),
        (changes, length, cut) => {
          const message = base.slice(0, cut ? length : base.length);
          for (const [at, value] of changes) if (at < message.length) message[at] = value;
          let decoded: ReturnType<typeof decodeBlock>;
          try {
            decoded = decodeBlock(message);
          } catch (error) {
            equal((error as OtaError).code, "cbor-decode");
            return;
          }
          taken++;
          // Tags and texts of unknown keys are not looked into, cborg knows no tags and wants UTF-8.
          const options = { ...STRICT, tags: Array(1).fill((value: unknown) => value) };
          let oracle: Record<string, unknown>;
          try {
            oracle = cborg.decode(message, options as never) as Record<string, unknown>;
          } catch (error) {
            if (/tag|simple|utf|undefined|string key|safe integer|map key/i.test((error as Error).message))
              return;
            throw error;
          }
          for (const key of ["f", "i", "l", "p"] as const) deepEqual(decoded[key], oracle[key]);
        },
      ),
      { numRuns: 20_000, seed: 1 },
    );
    if (taken < 1000) throw new Error(`only ${taken} messages were taken`);
  });

  it("random bytes are an OtaError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (message) => {
        throws(() => decodeBlock(message), OtaError);
        throws(() => decodeRejection(message), OtaError);
      }),
      { numRuns: 2000 },
    );
  });
});
