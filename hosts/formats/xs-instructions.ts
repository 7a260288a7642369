/**
 * Lengths of XS's instructions by version, for tools that look at byte code without the engine. On a device the engine's
 * own table is used. Source: `gxCodeSizes` of XS (xs/sources/xsCommon.c), Moddable SDK 8.2.3.
 * @module
 */
import type { Instructions } from "../../src/mods/archive.js";

/** A character for each operation: its length, 0 for one with an id; a, b: a length of 1 or 2 bytes follows; d: of 4 bytes. */
const XS_17 =
  "1122221001122222ab11112352352352352352351235112352352323011110101111111111110011" +
  "11101110102323230110110012331111112351112323312111101002301111191111023232323123" +
  "23231231111235123523123230110110111123111abdabd111011111111111111123232311123113" +
  "111111";
const PROFILE_17 = 236;

function sizeOf(letter: string): number {
  return letter >= "a" ? "`".charCodeAt(0) - letter.charCodeAt(0) : Number(letter);
}

/**
 * @param xs major and minor version. Minor versions tell which language features XS was built with; the table is the same
 * @returns undefined for an engine that is not known
 */
export function instructionsOf([major]: readonly number[]): Instructions | undefined {
  if (major !== 17) return undefined;
  return { codeSizes: Int8Array.from(XS_17, sizeOf), profileCode: PROFILE_17 };
}
