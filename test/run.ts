/**
 * `npm test`: lint, format and type checks, the tests on Node with the coverage of src, and the unit tests once
 * more inside XS; the tests that mostly wait, for processes and sockets, beside these. Every step runs even when an
 * earlier one failed. The last line is the sum of the tests.
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
  /** Runs at the same time as all that follow; its output is shown when they have ended. */
  readonly beside?: boolean;
}

/** Tests of whole programs: they run none of src in mocha's own process. */
const PROGRAMS = "test/{browser,cli,e2e}/**";
/** Run by others: inside XS, on the Moddable runtime, on bundles with faults. */
const ELSEWHERE = "test/{xs,moddable,compaction}/**";

const STEPS: readonly Step[] = [
  { title: "Lint and format", command: ["biome", "check", "--error-on-warnings", "."] },
  { title: "Types of src", command: ["tsc", "-p", "tsconfig.json", "--noEmit"] },
  {
    title: "Types of hosts, service, tools and tests; programs",
    command: ["tsc", "-p", "tsconfig.node.json", "--incremental", "false"],
  },
  { title: "Types of the hosts for Moddable", command: ["tsc", "-p", "tsconfig.moddable.json"] },
  {
    title: "Types of tests and examples for Moddable",
    command: ["tsc", "-p", "test/moddable/tsconfig.json"],
  },
  { title: "Bundles", command: ["rollup", "-c", "--silent"] },
  {
    title: "Tests of programs, over processes and sockets",
    command: [...MOCHA, `${PROGRAMS}/*.test.ts`],
    tests: true,
    beside: true,
  },
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
        ELSEWHERE,
        "--ignore",
        PROGRAMS,
        "test/**/*.test.ts",
      ],
    ],
    tests: true,
  },
  { title: "Unit tests on XS", command: [...MOCHA, "test/xs/**/*.test.ts"], tests: true },
];

/** Files of src without a line that runs: they can not be covered. */
function typesOnly(): string[] {
  return (readdirSync("src", { recursive: true }) as string[])
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `src/${name}`)
    .filter((file) =>
      /^(export \{\};)?\s*$/.test(transformSync(readFileSync(file, "utf8"), { loader: "ts" }).code),
    );
}

interface Outcome {
  readonly code: number;
  readonly output: string;
  readonly seconds: number;
}

/** Runs a command, with its output shown as it comes if `shown`. */
function run({ command, beside }: Step): Promise<Outcome> {
  const start = Date.now();
  return new Promise((resolve, reject) => {
    const [program, ...parameters] = command;
    const child = spawn(join(BIN, program!), parameters, {
      stdio: ["ignore", "pipe", "inherit"],
      // The command line's tests run what a user's npx runs: twice as fast as from the sources.
      env: { ...process.env, XS_OTA_TEST_BUILD: "1" },
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (!beside) process.stdout.write(chunk);
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, output, seconds: (Date.now() - start) / 1000 }));
  });
}

/** The number before a word of mocha's summary. */
function number(output: string, word: "passing" | "failing"): number {
  return Number(new RegExp(`^ {2}(\\d+) ${word}\\b`, "m").exec(output)?.[1] ?? 0);
}

let passed = 0;
let failed = 0;
const broken: string[] = [];
const times: [title: string, seconds: number][] = [];
const started = Date.now();

function count({ title, tests }: Step, { code, output, seconds }: Outcome): void {
  if (tests) {
    const failing = number(output, "failing");
    passed += number(output, "passing");
    // A run that died before its summary counts as a failure of its own.
    failed += failing || /^ {2}\d+ passing\b/m.test(output) ? failing : 1;
  }
  if (code !== 0) broken.push(title);
  times.push([title, seconds]);
  console.log(`── ${code === 0 ? "done" : "FAILED"} in ${seconds.toFixed(1)} s`);
}

const beside: [Step, Promise<Outcome>][] = [];
for (const step of STEPS) {
  const outcome = run(step);
  if (step.beside) {
    beside.push([step, outcome]);
    continue;
  }
  console.log(`\n── ${step.title}`);
  count(step, await outcome);
}
for (const [step, outcome] of beside) {
  console.log(`\n── ${step.title}`);
  const ended = await outcome;
  process.stdout.write(ended.output);
  count(step, ended);
}
console.log("\n── Where the time went, in seconds; steps side by side count whole");
for (const [title, seconds] of times) console.log(`${seconds.toFixed(1).padStart(7)}  ${title}`);
console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(7)}  altogether\n`);
for (const title of broken) console.log(`FAILED: ${title}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = broken.length || failed ? 1 : 0;
