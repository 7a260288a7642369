/**
 * Random numbers from a seed the host chose: the bare engine has no source of its own.
 * @module
 */
import type { Random } from "../../../src/ports.js";

/** Mulberry32 (Tommy Ettinger, public domain algorithm). @param seed 32 bits */
export function randomFrom(seed: number): Random {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
