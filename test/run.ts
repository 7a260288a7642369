/**
 * `npm test`: lint, format and type checks, the tests on Node with the coverage of src, and the unit tests once
 * more inside XS. Every step runs even when an earlier one failed. The last line is the sum of the tests.
 * @module
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

/** Least share of src's lines the tests on Node must run, in percent. */
const COVERAGE = 95;

const BIN = fileURLToPath(new URL("../node_modules/.bin", import.meta.url));

/** `--exit`: a test that leaves something running must not keep everybody waiting. */
const MOCHA = ["mocha", "--exit", "--forbid-only", "--forbid-pending"];

interface Step {
  readonly title: string;
  readonly command: readonly string[];
  /** True when the command ends with mocha's summary. */
  readonly tests?: boolean;
}

const STEPS: readonly Step[] = [
  { title: "Lint and format", command: ["biome", "check", "--error-on-warnings", "."] },
  { title: "Types of src", command: ["tsc", "-p", "tsconfig.json", "--noEmit"] },
  {
    title: "Types of hosts, service, tools and tests",
    command: ["tsc", "-p", "tsconfig.node.json", "--noEmit", "--incremental", "false"],
  },
  { title: "Types of the hosts for Moddable", command: ["tsc", "-p", "tsconfig.moddable.json"] },
  { title: "Bundles", command: ["rollup", "-c", "--silent"] },
  {
    title: `Tests on Node; at least ${COVERAGE} % of the lines of src must run`,
    command: [
      ...[
        "c8",
        "--clean",
        "--all",
        "--include",
        "src/**",
        "--reporter",
        "text",
        "--reporter",
        "text-summary",
      ],
      ...typesOnly().flatMap((file) => ["--exclude", file]),
      ...[
        "--check-coverage",
        "--lines",
        String(COVERAGE),
        "--branches",
        "0",
        "--functions",
        "0",
        "--statements",
        "0",
      ],
      ...[
        ...MOCHA,
        "--require",
        "./test/support/one-process.ts",
        "--ignore",
        "test/{xs,moddable}/**",
        "test/**/*.test.ts",
      ],
    ],
    tests: true,
  },
  { title: "Unit tests on XS", command: [...MOCHA, "test/xs/**/*.test.ts"], tests: true },
];

/** Files of src without a line that runs: they can not be covered. */
function typesOnly(): string[] {
  return readdirSync("src")
    .map((name) => `src/${name}`)
    .filter((file) =>
      /^(export \{\};)?\s*$/.test(transformSync(readFileSync(file, "utf8"), { loader: "ts" }).code),
    );
}

/** Runs a command with its output shown. Returns the exit code and the output. */
function run(command: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const [program, ...parameters] = command;
    const child = spawn(join(BIN, program!), parameters, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      process.stdout.write(chunk);
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/** The number before a word of mocha's summary. */
function count(output: string, word: "passing" | "failing"): number {
  return Number(new RegExp(`^ {2}(\\d+) ${word}\\b`, "m").exec(output)?.[1] ?? 0);
}

let passed = 0;
let failed = 0;
const broken: string[] = [];
for (const { title, command, tests } of STEPS) {
  console.log(`\n── ${title}`);
  const start = Date.now();
  const { code, output } = await run(command);
  if (tests) {
    const failing = count(output, "failing");
    passed += count(output, "passing");
    // A run that died before its summary counts as a failure of its own.
    failed += failing || /^ {2}\d+ passing\b/m.test(output) ? failing : 1;
  }
  if (code !== 0) broken.push(title);
  console.log(`── ${code === 0 ? "done" : "FAILED"} in ${((Date.now() - start) / 1000).toFixed(1)} s`);
}
console.log();
for (const title of broken) console.log(`FAILED: ${title}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = broken.length || failed ? 1 : 0;
