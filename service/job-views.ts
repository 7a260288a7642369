/**
 * Job executions as they appear in messages (AWS IoT Jobs data types: JobExecution, JobExecutionSummary,
 * JobExecutionState).
 * @module
 */
import type { Execution } from "./job-records.js";

/** ListNotification: at most this many executions. */
const LIST_LIMIT = 15;

/** The wire counts whole seconds since 1970. */
export function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

/** JobExecution; fields that do not apply are left out. */
export function describeExecution(execution: Execution, now: number, jobDocument?: unknown): object {
  const deadline = Math.min(execution.inProgressDeadline ?? Infinity, execution.stepDeadline ?? Infinity);
  return {
    jobId: execution.jobId,
    status: execution.status,
    ...details(execution),
    queuedAt: seconds(execution.queuedAt),
    ...started(execution),
    lastUpdatedAt: seconds(execution.lastUpdatedAt),
    ...(deadline === Infinity
      ? {}
      : { approximateSecondsBeforeTimedOut: Math.max(0, seconds(deadline - now)) }),
    versionNumber: execution.versionNumber,
    executionNumber: execution.executionNumber,
    ...(jobDocument === undefined ? {} : { jobDocument }),
  };
}

/** JobExecutionSummary */
export function summarizeExecution(execution: Execution): object {
  return {
    jobId: execution.jobId,
    queuedAt: seconds(execution.queuedAt),
    ...started(execution),
    lastUpdatedAt: seconds(execution.lastUpdatedAt),
    executionNumber: execution.executionNumber,
    versionNumber: execution.versionNumber,
  };
}

/** JobExecutionState */
export function executionState(execution: Execution): object {
  return { status: execution.status, ...details(execution), versionNumber: execution.versionNumber };
}

/** Summaries by status, as in a ListNotification. `pending` is in the order of the queue. */
export function summarizePending(pending: readonly Execution[]): Record<string, object[]> {
  const lists: Record<string, object[]> = {};
  for (const execution of pending.slice(0, LIST_LIMIT))
    (lists[execution.status] ??= []).push(summarizeExecution(execution));
  return lists;
}

function details({ statusDetails }: Execution): object {
  return Object.keys(statusDetails).length > 0 ? { statusDetails } : {};
}

function started({ startedAt }: Execution): object {
  return startedAt === undefined ? {} : { startedAt: seconds(startedAt) };
}
