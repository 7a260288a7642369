/**
 * Heap slots and buffers that options of the package take at rest in the real XS engine, as they ship.
 * @module
 */
import { generateKeyPairSync } from "node:crypto";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { XsWorker } from "../hosts/xs/worker.js";
import { COUNTING } from "./metering.js";

const ENTRY = fileURLToPath(new URL("xs/options.ts", import.meta.url));
const DIST = new URL("../dist/", import.meta.url);
const OPTIONS: readonly [name: string, what: string][] = [
  ["components", "components: one"],
  ["mods", "mods, components included"],
  ["payload", "small payloads, their flash layer included"],
  ["failure-log", "failure log"],
  ["http", "HTTP"],
];

export interface OptionMemory {
  readonly what: string;
  /** Heap slots, 16 bytes each on ESP32. */
  readonly slots: number;
  /** Bytes of buffers. */
  readonly bytes: number;
}

/** @returns undefined when the package is not built */
export async function optionsMemory(): Promise<OptionMemory[] | undefined> {
  if (!existsSync(fileURLToPath(new URL("components.js", DIST)))) return undefined;
  const { shipped } = await import(new URL("../tools/build/shipped.js", import.meta.url).href);
  const { outputFiles } = await build({
    entryPoints: [ENTRY],
    ...{ bundle: true, write: false, format: "iife", target: "es2022" },
    tsconfigRaw: { compilerOptions: { target: "ES2022", useDefineForClassFields: true } },
    plugins: [shipped()],
  });
  const { x = "", y = "" } = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({
    format: "jwk",
  });
  const publicKey = [4, ...Buffer.from(x, "base64url"), ...Buffer.from(y, "base64url")];
  const before = `globalThis.publicKey = ${JSON.stringify(publicKey)};`;
  const measure = async (name: string, counting: string) => {
    const worker = new XsWorker();
    try {
      await worker.evaluate(before + counting);
      await worker.evaluate(outputFiles[0]?.text ?? "");
      const run = async (command: string) => {
        const { meter, result } = await worker.command(Buffer.from(command));
        return { slots: meter.currentHeapCount, bytes: Number(Buffer.from(result).toString()) };
      };
      await run("gc");
      const idle = await run("gc");
      await run(name);
      const made = await run("gc");
      return { slots: made.slots - idle.slots, bytes: made.bytes - idle.bytes };
    } finally {
      await worker.close();
    }
  };
  const rows: OptionMemory[] = [];
  for (const [name, what] of OPTIONS) {
    const { slots } = await measure(name, "");
    // What counts buffers has slots of its own.
    const { bytes } = await measure(name, COUNTING);
    rows.push({ what, slots, bytes });
  }
  return rows;
}
