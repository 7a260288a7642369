/**
 * `npm run mutation`: puts each of the faults of test/mutation into a copy of the project and runs the tests that
 * must notice. Writes test/mutation/RESULTS.md; exit code 1 when a fault went unnoticed.
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
  /** Tests that failed; undefined when none did. */
  readonly failed: string | undefined;
}

/** Runs tests in `directory`. Resolves to what went wrong, undefined when nothing did. */
function runTests(directory: string, tests: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const mocha = join(ROOT, "node_modules/mocha/bin/mocha.js");
    // Without its configuration mocha runs in this very process, so that killing it ends an endless loop.
    const child = spawn(
      process.execPath,
      ["--import", "tsx", mocha, "--no-config", "--reporter", "dot", ...tests],
      {
        cwd: directory,
        stdio: ["ignore", "pipe", "ignore"],
        timeout: TIMEOUT,
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
      const failing = /(\d+) failing/.exec(output)?.[1];
      resolve(failing ? `${failing} failing` : signal ? "does not end" : "does not run");
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
    ({ mutation: { name, file, tests }, failed }) =>
      `| ${name} | ${file} | ${failed ?? "**not noticed**"} | ${tests.join(", ")} |`,
  );
  return `# Deliberate faults and the tests that notice them

Written by \`npm run mutation\`; the faults are in \`mutations.ts\`.

| fault | file | noticed | by |
|---|---|---|---|
${rows.join("\n")}
`;
}

async function main(words: readonly string[]): Promise<void> {
  const chosen = MUTATIONS.filter(
    ({ file, name }) =>
      words.length === 0 || words.some((word) => file.includes(word) || name.includes(word)),
  );
  const directory = await mkdtemp(join(tmpdir(), "xs-ota-mutation-"));
  try {
    for (const each of COPIED) await cp(join(ROOT, each), join(directory, each), { recursive: true });
    await symlink(join(ROOT, "node_modules"), join(directory, "node_modules"), "junction");
    const suites = [...new Set(chosen.flatMap(({ tests }) => tests))];
    const before = await runTests(directory, suites);
    if (before) throw new Error(`without any fault: ${before}`);
    const verdicts: Verdict[] = [];
    for (const mutation of chosen) {
      const verdict = await tryOut(directory, mutation);
      verdicts.push(verdict);
      console.log(`${(verdict.failed ?? "NOT NOTICED").padEnd(14)} ${mutation.file}: ${mutation.name}`);
    }
    if (words.length === 0) await writeFile(join(ROOT, RESULTS), report(verdicts));
    const missed = verdicts.filter(({ failed }) => failed === undefined).length;
    console.log(`${verdicts.length} faults, ${missed} not noticed`);
    if (missed) process.exitCode = 1;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const program = new Command("mutation")
  .description("Puts deliberate faults into a copy of the project; the tests must notice each.")
  .argument("[words...]", "only faults with one of these in their file or name");
program.parse();
await main(program.args);
