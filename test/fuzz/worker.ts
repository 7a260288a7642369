/**
 * Fuzzes one target in a thread of its own. Each input is written down in shared memory before the parser sees
 * it, so that it is known even when the parser never returns or takes all memory.
 * @module
 */
import { getHeapStatistics } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { Fuzzer } from "./fuzzer.js";
import { TARGETS } from "./registry.js";
import type { FuzzTarget } from "./target.js";

export interface FuzzTask {
  readonly target: string;
  readonly seed: number;
  /** Stop after so many inputs … */
  readonly inputs: number;
  /** … or ms, whichever comes first. */
  readonly milliseconds: number;
  /** Count of inputs (32 bits), length of the last, its bytes. */
  readonly shared: SharedArrayBuffer;
  /** Module with a `TARGETS` of its own; default: the registry. */
  readonly module?: string;
}

export interface FuzzResult {
  readonly inputs: number;
  readonly milliseconds: number;
  readonly outcomes: ReadonlyMap<string, number>;
  /** Longest time one input took, in ms. */
  readonly slowest: number;
  /** Most heap seen in use, in bytes. */
  readonly heap: number;
  /** What the target threw at the last input. */
  readonly fault?: string;
}

/** Bytes of shared memory before the input. */
export const SHARED_HEAD = 8;
/** How often the heap is looked at, in inputs. */
const SAMPLE = 4096;

async function fuzz(task: FuzzTask): Promise<FuzzResult> {
  const targets: readonly FuzzTarget[] = task.module ? (await import(task.module)).TARGETS : TARGETS;
  const target = targets.find(({ name }) => name === task.target);
  if (!target) throw new Error(`no target ${task.target}`);
  const progress = new Int32Array(task.shared, 0, 2);
  const last = new Uint8Array(task.shared, SHARED_HEAD);
  const fuzzer = new Fuzzer(target, task.seed, (input) => {
    last.set(input.subarray(0, last.length));
    progress[1] = Math.min(input.length, last.length);
    Atomics.add(progress, 0, 1);
  });
  let slowest = 0;
  let heap = 0;
  let fault: string | undefined;
  const start = performance.now();
  let now = start;
  while (fuzzer.inputs < task.inputs && now - start < task.milliseconds) {
    const before = now;
    try {
      fuzzer.step();
    } catch (error) {
      fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
      break;
    }
    now = performance.now();
    slowest = Math.max(slowest, now - before);
    if (fuzzer.inputs % SAMPLE === 0) heap = Math.max(heap, getHeapStatistics().used_heap_size);
  }
  heap = Math.max(heap, getHeapStatistics().used_heap_size);
  const { inputs, outcomes } = fuzzer;
  return { inputs, milliseconds: now - start, outcomes, slowest, heap, fault };
}

parentPort?.postMessage(await fuzz(workerData as FuzzTask));
