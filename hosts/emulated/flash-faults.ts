/**
 * Faults of an emulated flash chip: what can happen to a command, and ready-made ones.
 * @module
 */

/** One command to the chip. */
export interface FlashCommand {
  readonly kind: "write" | "erase" | "read";
  readonly offset: number;
  readonly length: number;
  /** Write and erase commands issued before this one. Reads carry the number of the command that follows them. */
  readonly index: number;
}

/**
 * How far a command came when the power failed. "prefix": its first half is done. "bits": some of the bits it
 * should have changed are changed, all over its range. "all-pages" (a write of several pages): the first half
 * of this and each following page is done, as by a driver that had queued them. "weak": it looks done. Whatever the tear,
 * some of the cells that were to change are left unstable: they read differently from time to time until the next
 * erasure of their sector is complete.
 */
export type Tear = "prefix" | "bits" | "all-pages" | "weak";

/** What becomes of a command. "ignore": reported done, though nothing happened. "fail": reported failed, nothing happened. */
export type Fate =
  | "ignore"
  | "fail"
  | { readonly cut: "before" | "after" }
  /** `seed` varies which bits the tear "bits" concerns. */
  | { readonly cut: "middle"; readonly tear: Tear; readonly seed?: number };

/** Interferes with a chip; every method is optional. */
export interface FlashFaults {
  /** Decides about a command before it happens; undefined lets it happen. A read can only fail, or lose power before. */
  fate?(command: FlashCommand): Fate | undefined;
  /** Alters the bits that are about to be stored at `offset`: stuck bits, for instance. */
  alter?(offset: number, bits: Uint8Array): void;
}

/** When the power fails, seen from one command: before it, after it, or in the middle of it in some manner. */
export type CutMoment = "before" | "after" | Tear;

export const CUT_MOMENTS: readonly CutMoment[] = Object.freeze([
  "before",
  "prefix",
  "bits",
  "all-pages",
  "weak",
  "after",
]);

/**
 * Cuts the power at one page program or erase command.
 * @param index `FlashCommand.index` of the command
 * @param seed varies which bits a tear "bits" concerns
 */
export function cutPowerAt(index: number, moment: CutMoment, seed?: number): FlashFaults {
  const cut: Fate =
    moment === "before" || moment === "after" ? { cut: moment } : { cut: "middle", tear: moment, seed };
  return { fate: (command) => (command.kind !== "read" && command.index === index ? cut : undefined) };
}

/** Lets every command for which `concerned` returns true fail, or do nothing. */
export function refuse(concerned: (command: FlashCommand) => boolean, fate: "fail" | "ignore"): FlashFaults {
  return { fate: (command) => (concerned(command) ? fate : undefined) };
}

/** Cells that hold their value whatever is done to them. */
export class StuckBits implements FlashFaults {
  readonly #cells = new Map<number, { mask: number; value: number }>();

  /** Makes the bits set in `mask` of the byte at `offset` stick at those of `value`. Effective with the next command. */
  stick(offset: number, mask: number, value: number): void {
    this.#cells.set(offset, { mask, value });
  }

  alter(offset: number, bits: Uint8Array): void {
    for (const [at, { mask, value }] of this.#cells) {
      const index = at - offset;
      if (index >= 0 && index < bits.length) bits[index] = (bits[index] & ~mask) | (value & mask);
    }
  }
}

/** Several faults at a time; the first one to decide about a command decides. */
export function combine(...faults: readonly FlashFaults[]): FlashFaults {
  return {
    fate(command) {
      for (const fault of faults) {
        const fate = fault.fate?.(command);
        if (fate !== undefined) return fate;
      }
      return undefined;
    },
    alter(offset, bits) {
      for (const fault of faults) fault.alter?.(offset, bits);
    },
  };
}
