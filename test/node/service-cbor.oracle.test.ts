import { decode, encode } from "cborg";
import fc from "fast-check";
import {
  type CborMap,
  type CborValue,
  decodeCbor,
  encodeCbor,
  encodeIndefiniteMap,
} from "../../service/cbor.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { ServiceProbe } from "../support/service-probe.js";

const leaf = fc.oneof(
  fc.maxSafeInteger(),
  fc.string({ unit: "grapheme" }),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 300 }),
);
const value: fc.Arbitrary<CborValue> = fc.letrec<{ item: CborValue }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie("item"), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: "grapheme" }), tie("item"), { maxKeys: 5, noNullPrototype: true }),
  ),
})).item;

describe("service: CBOR against cborg", () => {
  it("encodes what cborg reads", () => {
    fc.assert(
      fc.property(value, (item) => {
        deepEqual(decode(encodeCbor(item)), item);
      }),
    );
  });

  it("reads what cborg encodes", () => {
    fc.assert(
      fc.property(value, (item) => {
        deepEqual(decodeCbor(encode(item)), item);
      }),
    );
  });

  it("encodes indefinite maps that cborg reads", () => {
    const map = fc.dictionary(fc.string(), leaf, { maxKeys: 5, noNullPrototype: true });
    fc.assert(
      fc.property(map, (item) => {
        deepEqual(decode(encodeIndefiniteMap(item as CborMap)), item);
      }),
    );
  });

  it("answers any bytes with blocks or an error of its own", () => {
    const { streams } = new ServiceProbe();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        let answered = "";
        const reply = (topic: string, payload: Uint8Array) => {
          const { o } = decode(payload) as { o: string };
          ok(o !== "InternalError", `InternalError: ${payload}`);
          answered = topic;
        };
        equal(streams.handle("$aws/things/t/streams/s/get/cbor", bytes, reply), true);
        equal(answered, "$aws/things/t/streams/s/rejected/cbor");
      }),
      { numRuns: 2000 },
    );
  });
});
