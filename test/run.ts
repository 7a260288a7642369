/**
 * `npm test`: the bundles, then side by side the tests - on Node with the coverage of src, once more inside XS, and of
 * whole programs - and lint, format, spelling and types. Every step runs even when an earlier one failed. The last lines
 * are where the time went, and the sum of the tests. With `--all` the checks that take minutes run beside them.
 * @module
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

/** Least share of src's lines the tests on Node must run, in percent. */
const COVERAGE = 95;

const BIN = fileURLToPath(new URL("../node_modules/.bin", import.meta.url));

/** `--exit`: a test that leaves something running must not keep everybody waiting. */
const MOCHA = ["mocha", "--exit", "--forbid-only", "--forbid-pending"];

/** The compiler that is a program of its own checks in a sixth of the time; rollup's plug-in needs the one in JavaScript. */
const TSC = ["node", fileURLToPath(new URL("../node_modules/typescript-native/bin/tsc", import.meta.url))];

interface Step {
  readonly title: string;
  readonly command: readonly string[];
  /** True when the command ends with mocha's summary. */
  readonly tests?: boolean;
}

const { isBuilt } = await import(new URL("../tools/build/fresh.js", import.meta.url).href);

/**
 * What the tests need, two rows of steps side by side, each in its order: the bundles, made of tsc's output unless
 * `npm ci` has just made them of these sources, and the programs.
 */
const FIRST: readonly (readonly Step[])[] = [
  isBuilt()
    ? []
    : [
        { title: "Types of the hosts for Moddable", command: [...TSC, "-p", "tsconfig.moddable.json"] },
        { title: "Bundles", command: ["rollup", "-c", "--silent"] },
        { title: "Declarations", command: ["node", "tools/build/types.js"] },
        { title: "Readable build", command: ["node", "tools/build/plain.js"] },
        { title: "Maps of the release", command: ["node", "tools/build/release.js"] },
        {
          title: "Types of the conformance tests",
          command: [...TSC, "-p", "test/conformance/tsconfig.json"],
        },
        { title: "Their declarations", command: ["node", "tools/build/conformance-types.js"] },
        { title: "Script for XS", command: ["node", "tools/build/xs-script.js"] },
      ],
  [{ title: "Programs", command: ["node", "tools/build/programs.js"] }],
];

/** What runs beside the tests. */
const CHECKS: readonly Step[] = [
  {
    title: "Types of hosts, service, tools and tests",
    command: [...TSC, "-p", "tsconfig.node.json", "--incremental", "false"],
  },
  {
    title: "Types of tests and examples for Moddable",
    command: [...TSC, "-p", "test/moddable/tsconfig.json"],
  },
  { title: "Types of src", command: [...TSC, "-p", "tsconfig.json", "--noEmit"] },
  { title: "Docs: up to date, no warnings of typedoc", command: ["tsx", "tools/docs.ts", "--check"] },
  { title: "Spelling", command: ["cspell", "--config", "tools/docs/cspell.json", "--no-progress"] },
  { title: "Lint and format", command: ["biome", "check", "--error-on-warnings", "."] },
];

/** Coverage slows what runs in loops: it is measured where tests are written for lines, not for numbers of cases. */
const COVERED: Step = {
  title: `Unit tests on Node; at least ${COVERAGE} % of the lines of src must run`,
  command: [
    ...["c8", "--clean", "--all", "--include", "src/**"],
    ...["--reporter", "text", "--reporter", "text-summary"],
    ...typesOnly().flatMap((file) => ["--exclude", file]),
    ...["--check-coverage", "--lines", String(COVERAGE), "--branches", "0", "--functions", "0"],
    ...["--statements", "0"],
    ...[...MOCHA, "--require", "./test/support/one-process.ts", "test/unit/**/*.test.ts"],
  ],
  tests: true,
};

/** The test files of a folder. */
function filesOf(folder: string): string[] {
  const names = readdirSync(join("test", folder), { recursive: true }) as string[];
  return names
    .filter((name) => name.endsWith(".test.ts"))
    .sort()
    .map((name) => join("test", folder, name));
}

/** A group of tests in `parts` processes: what takes long is cut, so that the last to end does not run alone for long. */
function tests(title: string, parts: number, ...files: readonly string[]): Step[] {
  return Array.from({ length: parts }, (_, part) => ({
    title: parts === 1 ? title : `${title}, ${part + 1} of ${parts}`,
    command: [...MOCHA, ...files.filter((_, index) => index % parts === part)],
    tests: true,
  }));
}

/** What takes longest comes first, and what waits most of the time: short steps fill what is left at the end. */
const GROUPS: readonly Step[] = [
  ...tests("Tests of programs: updates over processes and sockets", 2, ...filesOf("e2e")),
  ...tests("Tests on XS", 1, ...filesOf("xs")),
  ...tests("Tests of programs: command line, page", 3, ...filesOf("cli"), ...filesOf("browser")),
  ...tests("Tests on Node: hosts, service, tools", 2, ...filesOf("node")),
  ...tests("Tests on Node: the whole system, power cuts", 2, ...filesOf("system")),
  COVERED,
];

