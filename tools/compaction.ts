/**
 * `npm run compaction`: what each step of the compaction saves of the agent's bundle, in bytes of ROM by the SDK's
 * linker when MODDABLE names an SDK, and of the text.
 * @module
 */
import { bundle } from "./bundle.js";
import { linkedAlone } from "./moddable/figures.js";
import { Sdk } from "./moddable/sdk.js";

const INPUT = "src/index.ts";

/** Steps left out, and what had to be left out with them: other steps build on the plain names. */
const ROWS: readonly (readonly [step: string, together: readonly string[]])[] = [
  ["reads", []],
  ["calls", []],
  ["constants", []],
  ["members", ["closures"]],
  ["closures", []],
  ["text", []],
];

const sdk = process.env["MODDABLE"] ? Sdk.find() : undefined;
try {
  const rom = sdk && (await linkedAlone(sdk));
  const measure = async (without: readonly string[]) => {
    const { code, bytes } = await bundle(INPUT, without);
    return { bytes, rom: await rom?.(code) };
  };
  const all = await measure([]);
  console.log(`all steps: ${all.rom === undefined ? "" : `${all.rom} bytes of ROM, `}${all.bytes} of text`);
  for (const [step, together] of ROWS) {
    const base = together.length ? await measure(together) : all;
    const less = await measure([step, ...together]);
    const saved =
      less.rom === undefined || base.rom === undefined ? "" : `${less.rom - base.rom} bytes of ROM, `;
    console.log(`${step.padEnd(10)} saves ${saved}${less.bytes - base.bytes} of text`);
  }
} finally {
  sdk?.close();
}
