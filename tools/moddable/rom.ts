/**
 * What an application takes of a 32-bit chip's ROM, as the SDK's linker (`xsl`) left it in mc.xs.c: slots of 16
 * bytes, pointers of 4, names and literals, byte code.
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const SLOT = 16;
const POINTER = 4;
/** A host function's builder: pointer, length and name. */
const BUILDER = 8;

/** @param directory the linker's output (tmp/…/mc.xs.c) @returns bytes */
export function romBytes(directory: string): number {
  const source = readFileSync(join(directory, "mc.xs.c"), "utf8");
  const defined = (name: string) => Number(new RegExp(`#define ${name} (\\d+)`).exec(source)?.[1] ?? 0);
  const sum = (pattern: RegExp, bytes: number) =>
    [...source.matchAll(pattern)].reduce((total, match) => total + Number(match[1]) * bytes, 0);
  const code = sum(/static const txU1 gxCode\d+\[(\d+)\];/g, 1);
  const builders = sum(/static const xsHostBuilder gxBuilders\d*\[(\d+)\]/g, BUILDER);
  let literals = 0;
  for (const [, text] of source.matchAll(/"((?:[^"\\\n]|\\.)*)"/g))
    literals += text.replace(/\\x[0-9a-f]{2}|\\[0-7]{1,3}|\\./gi, "x").length + 1;
  const pointers = [
    "mxKeysCount",
    "mxNamesCount",
    "mxSymbolsCount",
    "mxBigIntCount",
    "mxRegExpCount",
    "mxSlotCount",
  ];
  const slots = defined("mxHeapCount") + defined("mxStackCount");
  return (
    slots * SLOT +
    literals +
    code +
    builders +
    pointers.reduce((total, name) => total + defined(name) * POINTER, 0)
  );
}
