/** The native decoder against the one in JavaScript: same bytes or same refusal. `npm run fuzz:payload` goes on for longer. */
import { deepEqual, ok } from "../support/assert.js";
import {
  type Case,
  compare,
  compileNative,
  decodeInJs,
  headerOf,
  NativeDecoder,
  type Outcome,
  type Seed,
  seedCases,
} from "../support/native-payload.js";

const MUTATIONS = 10_000;

describe("payload decoder in C", function () {
  this.timeout(300_000);
  let program: string;

  before(() => {
    program = compileNative();
  });

  /** What becomes of the cases in C, which is what becomes of them in JavaScript. */
  async function outcomesOf(cases: readonly Case[], bases: readonly Uint8Array[]): Promise<Outcome[]> {
    const image = new Uint8Array(1 << 21);
    const native = new NativeDecoder(program, bases);
    const outcomes = await native.decode(cases);
    native.close();
    deepEqual(
      outcomes,
      cases.map(({ base, payload, header }) => decodeInJs(header, payload, bases[base], image)),
    );
    return outcomes;
  }
  const withHeader = (seed: Seed): Case => ({ ...seed, header: headerOf(seed.payload)! });

  it("decodes what the one in JavaScript decodes", async () => {
    const { bases, cases } = seedCases();
    const outcomes = await outcomesOf(cases.map(withHeader), bases);
    deepEqual(
      outcomes.filter((outcome) => !outcome.startsWith("0 ")),
      [],
    );
  });

  it("agrees with it about bases whose own segments lie outside of them", async () => {
    const { bases, cases } = seedCases();
    const predicted = cases.map(withHeader).filter(({ header }) => header.predictor > 0);
    // The last segment is a byte too long, or so long that its end wraps.
    const spoil = (base: Uint8Array, tooLong: (data: number) => number) => {
      const copy = base.slice();
      if (copy[0] !== 0xe9) return copy;
      const view = new DataView(copy.buffer);
      let at = 24;
      for (let n = 1; n < copy[1]; n++) at += 8 + view.getUint32(at + 4, true);
      view.setUint32(at + 4, tooLong(at + 8), true);
      return copy;
    };
    ok(predicted.length > 1, `${predicted.length} cases`);
    for (const tooLong of [(base: Uint8Array, data: number) => base.length - data + 1, () => 0xffffffff]) {
      const spoiled = bases.map((base) => spoil(base, (data) => tooLong(base, data)));
      const outcomes = await outcomesOf(predicted, spoiled);
      ok(
        outcomes.every((outcome) => outcome.startsWith("-1 0 ")),
        outcomes.join(),
      );
    }
  });

  it(`agrees with it about ${MUTATIONS} spoiled payloads`, async () => {
    const { usable, decoded } = await compare(program, MUTATIONS, 1);
    ok(usable > MUTATIONS / 3 && decoded > MUTATIONS / 100, `${usable} usable, ${decoded} decoded`);
  });
});
