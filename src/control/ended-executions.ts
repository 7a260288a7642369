/**
 * Executions that were declared over, by the agent or by the service. Pure.
 *
 * What is over and on offer all the same (a status that was refused, a service that contradicts itself) is not begun again
 * at once: each time costs erasures and a transfer.
 * @module
 */
import type { OtaJob } from "./job-document.js";
import type { JobReference } from "./job-status.js";

/** First wait until the same execution may be begun again, milliseconds; doubles with each end. */
const FIRST_WAIT_MS = 30_000;
const LONGEST_WAIT_MS = 3_600_000;
/** How many are kept in mind. */
const MOST = 4;

interface Entry {
  readonly key: string;
  ends: number;
  until: number;
}

/** The same for two offers of one attempt at one file: a job made anew under its old name brings another signature. */
function keyOf(job: JobReference | OtaJob): string {
  const { jobId, executionNumber } = job;
  const file = (job as Partial<OtaJob>).files?.[0];
  return [jobId, executionNumber, file?.fileSize, file?.signature?.bytes.slice(-8)].join();
}

export class EndedExecutions {
  #entries: Entry[] = [];

  /** `job` is over, now. */
  end(job: JobReference | OtaJob, now: number): void {
    const key = keyOf(job);
    const entry = this.#entries.find((known) => known.key === key) ?? { key, ends: 0, until: 0 };
    entry.until = now + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(entry.ends++, 16));
    this.#entries = this.#entries.filter((known) => known !== entry).slice(1 - MOST);
    this.#entries.push(entry);
  }

  /** Milliseconds until `job` may be begun; 0 or less: now. */
  wait(job: JobReference | OtaJob, now: number): number {
    const key = keyOf(job);
    return (this.#entries.find((known) => known.key === key)?.until ?? 0) - now;
  }
}
