/**
 * `npm run mutation`: puts each of the faults of test/mutation into a copy of the project and runs the tests that
 * must notice, two faults at a time. Writes test/mutation/RESULTS.md; exit code 1 when a fault went unnoticed.
 * @module
 */
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { MUTATIONS, type Mutation } from "../test/mutation/mutations.js";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const RESULTS = "test/mutation/RESULTS.md";
const COPIED = [
  "src",
  "hosts",
  "service",
  "test",
  "tools",
  "package.json",
  "tsconfig.json",
  "tsconfig.node.json",
  ".mocharc.json",
];
/** The longest the tests of one fault may take, in ms: a fault may make an endless loop. */
const TIMEOUT = 120_000;

interface Verdict {
  readonly mutation: Mutation;
  /** The first test that failed; undefined when none did. */
  readonly failed: string | undefined;
}

/** Runs tests in `directory`. Resolves to what went wrong, undefined when nothing did. */
function runTests(
  directory: string,
  tests: readonly string[],
  timeout = TIMEOUT,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const mocha = join(ROOT, "node_modules/mocha/bin/mocha.js");
    // Without its configuration mocha runs in this very process, so that killing it ends an endless loop.
    const child = spawn(
      process.execPath,
      [
        "--import",
        "tsx",
        mocha,
        "--no-config",
        "--exit",
        "--bail",
        "--timeout",
        "20000",
        "--reporter",
        "dot",
        ...tests,
      ],
      {
        cwd: directory,
        stdio: ["ignore", "pipe", "ignore"],
        timeout,
        killSignal: "SIGKILL",
      },
    );
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(undefined);
      // The first test that fails is enough: its title.
      const title = /^ {2}1\) ([\s\S]*?):\n/m.exec(output)?.[1]?.replace(/\s+/g, " ");
      resolve(title ?? (signal ? "does not end" : "does not run"));
    });
  });
}

async function tryOut(directory: string, mutation: Mutation): Promise<Verdict> {
  const file = join(directory, mutation.file);
  const source = await readFile(file, "utf8");
  if (source.split(mutation.from).length !== 2)
    throw new Error(`${mutation.file}: "${mutation.from}" does not stand there once`);
  await writeFile(
    file,
    source.replace(mutation.from, () => mutation.to),
  );
  try {
    return { mutation, failed: await runTests(directory, mutation.tests) };
  } finally {
    await writeFile(file, source);
  }
}

function report(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(
    ({ mutation: { name, file }, failed }) =>
      `| ${name} | ${file} | ${(failed ?? "**not noticed**").replaceAll("|", "\\|")} |`,
  );
  return `# Deliberate faults and the tests that notice them

Written by \`npm run mutation\`; the faults are in \`mutations.ts\`.

| fault | file | noticed by |
|---|---|---|
${rows.join("\n")}
`;
}

interface Settings {
  readonly jobs: number;
  readonly only: readonly string[];
}

/** A copy of the project that faults can be put into. */
async function copy(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "xs-ota-mutation-"));
  for (const each of COPIED) await cp(join(ROOT, each), join(directory, each), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(directory, "node_modules"), "junction");
  return directory;
}

async function main({ jobs, only }: Settings): Promise<void> {
  const chosen = MUTATIONS.filter(
    ({ file, name }) => only.length === 0 || only.some((word) => file.includes(word) || name.includes(word)),
  );
  const directories = await Promise.all(Array.from({ length: jobs }, copy));
  try {
    const suites = [...new Set(chosen.flatMap(({ tests }) => tests))];
    const before = await runTests(directories[0]!, suites, TIMEOUT * 5);
    if (before) throw new Error(`without any fault: ${before}`);
    const verdicts: Verdict[] = [];
    const waiting = [...chosen.entries()];
    const work = async (directory: string) => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [index, mutation] = next;
        const verdict = await tryOut(directory, mutation);
        verdicts[index] = verdict;
        const { failed = "NOT NOTICED" } = verdict;
        console.log(`${mutation.file}: ${mutation.name}: ${failed}`);
      }
    };
    await Promise.all(directories.map(work));
    if (only.length === 0) await writeFile(join(ROOT, RESULTS), report(verdicts));
    const missed = verdicts.filter(({ failed }) => failed === undefined).length;
    console.log(`${verdicts.length} faults, ${missed} not noticed`);
    if (missed) process.exitCode = 1;
  } finally {
    for (const directory of directories) await rm(directory, { recursive: true, force: true });
  }
}

const program = new Command("mutation")
  .description("Puts deliberate faults into copies of the project; the tests must notice each.")
  .option("--jobs <count>", "how many at a time", "2")
  .option("--only <words...>", "only faults with one of these in their file or name; writes no report");
program.parse();
const { jobs, only = [] } = program.opts<{ jobs: string; only?: string[] }>();
if (!/^[1-9]\d?$/.test(jobs)) program.error(`error: --jobs ${jobs} is no number from 1 to 99`);
await main({ jobs: Number(jobs), only });