/** What `.ci/run` has beside: `npm test -- --all`. */
const MORE: readonly Step[] = [
  ...tests("Tests of the compaction: a fault in each step", 1, ...filesOf("compaction")),
  {
    title: "Fuzzing for half a minute",
    command: ["tsx", "tools/fuzz.ts", "--seconds", "30", "--jobs", "1"],
  },
  // It counts, and takes no time.
  { title: "Speed and size against the baseline", command: ["tsx", "bench/run.ts", "--check"] },
];

/** Folders whose tests run elsewhere: on the Moddable runtime. */
const ELSEWHERE = ["moddable"];

/** Files of src without a line that runs: they cannot be covered. */
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
  /** By the clock. */
  readonly seconds: number;
  /** Of a processor, with the programs it started and waited for. */
  readonly processor: number;
}

/** Runs what follows and then writes, in two lines, what the shell and its children took of a processor (POSIX `times`). */
const TIMED = 'exec 2>&1; "$@"; code=$?; times; exit $code';
const TIMES = /(?:\d+m[\d.]+s \d+m[\d.]+s\n)?(\d+)m([\d.]+)s (\d+)m([\d.]+)s\n$/;

/** Runs a command; its output is shown when it has ended, between those of others. */
function run({ command }: Step): Promise<Outcome> {
  const start = Date.now();
  return new Promise((resolve, reject) => {
    const [program, ...parameters] = command;
    const path = program === "node" ? process.execPath : join(BIN, program!);
    const child = spawn("sh", ["-c", TIMED, "sh", path, ...parameters], {
      stdio: ["ignore", "pipe", "pipe"],
      // Programs are tested as npx runs them: twice as fast as from the sources.
      env: { ...process.env, XS_OTA_TEST_BUILD: "1" },
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
      });
    child.on("error", reject);
    child.on("close", (code) => {
      const [times, ...figures] = TIMES.exec(output) ?? ["", "0", "0", "0", "0"];
      const [minutes, seconds, systemMinutes, systemSeconds] = figures.map(Number);
      resolve({
        code: code ?? 1,
        output: output.slice(0, output.length - times.length),
        seconds: (Date.now() - start) / 1000,
        processor: (minutes! + systemMinutes!) * 60 + seconds! + systemSeconds!,
      });
    });
  });
}

/** The number before a word of mocha's summary. */
function number(output: string, word: "passing" | "failing"): number {
  return Number(new RegExp(`^ {2}(\\d+) ${word}\\b`, "m").exec(output)?.[1] ?? 0);
}

let passed = 0;
let failed = 0;
const broken: string[] = [];
const times: [title: string, seconds: number, processor: number][] = [];
const started = Date.now();

function count({ title, tests }: Step, { code, output, seconds, processor }: Outcome): void {
  if (tests) {
    const failing = number(output, "failing");
    passed += number(output, "passing");
    // A run that died before its summary counts as a failure of its own.
    failed += failing || /^ {2}\d+ passing\b/m.test(output) ? failing : 1;
  }
  if (code !== 0) broken.push(title);
  times.push([title, seconds, processor]);
  console.log(
    `\n── ${title}\n${output.trimEnd()}\n── ${code === 0 ? "done" : "FAILED"} in ${seconds.toFixed(1)} s`,
  );
}

/** Runs what is left of the steps, one after the other. */
async function work(left: Step[]): Promise<void> {
  for (let step = left.shift(); step; step = left.shift()) count(step, await run(step));
}

const taken = new Set([...[...GROUPS, ...MORE].flatMap(({ command }) => command), ...filesOf("unit")]);
for (const file of filesOf(""))
  if (!taken.has(file) && !ELSEWHERE.includes(file.split(sep)[1])) throw new Error(`no group has ${file}`);

await Promise.all(FIRST.map((steps) => work([...steps])));
const steps = [...GROUPS, ...(process.argv.includes("--all") ? MORE : []), ...CHECKS];
// Three more than there are cores: tests of processes and sockets wait most of the time.
await Promise.all(Array.from({ length: availableParallelism() + 3 }, () => work(steps)));
const column = (seconds: number): string => seconds.toFixed(1).padStart(8);
console.log(
  "\n── Where the time went: seconds by the clock (steps side by side count whole), and of a processor",
);
for (const [title, seconds, processor] of times)
  console.log(`${column(seconds)}${column(processor)}  ${title}`);
const ofAll = times.reduce((sum, [, , processor]) => sum + processor, 0);
console.log(`${column((Date.now() - started) / 1000)}${column(ofAll)}  altogether\n`);
for (const title of broken) console.log(`FAILED: ${title}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = broken.length || failed ? 1 : 0;
