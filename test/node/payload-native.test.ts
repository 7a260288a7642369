/** The native decoder against the one in JavaScript: same bytes or same refusal. `npm run fuzz:payload` goes on for longer. */
import { deepEqual } from "../support/assert.js";
import { compileNative, decodeInJs, mutator, NativeDecoder, seedCases } from "../support/native-payload.js";

const MUTATIONS = 20_000;
const BATCH = 500;

describe("payload decoder in C", function () {
  this.timeout(300_000);
  const { bases, cases } = seedCases();
  const image = new Uint8Array(1 << 20);
  let native: NativeDecoder;

  before(() => {
    native = new NativeDecoder(compileNative(), bases);
  });
  after(() => native.close());

  it("decodes what the one in JavaScript decodes", async () => {
    const outcomes = await native.decode(cases);
    deepEqual(
      outcomes,
      cases.map(({ base, payload }) => decodeInJs(payload, bases[base], image)),
    );
    deepEqual(
      outcomes.filter((outcome) => !outcome.startsWith("0 ")),
      [],
    );
  });

  it(`agrees with it about ${MUTATIONS} spoiled payloads`, async () => {
    const next = mutator(cases, 1);
    for (let n = 0; n < MUTATIONS; n += BATCH) {
      const spoiled = Array.from({ length: BATCH }, next);
      const outcomes = await native.decode(spoiled);
      spoiled.forEach(({ base, payload }, index) => {
        deepEqual(
          outcomes[index],
          decodeInJs(payload, bases[base], image),
          `case ${n + index} ${Buffer.from(payload).toString("base64")}`,
        );
      });
    }
  });
});
