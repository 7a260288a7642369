/**
 * Follows a job at AWS by its counts: one call each time, however many devices it has.
 * @module
 */
import { failureFacts } from "../../../service/failure-facts.js";
import { factLines } from "../fact-lines.js";
import { FAILED, Failure, INTERRUPTED, OK } from "../failure.js";
import { pause } from "../interrupt.js";
import { printable, printableData } from "../printable.js";
import { paint } from "../text.js";
import type { Cloud, JobProgress, ThingExecution } from "./cloud.js";
import { type AwsPlace, tell } from "./place.js";

/** Devices whose reasons are shown, of each kind of failure. */
const REASONS = 5;
const FAILURES: readonly string[] = Object.freeze(["FAILED", "REJECTED", "TIMED_OUT"]);
/** Of no use without the job at hand. */
const HIDDEN: readonly string[] = Object.freeze(["updatedBy", "receive", "self_test"]);
/** Characters of a reason. */
const TEXT_LIMIT = 200;

/** Until the job has ended, the time is up, or Ctrl-C. @throws Failure */
export async function follow(
  cloud: Cloud,
  job: { readonly jobId?: string; readonly updateId: string },
  options: AwsPlace,
  stop: AbortSignal,
): Promise<number> {
  const deadline = options.timeout === undefined ? Infinity : performance.now() + options.timeout * 1000;
  let { jobId } = job;
  let shown = "";
  for (;;) {
    jobId ??= await cloud.jobOf(job.updateId);
    const progress = jobId === undefined ? undefined : await cloud.progress(jobId);
    if (progress) {
      const text = countsText(progress);
      if (text !== shown) tell(options, { event: "progress", ...progress }, text);
      shown = text;
      if (hasEnded(progress)) return await conclude(cloud, progress, options);
    }
    if (performance.now() > deadline)
      throw new Failure(`the time is up: ${jobId ?? job.updateId} goes on`, FAILED);
    await pause(options.poll * 1000, stop);
    if (stop.aborted) {
      tell(options, { event: "stopped", jobId }, `Stopped: ${jobId ?? job.updateId} goes on.`);
      return INTERRUPTED;
    }
  }
}

/** `IN_PROGRESS: 12 QUEUED, 3 SUCCEEDED` */
export function countsText({ status, counts }: JobProgress): string {
  const list = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return printable(`${status}: ${list.join(", ") || "no device yet"}`);
}

/** Why devices failed, of some of them, in the words they gave. @throws Failure */
export async function reasons(cloud: Cloud, { jobId, counts }: JobProgress): Promise<ThingExecution[]> {
  const found: ThingExecution[] = [];
  for (const status of FAILURES)
    if (counts[status]) found.push(...(await cloud.executions(jobId, status, REASONS)));
  return printableData(found);
}

/** What a device said of its failure: why, and its failure log below. */
export function reasonText({ thing, status, details }: ThingExecution): string {
  const { message, reason, code, ...others } = details;
  const text = message ?? reason ?? code ?? "the device gives no reason";
  const facts = factLines(failureFacts(others, HIDDEN));
  return [`${thing}  ${status}: ${text.slice(0, TEXT_LIMIT)}`, ...facts].join("\n");
}

function hasEnded({ status, counts }: JobProgress): boolean {
  const isOpen = (counts["QUEUED"] ?? 0) + (counts["IN_PROGRESS"] ?? 0) > 0;
  return (status === "COMPLETED" || status === "CANCELED") && !isOpen;
}

async function conclude(cloud: Cloud, progress: JobProgress, options: AwsPlace): Promise<number> {
  const { counts, status, comment, reasonCode } = progress;
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const done = counts["SUCCEEDED"] ?? 0;
  const isGood = all > 0 && done === all && status === "COMPLETED";
  const failed = await reasons(cloud, progress);
  const text = [
    ...failed.map(reasonText),
    ...(status === "CANCELED" ? [printable(`Cancelled: ${comment ?? reasonCode ?? "no reason given"}`)] : []),
    paint(isGood ? "green" : "red", `${done} of ${all} devices SUCCEEDED`),
  ].join("\n");
  tell(options, { event: "outcome", ok: isGood, ...progress, failed }, text);
  return isGood ? OK : FAILED;
}
