import { toHex } from "../../src/bytes.js";
import { deepEqual, equal, throws } from "../support/assert.js";
import { modFile, type Program, program, StandInEngine } from "../support/mod-engine.js";
import { type Flipped, flipMods, MOD_FLIPS } from "../support/mod-flips.js";
import { nameOf, RecordedEngine, recordLines, recordOf } from "../support/recorded-engine.js";
import { sha256 } from "../support/sha256.js";

describe("mods: every byte inverted on flash", () => {
  for (const what of MOD_FLIPS)
    it(what, () => {
      flipMods(what, 1);
    });
});

const SIZE = 900;
const file = modFile("1", SIZE);
const ids = new Map<string, number>();
const ran = new Set<string>();

/** Tells what it is asked, and what it runs. */
class Told extends StandInEngine {
  override id(name: Uint8Array): number {
    const id = super.id(name);
    ids.set(nameOf(name), id);
    return id;
  }
  override run(archive: Uint8Array): Program {
    ran.add(toHex(sha256(archive)));
    return super.run(archive);
  }
}

describe("mods: decided elsewhere with the ids of a machine that is known by what it told", () => {
  let flipped: Flipped;
  before(() => {
    const engine = (firmware: string) => new Told(firmware);
    flipMods(MOD_FLIPS[0], 97, { file, says: program(49, SIZE), product: { engine } });
    const { xs, host, codeSizes, profileCode, keyRoom } = new StandInEngine("1.0.0");
    const told = { xs, host: toHex(host), codeSizes: [...codeSizes], profileCode, keyRoom };
    const record = { ...told, ids: Object.fromEntries(ids), ran: [...ran] };
    deepEqual(recordOf(recordLines(record)), record);
    const recorded = new RecordedEngine(record);
    flipped = { file, says: { symbols: [], code: record.ran }, product: { engine: () => recorded } };
  });

  it("one archive is started, whatever byte is inverted", () => {
    equal(ran.size, 1);
    for (const what of MOD_FLIPS) flipMods(what, 7, flipped);
  });

  it("another one is told", () => {
    const other: Flipped = { ...flipped, says: { symbols: [], code: ["00"] } };
    throws(() => flipMods(MOD_FLIPS[1], 7, other), { message: /byte/ });
  });

  it("a name that machine was not asked for is told", () => {
    const { product } = flipped;
    const engine = product?.engine?.("1.0.0") as RecordedEngine;
    throws(() => engine.id(Uint8Array.of(0x78, 0)), { message: /asked for the name "x"/ });
  });
});
