/**
 * The fuzzers: a first few thousand inputs for every parser, and the proof that faults are found.
 * @module
 */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Fuzzer, failureOf, shrink } from "../fuzz/fuzzer.js";
import { Random } from "../fuzz/random.js";
import { TARGETS } from "../fuzz/registry.js";
import { superviseFuzzing } from "../fuzz/supervisor.js";
import { type FuzzTarget, TAKEN } from "../fuzz/target.js";
import { TARGETS as FAULTS } from "../support/fuzz-faults.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const INPUTS = 3000;

describe("fuzzing the parsers", () => {
  for (const target of TARGETS)
    it(`${target.name}: ${INPUTS} inputs, some taken, some refused in several ways`, () => {
      const fuzzer = new Fuzzer(target, 1);
      while (fuzzer.inputs < INPUTS) fuzzer.step();
      ok((fuzzer.outcomes.get(TAKEN) ?? 0) > 0, "nothing was taken");
      ok(fuzzer.outcomes.size > 1, "nothing was refused");
    });

  it("names every target once", () => equal(new Set(TARGETS.map(({ name }) => name)).size, TARGETS.length));
});

describe("the fuzzer", () => {
  /** The first inputs of a seed. */
  function inputs(seed: number): string[] {
    const seen: string[] = [];
    const fuzzer = new Fuzzer(TARGETS[0]!, seed, (input) => seen.push(Buffer.from(input).toString("hex")));
    while (fuzzer.inputs < 500) fuzzer.step();
    return seen;
  }

  it("makes the same inputs of the same seed", () => deepEqual(inputs(7), inputs(7)));

  it("makes other inputs of another seed", () => {
    const first = new Set(inputs(7));
    const again = inputs(8).filter((input) => first.has(input)).length;
    ok(again < 100, `${again} of 500 inputs are the same`);
  });

  it("never makes an input that is too long", () => {
    const target: FuzzTarget = {
      ...{ name: "x", corpus: [new Uint8Array(64)], dictionary: [new Uint8Array(60)], maxLength: 64 },
      run: (input) => {
        if (input.length > 64) throw new Error(`${input.length} bytes`);
        return TAKEN;
      },
    };
    const fuzzer = new Fuzzer(target, 1);
    while (fuzzer.inputs < 2000) fuzzer.step();
  });

  it("has random numbers that are spread evenly", () => {
    const random = new Random(3);
    const counts = Array<number>(16).fill(0);
    for (let n = 0; n < 16_000; n++) counts[random.below(16)]!++;
    // Six standard deviations.
    for (const each of counts) ok(Math.abs(each - 1000) < 6 * Math.sqrt(1000), String(counts));
  });

  it("shrinks an input to what matters", () => {
    const [throwing] = FAULTS as [FuzzTarget];
    const input = Uint8Array.from({ length: 300 }, (_, n) => (n === 200 ? 0x80 : 1));
    const short = shrink(throwing, input);
    equal(short.length, 5);
    ok(failureOf(throwing, short));
  });

  const module = new URL("../support/fuzz-faults.ts", import.meta.url).href;
  const limits = { seed: 1, inputs: 1_000_000, milliseconds: 60_000, heapLimit: 64, module };
  const faults: [string, RegExp][] = [
    ["throws", /TypeError: undefined is not a function/],
    ["lets through", /must hold: no byte is 0x80/],
    ["hangs", /hangs/],
    ["hoards", /OUT_OF_MEMORY|memory/],
  ];
  for (const [target, fault] of faults)
    it(`finds a parser that ${target}, and the input`, async () => {
      const report = await superviseFuzzing({
        target,
        patience: target === "hangs" ? 500 : 30_000,
        ...limits,
      });
      match(report.fault ?? "no fault", fault);
      ok(report.input?.includes(0x80), "the input is known");
    });
});

describe("npm run fuzz", () => {
  const run = async (...parameters: string[]) => {
    try {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ["--import", "tsx", "tools/fuzz.ts", ...parameters],
        { cwd: ROOT },
      );
      return { code: 0, output: stdout };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, output: stdout + stderr };
    }
  };

  it("counts the inputs of every parser", async () => {
    const { code, output } = await run("--inputs", "2000", "--seed", "1");
    equal(code, 0, output);
    for (const { name } of TARGETS) match(output, new RegExp(`^${name} +\\d+`, "m"));
    ok(Number(/(\d+) inputs over/.exec(output)?.[1]) >= 2000);
    match(output, /0 faults/);
  });

  it("runs for a time", async () => {
    const { code, output } = await run("--seconds", "1", "--target", "base64", "utf-8");
    equal(code, 0, output);
    match(output, /inputs over 2 parsers/);
  });

  it("replays one input", async () => {
    const { code, output } = await run("--target", "der-signature", "--input", "3006020100020100");
    equal(code, 0, output);
    match(output, /signature-check: DER is not valid/);
  });

  it("refuses a target it does not know", async () => {
    const { code, output } = await run("--target", "nothing");
    equal(code, 1);
    match(output, /no target nothing/);
  });
});
