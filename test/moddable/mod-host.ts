/**
 * The machine a test runs in as the host of a mod: it links the mod and runs it.
 * @module
 */
import { ModdableCrypto } from "../../hosts/moddable/crypto.js";
import { MachineEngine, startArchive } from "../../hosts/moddable/mod-machine.js";
import { MemoryEngine } from "../../hosts/sim/mods-memory.js";
import { toHex } from "../../src/bytes.js";
import { digestOf } from "../../src/slot/journal.js";
import { modFileOf, type Program } from "../support/mod-engine.js";
import type { Flipped } from "../support/mod-flips.js";
import type { RigEngine } from "../support/mod-rig.js";
import { testCrypto } from "../support/test-crypto.js";

export interface HostedMod {
  readonly archive: Uint8Array;
  readonly main: string;
  /** What it tells its host when it runs, and what `use` makes of its exports. */
  readonly says: readonly string[];
  use(exports: Readonly<Record<string, unknown>>): readonly string[];
  /** What it may import. */
  modules(told: (text: string) => void): Readonly<Record<string, object>>;
}

const calls = new MemoryEngine();
// What it costs is the engine's own: the digests of a place at each start.
const crypto = { ...testCrypto, sha256: () => new ModdableCrypto().sha256() };

class Machine extends MachineEngine implements RigEngine {
  readonly #mod: HostedMod;
  readonly #ran: Set<string>;

  constructor(mod: HostedMod, ran: Set<string>) {
    super(calls);
    this.#mod = mod;
    this.#ran = ran;
  }

  run(bytes: Uint8Array): Program {
    this.#ran.add(toHex(digestOf(crypto, bytes)));
    const told: string[] = [];
    const archive = calls.open(bytes, 0, bytes.length);
    const modules = this.#mod.modules((text) => void told.push(text));
    const exports = startArchive(calls, archive, { modules, main: this.#mod.main });
    told.push(...this.#mod.use(exports));
    return { symbols: [], code: told };
  }
}

/** @returns that mod in a product whose engine is this machine, and the digests of the archives that were started */
export function hosted(mod: HostedMod): Flipped & { readonly ran: ReadonlySet<string> } {
  const file = modFileOf(mod.archive, "1");
  const ran = new Set<string>();
  return {
    file,
    ran,
    says: { symbols: [], code: mod.says },
    product: {
      engine: () => new Machine(mod, ran),
      placeSectors: (file.length >> 12) + 1,
      mods: { crypto },
      components: { crypto },
    },
  };
}
