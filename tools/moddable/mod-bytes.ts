/**
 * Bytes of mods inverted on the engine itself, with AddressSanitizer: test/moddable/mods.test.ts, built once and run for some
 * bytes of the large mod, or for all of them in parts.
 * @module
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { modFileOf } from "../../test/support/mod-engine.js";
import { idBytes, MOD_FLIPS, STARTS, type Starts } from "../../test/support/mod-flips.js";
import { compileMod } from "../cli/mod.js";
import { ROOT, type Sdk } from "./sdk.js";
import { buildSuite } from "./suite.js";

/** Modules of the package that the large mod has, below dist; of the agent's own it imports what they need from its host. */
const MODULES = ["components", "ddi", "http"];
/** Every so many bytes of the large mod are inverted unless all are. */
const SOME_BYTES = 499;
/** Bytes in one life of the application: what was started stays in memory. */
const LIFE = 2_000;
/** Ways in which a byte of the file is inverted. */
const WAYS = MOD_FLIPS.slice(0, 2).length;

/** The n-th of so many parts of the bytes. */
export interface Part {
  readonly n: number;
  readonly of: number;
}

export interface ModBytesOptions {
  readonly sdk: Sdk;
  /** Manifests of the SDK, below $(MODDABLE). */
  readonly include: readonly string[];
  /** Of the processor: after so many a life has failed. */
  readonly seconds: number;
  /** Each byte of the large mod, or of a part of it; default: some. */
  readonly every?: Part;
  /** Told how far it is. */
  readonly progress: (text: string) => void;
}

/** @returns a directory with nothing but the archive in it */
function largeArchive(sdk: Sdk): string {
  const [source, data] = ["large-mod", "large-archive"].map((name) => join(sdk.output, name)) as [
    string,
    string,
  ];
  for (const directory of [source, data]) mkdirSync(directory, { recursive: true });
  const files = ["main", ...MODULES].map((name) => join(source, `${name}.js`));
  for (const name of MODULES) copyFileSync(join(ROOT, "dist", `${name}.js`), join(source, `${name}.js`));
  writeFileSync(join(source, "main.js"), MODULES.map((name) => `export * from "./${name}";\n`).join(""));
  writeFileSync(join(data, "large.xsa"), compileMod(files, "large"));
  return data;
}

/** Which bytes a life of the application is about: every `step`th from `first` on, before `end`; and whether of the small mod too. */
interface Life {
  readonly small: boolean;
  readonly first: number;
  readonly end: number;
  readonly step: number;
}

function livesOf(length: number, every: Part | undefined): Life[] {
  if (!every) return [{ small: true, first: 0, end: length, step: SOME_BYTES }];
  const { n, of } = every;
  const border = (part: number) => Math.round((length * part) / of);
  const lives: Life[] = [];
  for (let first = border(n - 1); first < border(n); first += LIFE) {
    const end = Math.min(first + LIFE, border(n));
    lives.push({ small: first === 0, first, end, step: 1 });
  }
  return lives;
}

function sumOf(parts: readonly Starts[]): Starts {
  const sum = (what: keyof Starts) => parts.reduce((total, part) => total + part[what], 0);
  return { starts: sum("starts"), ran: sum("ran") };
}

/**
 * @returns what was done, in words
 * @throws Error with the output when something else than what was signed was started, or AddressSanitizer ended the program
 */
export async function invertBytes(options: ModBytesOptions): Promise<string> {
  const { sdk, include, seconds, every, progress } = options;
  const data = largeArchive(sdk);
  const file = modFileOf(new Uint8Array(readFileSync(join(data, "large.xsa"))), "1");
  const bytesFile = join(sdk.output, "mod-bytes.json");
  const told: Starts[] = [];
  const run = await buildSuite({
    ...{ sdk, include, seconds, data },
    name: "mods",
    files: [join(ROOT, "test/moddable/mods.test.ts")],
    modules: { "test/mods": join(ROOT, "hosts/esp32/mods") },
    define: { BYTES_FILE: JSON.stringify(bytesFile) },
    sanitize: true,
    line: (text) => text.startsWith(STARTS) && told.push(JSON.parse(text.slice(STARTS.length))) > 0,
  });
  let tests = 0;
  let inverted = 0;
  for (const life of livesOf(file.length, every)) {
    const { first, end, step } = life;
    const before = told.length;
    const began = Date.now();
    writeFileSync(bytesFile, JSON.stringify(life));
    const { passed, failed, output } = await run();
    const where = `bytes ${first} to ${end - 1} of ${file.length}`;
    if (failed) throw new Error(`${where}: ${failed} tests failed\n${output}`);
    const { starts, ran } = sumOf(told.slice(before));
    const count = Math.ceil((end - first) / step);
    if (starts !== WAYS * count) throw new Error(`${where}: ${starts} starts`);
    tests += passed;
    inverted += count;
    if (every) progress(`${where}: ${starts} starts, ${ran} of the mod, ${(Date.now() - began) / 1000} s`);
  }
  const { starts, ran } = sumOf(told);
  // Inverted ids are put right; the mod was started with each of them, and with nothing else.
  if (every?.of === 1 && ran !== WAYS * idBytes(file)) throw new Error(`${ran} starts of the large mod`);
  return `${tests} tests; ${inverted} of ${file.length} bytes of the large mod, linked and before: ${ran} of ${starts} starts ran it, as it was signed`;
}
