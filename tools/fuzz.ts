/**
 * `npm run fuzz`: feeds every parser of what comes from outside with broken, hostile and good inputs.
 * Exit code 1 when one of them crashed, hung, ran out of memory, or let something through that it must not.
 * @module
 */
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { failureOf, shrink } from "../test/fuzz/fuzzer.js";
import { TARGETS } from "../test/fuzz/registry.js";
import { type FuzzReport, superviseFuzzing } from "../test/fuzz/supervisor.js";
import { type FuzzTarget, TAKEN } from "../test/fuzz/target.js";

interface Options {
  inputs: number;
  seconds?: number;
  seed: number;
  jobs: number;
  target?: string[];
  input?: Uint8Array;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("not a whole number");
  return value;
}

function hexadecimal(text: string): Uint8Array {
  if (text.length % 2 || /[^0-9a-f]/i.test(text)) throw new InvalidArgumentError("not hexadecimal");
  return new Uint8Array(Buffer.from(text, "hex"));
}

function select(names: string[] | undefined): FuzzTarget[] {
  if (!names) return [...TARGETS];
  return names.map((name) => {
    const target = TARGETS.find((each) => each.name === name);
    if (!target)
      throw new Error(`no target ${name}; there are ${TARGETS.map((each) => each.name).join(", ")}`);
    return target;
  });
}

function line(report: FuzzReport): string {
  const { target, inputs, milliseconds, outcomes, slowest, heap } = report;
  return [
    target.padEnd(16),
    String(inputs).padStart(9),
    String(outcomes.get(TAKEN) ?? 0).padStart(8),
    String(outcomes.size).padStart(8),
    slowest.toFixed(1).padStart(10),
    (heap / 2 ** 20).toFixed(0).padStart(7),
    Math.round((inputs / milliseconds) * 1000 || 0)
      .toString()
      .padStart(9),
  ].join(" ");
}

function printFault(report: FuzzReport): void {
  const target = TARGETS.find(({ name }) => name === report.target)!;
  const input = report.input ?? new Uint8Array();
  // An input that hangs would hang again here.
  const short = report.fault?.startsWith("hangs") ? input : shrink(target, input);
  console.log(`\nFAULT in ${report.target}, seed ${report.seed}, input ${report.inputs}:\n${report.fault}`);
  console.log(`npm run fuzz -- --target ${report.target} --input ${Buffer.from(short).toString("hex")}`);
}

/** Runs one input again, in this thread, where a debugger sees it. */
function replay(targets: FuzzTarget[], input: Uint8Array): void {
  for (const target of targets) {
    const failure = failureOf(target, input);
    console.log(`${target.name}: ${failure ? (failure.stack ?? failure.message) : target.run(input)}`);
    if (failure) process.exitCode = 1;
  }
}

async function fuzz(targets: FuzzTarget[], options: Options): Promise<void> {
  const { seed, jobs, seconds, inputs } = options;
  const total = targets.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const queue = targets.map((target) => {
    const share = (target.weight ?? 1) / total;
    return {
      target: target.name,
      seed,
      inputs: seconds === undefined ? Math.ceil(inputs * share) : Number.POSITIVE_INFINITY,
      milliseconds: seconds === undefined ? Number.POSITIVE_INFINITY : seconds * 1000 * share * jobs,
    };
  });
  console.log(`seed ${seed}; ${jobs} threads`);
  console.log("target              inputs    taken outcomes slowest ms heap MB  inputs/s");
  const start = performance.now();
  const reports: FuzzReport[] = [];
  const work = async () => {
    for (let task = queue.shift(); task; task = queue.shift()) {
      const report = await superviseFuzzing(task);
      reports.push(report);
      console.log(line(report));
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  const faults = reports.filter(({ fault }) => fault !== undefined);
  faults.forEach(printFault);
  const sum = reports.reduce((all, report) => all + report.inputs, 0);
  const elapsed = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${sum} inputs over ${targets.length} parsers in ${elapsed} s, ${faults.length} faults`);
  if (faults.length) process.exitCode = 1;
}

const program = new Command("fuzz")
  .description("Feeds the parsers with broken, hostile and good inputs.")
  .option("--inputs <n>", "how many, over all targets", count, 10_000_000)
  .option("--seconds <n>", "instead of a number of inputs: how long", count)
  .option(
    "--seed <n>",
    "decides the inputs, together with their number",
    count,
    Math.floor(Math.random() * 2 ** 32),
  )
  .option("--jobs <n>", "threads", count, availableParallelism())
  .option("--target <names...>", `of ${TARGETS.map(({ name }) => name).join(", ")}`)
  .option("--input <hex>", "run this one input and show what comes of it", hexadecimal);

const options = program.parse().opts<Options>();
try {
  const targets = select(options.target);
  if (options.input) replay(targets, options.input);
  else await fuzz(targets, { ...options, jobs: Math.max(1, options.jobs) });
} catch (error) {
  program.error((error as Error).message);
}
