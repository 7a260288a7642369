/**
 * The map of a payload: from which offset of the base on what stands there has moved by how much.
 * @module
 */
import type { Stretch } from "./alignment.js";

/** Stretches shorter than this may be chance. */
const LEAST = 16;

export interface Step {
  /** Offset in the base, and how far what follows has moved. */
  readonly from: number;
  readonly shift: number;
}

/** @param most steps; those that reach least far are left out. @returns steps in the order of the base */
export function movement(stretches: readonly Stretch[], baseLength: number, most: number): Step[] {
  const longest = stretches
    .filter(({ length }) => length >= LEAST)
    .sort((a, b) => b.length - a.length || a.at - b.at);
  const taken = new Uint8Array(baseLength);
  const steps: Step[] = [];
  for (const { at, from, length } of longest) {
    if (taken[from] || taken[from + length - 1]) continue;
    if (taken.subarray(from, from + length).includes(1)) continue;
    taken.fill(1, from, from + length);
    steps.push({ from, shift: at - from });
  }
  steps.sort((a, b) => a.from - b.from);
  let list = merge(steps);
  while (list.length > most) {
    // How far each reaches; the first stays, as what is before a step belongs to it.
    const reach = list.map(({ from }, n) => (list[n + 1]?.from ?? baseLength) - from);
    const excess = list.length - most;
    const least = reach.map((length, n) => ({ length, n })).sort((a, b) => a.length - b.length || a.n - b.n);
    // In parts, because what is merged afterwards counts together.
    const gone = new Set(least.slice(0, Math.max(1, excess >> 1)).map(({ n }) => n));
    list = merge(list.filter((_, n) => !gone.has(n)));
  }
  return list;
}

/** Neighbours that move alike are one step. */
function merge(steps: readonly Step[]): Step[] {
  return steps.filter(({ shift }, n) => n === 0 || steps[n - 1].shift !== shift);
}
