import fc from "fast-check";
import { CUT_MOMENTS, cutPowerAt } from "../../hosts/emulated/flash-faults.js";
import { NorFlash, PowerCut } from "../../hosts/emulated/nor-flash.js";
import { deepEqual, ok } from "../support/assert.js";

const SIZE = 0x30000;

const write = fc.record({
  offset: fc.nat(SIZE - 1),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 700 }),
});
const erase = fc.record({
  sector: fc.nat(SIZE / 4096 - 1),
  sectors: fc.integer({ min: 1, max: 33 }),
});
const commands = fc.array(fc.oneof(write, erase), { minLength: 1, maxLength: 12 });
type Command = { offset: number; bytes: Uint8Array } | { sector: number; sectors: number };

function perform(flash: NorFlash, command: Command): void {
  if ("bytes" in command) flash.write(command.offset, command.bytes.subarray(0, SIZE - command.offset));
  else flash.erase(command.sector * 4096, Math.min(command.sectors * 4096, SIZE - command.sector * 4096));
}

/** The same on plain bytes. */
function simulate(bytes: Uint8Array, command: Command): void {
  if ("bytes" in command) {
    const end = Math.min(SIZE, command.offset + command.bytes.length);
    for (let i = command.offset; i < end; i++) bytes[i] &= command.bytes[i - command.offset];
  } else bytes.fill(0xff, command.sector * 4096, (command.sector + command.sectors) * 4096);
}

function content(flash: NorFlash): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  flash.read(0, bytes);
  return bytes;
}

describe("NorFlash properties", () => {
  it("agrees with plain bytes for any commands", () => {
    fc.assert(
      fc.property(commands, (list) => {
        const flash = new NorFlash(SIZE);
        const bytes = new Uint8Array(SIZE).fill(0xff);
        for (const command of list) {
          perform(flash, command);
          simulate(bytes, command);
        }
        deepEqual(content(flash), bytes);
      }),
      { numRuns: 200 },
    );
  });

  it("loses power only within the command under way, and never outside of what it would have changed", () => {
    fc.assert(
      fc.property(
        commands,
        fc.nat(60),
        fc.constantFrom(...CUT_MOMENTS),
        fc.nat(),
        (list, index, moment, seed) => {
          const flash = new NorFlash(SIZE, { faults: cutPowerAt(index, moment, seed) });
          const bytes = new Uint8Array(SIZE).fill(0xff);
          for (const command of list) {
            const before = bytes.slice();
            simulate(bytes, command);
            try {
              perform(flash, command);
            } catch (error) {
              if (!(error instanceof PowerCut)) throw error;
              flash.restorePower();
              const torn = content(flash);
              ok(
                torn.every(
                  (byte, i) => (byte & ~(before[i] | bytes[i])) === 0 && (before[i] & bytes[i] & ~byte) === 0,
                ),
              );
              return;
            }
          }
          deepEqual(content(flash), bytes);
        },
      ),
      { numRuns: 300 },
    );
  });
});
