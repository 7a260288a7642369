/**
 * Targets with a fault each, to see that fuzzing finds it.
 * @module
 */

import { type FuzzTarget, must, TAKEN } from "../fuzz/target.js";
import { ascii } from "./hex.js";

const corpus = [ascii("a good input"), ascii("another one!")];
/** Comes up in few mutations only. */
const isBad = (input: Uint8Array) => input.includes(0x80) && input.length > 4;

export const TARGETS: readonly FuzzTarget[] = [
  {
    name: "throws",
    corpus,
    run(input) {
      if (isBad(input)) throw new TypeError("undefined is not a function");
      return TAKEN;
    },
  },
  {
    name: "lets through",
    corpus,
    run(input) {
      must(!isBad(input), "no byte is 0x80");
      return TAKEN;
    },
  },
  {
    name: "hangs",
    corpus,
    run(input) {
      while (isBad(input));
      return TAKEN;
    },
  },
  {
    name: "hoards",
    corpus,
    run(input) {
      const hoard: number[][] = [];
      while (isBad(input)) hoard.push(Array.from({ length: 10_000 }, (_, n) => n + hoard.length));
      return TAKEN;
    },
  },
];
