/**
 * Test files on the Moddable runtime: bundled one by one, linked into one application, run without a display.
 * @module
 */
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { ROOT, type Sdk } from "./sdk.js";

export interface SuiteOptions {
  readonly sdk: Sdk;
  /** Of the application; letters and digits. */
  readonly name: string;
  readonly files: readonly string[];
  /** Manifests of the SDK, below $(MODDABLE). */
  readonly include: readonly string[];
  /** Of the processor: after so many the run has failed. */
  readonly seconds: number;
  /** The SDK's modules are the stand-ins of test/support/sdk, as in the same tests on Node. */
  readonly standIns?: boolean;
  /** Modules besides, by name: paths without extension. */
  readonly modules?: Readonly<Record<string, string>>;
  /** A directory of resources. */
  readonly data?: string;
  /** What stands for a name in the tests' sources: JavaScript. */
  readonly define?: Readonly<Record<string, string>>;
  readonly sanitize?: boolean;
  /** Told each line that is not the runner's own. @returns true for one that is not for people */
  readonly line?: (text: string) => boolean;
}

export interface SuiteResult {
  readonly passed: number;
  readonly failed: number;
  /** What went wrong. */
  readonly output: string;
}

const RUNNER = join(ROOT, "test/moddable/runner.ts");
/** Modules of the SDK, as they are imported. */
const SDK_MODULES = [
  "embedded:*",
  "moddable:net",
  "timer",
  "time",
  "net",
  "file",
  "Resource",
  "mqtt",
  "mqtt/js",
  "crypt",
  "curve",
  "ecdsa",
  "ecp",
  "rsa",
  "preference",
];

/** What stands for a module by its name, as tsconfig.json has it for Node. */
function standInPaths(): Record<string, string> {
  const { paths } = JSON.parse(readFileSync(join(ROOT, "tsconfig.json"), "utf8")).compilerOptions as {
    paths: Record<string, [string]>;
  };
  return Object.fromEntries(Object.entries(paths).map(([name, [path]]) => [name, join(ROOT, path)]));
}

async function bundle(
  file: string,
  target: string,
  standIns = false,
  define: Readonly<Record<string, string>> = {},
): Promise<void> {
  await build({
    entryPoints: [file],
    outfile: target,
    bundle: true,
    format: "esm",
    platform: "neutral",
    external: standIns ? [] : SDK_MODULES,
    alias: standIns ? standInPaths() : { "xs-ota-agent": join(ROOT, "src/index.ts") },
    target: "es2022",
    define,
    tsconfigRaw: { compilerOptions: { target: "ES2022", useDefineForClassFields: true } },
    logLevel: "error",
  });
}

export async function runSuite(options: SuiteOptions): Promise<SuiteResult> {
  return (await buildSuite(options))();
}

/** @returns runs the tests, as often as it is called */
export async function buildSuite(options: SuiteOptions): Promise<() => Promise<SuiteResult>> {
  const { sdk, name, files, include, standIns, data, sanitize, define } = options;
  const directory = join(sdk.output, name);
  mkdirSync(directory, { recursive: true });
  await bundle(RUNNER, join(directory, "runner.js"));
  const modules: Record<string, string> = { "*": "./main", "test/runner": "./runner", ...options.modules };
  const imports = ['import { runAll } from "test/runner";'];
  for (const [index, file] of files.entries()) {
    await bundle(file, join(directory, `t${index}.js`), standIns, define);
    modules[`test/t${index}`] = `./t${index}`;
    imports.push(`import "test/t${index}";`);
  }
  writeFileSync(join(directory, "main.js"), `${imports.join("\n")}\nexport default () => void runAll();\n`);
  const manifest = {
    include: ["examples/manifest_base.json", ...include].map((path) => `$(MODDABLE)/${path}`),
    modules,
    data: data ? { "*": join(data, "*") } : {},
    creation: {
      static: 0,
      chunk: { initial: 1_048_576, incremental: 262_144 },
      heap: { initial: 131_072, incremental: 16_384 },
      stack: 8_192,
      keys: { available: 8_192, name: 127, symbol: 127 },
      main: "main",
    },
    strip: [],
  };
  writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest));
  const library = await sdk.build({ directory, platform: "lin", sanitize });
  return () => runLibrary(library, options);
}

async function runLibrary(library: string, options: SuiteOptions): Promise<SuiteResult> {
  const { sdk, seconds, sanitize } = options;
  const child = await sdk.run(library, { processor: seconds }, 0, sanitize);
  let output = "";
  let summary = "";
  let last = "";
  const line = (text: string) => {
    if (text.startsWith("# ")) summary = text;
    else if (text.startsWith("> ")) last = text.slice(2);
    else if (!options.line?.(text)) output += `${text}\n`;
  };
  createInterface({ input: child.stdout! }).on("line", line);
  createInterface({ input: child.stderr! }).on("line", line);
  const [code] = await once(child, "close");
  if (!summary) output += `the run ended in: ${last}\n`;
  const [passed, failed] = /(\d+) passed, (\d+) failed/.exec(summary)?.slice(1).map(Number) ?? [0, 0];
  return { passed, failed: failed || (code === 0 && passed ? 0 : 1), output };
}
