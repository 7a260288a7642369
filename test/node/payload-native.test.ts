/** The native decoder against the one in JavaScript: same bytes or same refusal. `npm run fuzz:payload` goes on for longer. */
import { deepEqual, ok } from "../support/assert.js";
import {
  compare,
  compileNative,
  decodeInJs,
  headerOf,
  NativeDecoder,
  seedCases,
} from "../support/native-payload.js";

const MUTATIONS = 10_000;

describe("payload decoder in C", function () {
  this.timeout(300_000);
  let program: string;

  before(() => {
    program = compileNative();
  });

  it("decodes what the one in JavaScript decodes", async () => {
    const { bases, cases } = seedCases();
    const image = new Uint8Array(1 << 21);
    const whole = cases.map((seed) => ({ ...seed, header: headerOf(seed.payload)! }));
    const native = new NativeDecoder(program, bases);
    const outcomes = await native.decode(whole);
    native.close();
    deepEqual(
      outcomes,
      whole.map(({ base, payload, header }) => decodeInJs(header, payload, bases[base], image)),
    );
    deepEqual(
      outcomes.filter((outcome) => !outcome.startsWith("0 ")),
      [],
    );
  });

  it("agrees with it about bases whose own segments lie outside of them", async () => {
    const { bases, cases } = seedCases();
    const image = new Uint8Array(1 << 21);
    const predicted = cases
      .map((seed) => ({ ...seed, header: headerOf(seed.payload)! }))
      .filter(({ header }) => header.predictor > 0);
    // The length of the first segment, which stands behind the image's header of 24 bytes.
    const spoiled = bases.map((base) => {
      const copy = base.slice();
      if (copy.length > 32) new DataView(copy.buffer).setUint32(28, copy.length - 32 + 1, true);
      return copy;
    });
    const native = new NativeDecoder(program, spoiled);
    const outcomes = await native.decode(predicted);
    native.close();
    ok(predicted.length > 1, `${predicted.length} cases`);
    deepEqual(
      outcomes,
      predicted.map(({ base, payload, header }) => decodeInJs(header, payload, spoiled[base], image)),
    );
    ok(
      outcomes.every((outcome) => outcome.startsWith("-1 0 ")),
      outcomes.join(),
    );
  });

  it(`agrees with it about ${MUTATIONS} spoiled payloads`, async () => {
    const { usable, decoded } = await compare(program, MUTATIONS, 1);
    ok(usable > MUTATIONS / 3 && decoded > MUTATIONS / 100, `${usable} usable, ${decoded} decoded`);
  });
});
