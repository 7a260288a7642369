/**
 * Every byte of a large mod inverted once. On the engine itself, instrumented, a start takes a tenth of a second; decisions are
 * made here, with the ids that engine has, and whatever is started has to be, byte for byte, the archive that ran there.
 * @module
 */
import "../../test/support/own-sha256.js";
import { readFileSync } from "node:fs";
import { modFileOf } from "../../test/support/mod-engine.js";
import { type Flipped, flipMods, MOD_FLIPS } from "../../test/support/mod-flips.js";
import { RecordedEngine, recordOf } from "../../test/support/recorded-engine.js";

/**
 * @param archive the mod's file
 * @param lines what the instrumented run wrote
 * @param step every so many bytes
 * @returns how many bytes were inverted, each linked and before it is linked
 * @throws Error naming the byte behind which something else would be started
 */
export function invertBytes(archive: string, lines: readonly string[], step: number): number {
  const record = recordOf(lines);
  const engine = new RecordedEngine(record);
  const file = modFileOf(new Uint8Array(readFileSync(archive)), "1");
  const flipped: Flipped = {
    file,
    says: { symbols: [], code: record.ran },
    product: { engine: () => engine, placeSectors: (file.length >> 12) + 1 },
  };
  for (const what of MOD_FLIPS) flipMods(what, step, flipped);
  return Math.ceil(file.length / step);
}
