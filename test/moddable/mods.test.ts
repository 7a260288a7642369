/**
 * Mods on the engine itself: bytes inverted on flash, where the engine's own linker and the byte code that runs would believe
 * whatever they read. Built with AddressSanitizer, so that a read beyond an end does not pass.
 * @module
 */
import Resource from "Resource";
import * as agent from "xs-ota-agent";
import { ModdableCrypto } from "../../hosts/moddable/crypto.js";
import { MachineEngine, startArchive } from "../../hosts/moddable/mod-machine.js";
import { MemoryEngine } from "../../hosts/sim/mods-memory.js";
import { toHex } from "../../src/bytes.js";
import { digestOf } from "../../src/slot/journal.js";
import { GREET_ARCHIVE } from "../data/greet-archive.js";
import { equal, ok } from "../support/assert.js";
import { hex } from "../support/hex.js";
import { modFileOf, type Program } from "../support/mod-engine.js";
import { type Flipped, flipMods, MOD_FLIPS } from "../support/mod-flips.js";
import type { RigEngine } from "../support/mod-rig.js";
import { nameOf, recordLines } from "../support/recorded-engine.js";
import { testCrypto } from "../support/test-crypto.js";

type Exports = Record<string, unknown>;

/** What the machine was asked for the large mod, and which archives of it were started. */
const ids = new Map<string, number>();
const ran = new Set<string>();

/** The machine this test runs in. What a mod tells its contract, and what `use` makes of its exports, is what it says. */
class Machine extends MachineEngine implements RigEngine {
  readonly #calls: MemoryEngine;
  readonly #main: string;
  readonly #use: (exports: Exports) => readonly string[];

  constructor(calls: MemoryEngine, main: string, use: (exports: Exports) => readonly string[]) {
    super(calls);
    this.#calls = calls;
    this.#main = main;
    this.#use = use;
  }

  override id(name: Uint8Array): number {
    const id = super.id(name);
    if (this.#main === LARGE_MAIN) ids.set(nameOf(name), id);
    return id;
  }

  run(bytes: Uint8Array): Program {
    if (this.#main === LARGE_MAIN) ran.add(toHex(digestOf(crypto, bytes)));
    const told: string[] = [];
    const archive = this.#calls.open(bytes, 0, bytes.length);
    const contract = { show: (text: string) => void told.push(text) };
    const exports = startArchive(this.#calls, archive, { modules: { contract }, main: this.#main });
    told.push(...this.#use(exports));
    return { symbols: [], code: told };
  }
}

/** Main module of the large mod. */
const LARGE_MAIN = "main";
const calls = new MemoryEngine();
// What it costs is the engine's own: the digests of a place at each start.
const crypto = { ...testCrypto, sha256: () => new ModdableCrypto().sha256() };

function flipped(
  archive: Uint8Array,
  main: string,
  says: readonly string[],
  use: (exports: Exports) => readonly string[],
): Flipped {
  const file = modFileOf(archive, "1");
  return {
    file,
    says: { symbols: [], code: says },
    product: {
      engine: () => new Machine(calls, main, use),
      placeSectors: (file.length >> 12) + 1,
      mods: { crypto },
      components: { crypto },
    },
  };
}

const small = flipped(hex(GREET_ARCHIVE), "greet", ["hello XS, 1", "hello XS, 2"], (exports) => {
  const greet = exports["default"] as (name: string) => void;
  greet("XS");
  greet("XS");
  return [];
});

describe("a mod on the engine: every byte inverted", () => {
  for (const what of MOD_FLIPS)
    it(what, () => {
      flipMods(what, 1, small);
    });
});

/** Every so many bytes of it. */
const STEP = 997;
// The agent's own bundle, compiled as a mod.
const LARGE = new Uint8Array(new Resource("large.xsa").slice(0));
const large = flipped(LARGE, LARGE_MAIN, Object.keys(agent).sort(), (exports) => Object.keys(exports).sort());

describe("a large mod on the engine: some bytes inverted", () => {
  it("is large", () => {
    ok(LARGE.length > 40_000, `${LARGE.length} bytes`);
  });
  for (const what of MOD_FLIPS.slice(0, 2))
    it(what, () => {
      flipMods(what, STEP, large);
    });
  it("what was started is one archive, linked as it was signed; the machine is told for the other bytes", () => {
    equal(ran.size, 1);
    const { xs, host, codeSizes, profileCode, keyRoom } = new MachineEngine(calls);
    const record = { xs, host: toHex(host), codeSizes: [...codeSizes], profileCode, keyRoom };
    for (const line of recordLines({ ...record, ids: Object.fromEntries(ids), ran: [...ran] }))
      trace(`${line}\n`);
  });
});
