/**
 * Starts fuzzing threads and watches over them: a parser that hangs or takes too much memory is found, too.
 * @module
 */
import { Worker } from "node:worker_threads";
import type { FuzzResult, FuzzTask } from "./worker.js";

/** Bytes of an input that are kept for the report of a hang. */
const KEPT = 65536;
const HEAD = 8;

/** A thread does not inherit the loader of TypeScript. */
const BOOT = `
  import(${JSON.stringify(import.meta.resolve("tsx/esm/api"))}).then(({ register }) => {
    register();
    return import(${JSON.stringify(new URL("./worker.ts", import.meta.url).href)});
  });
`;

export interface FuzzOptions extends Omit<FuzzTask, "shared"> {
  /** Most ms one input may take. Default 10000. */
  readonly patience?: number;
  /** Most heap a thread may use, in MB. Default 256. */
  readonly heapLimit?: number;
}

export interface FuzzReport extends FuzzResult {
  readonly target: string;
  readonly seed: number;
  /** Input at which a fault came up. */
  readonly input?: Uint8Array;
}

/** Fuzzes one target in a thread, and reports whatever happened to it. */
export function superviseFuzzing(options: FuzzOptions): Promise<FuzzReport> {
  const { patience = 10_000, heapLimit = 256, ...task } = options;
  const shared = new SharedArrayBuffer(HEAD + KEPT);
  const progress = new Int32Array(shared, 0, 2);
  const worker = new Worker(BOOT, {
    eval: true,
    workerData: { ...task, shared } satisfies FuzzTask,
    resourceLimits: { maxOldGenerationSizeMb: heapLimit },
  });
  return new Promise((resolve) => {
    const start = performance.now();
    let seen = 0;
    let since = start;
    const finish = (result: FuzzResult) => {
      clearInterval(watch);
      const input =
        result.fault === undefined ? undefined : new Uint8Array(shared, HEAD, progress[1]).slice();
      resolve({ target: task.target, seed: task.seed, ...result, input });
    };
    const lost = (fault: string) =>
      finish({
        ...{
          inputs: Atomics.load(progress, 0),
          milliseconds: performance.now() - start,
          outcomes: new Map(),
        },
        ...{ slowest: performance.now() - since, heap: 0, fault },
      });
    // Before its first input a thread still loads its modules.
    const watch = setInterval(
      () => {
        const count = Atomics.load(progress, 0);
        const now = performance.now();
        if (count !== seen || count === 0) [seen, since] = [count, now];
        else if (now - since > patience) {
          lost(`hangs: no answer in ${patience} ms`);
          void worker.terminate();
        }
      },
      Math.min(250, patience / 2),
    );
    worker.once("message", finish);
    worker.once("error", (error) => lost(String(error)));
    worker.once("exit", (code) => {
      if (code !== 0) lost(`the thread ended with ${code}`);
    });
  });
}
