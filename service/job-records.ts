/**
 * What the service knows of jobs and their executions, and the rules every field must keep
 * (AWS IoT API reference, "Job" and "JobExecution"). All times are milliseconds since 1970.
 * @module
 */
import {
  COUNTS,
  NUMBERS,
  type NumberLimit,
  numberProblem,
  STRINGS,
  type StringLimit,
  stringProblem,
} from "./aws-limits.js";
import { ServiceError } from "./errors.js";
import { type AbortCriteria, checkAbort, checkRollout, type RolloutConfig } from "./rollout.js";
import { checkSchedule, type Schedule } from "./schedule.js";

export type ExecutionStatus =
  | "QUEUED"
  | "IN_PROGRESS"
  | "SUCCEEDED"
  | "FAILED"
  | "TIMED_OUT"
  | "REJECTED"
  | "REMOVED"
  | "CANCELED";

export type JobStatus = "SCHEDULED" | "IN_PROGRESS" | "CANCELED" | "COMPLETED";

/** SNAPSHOT: the things at the moment of creation; CONTINUOUS: also those that join a group of the job later. */
export type TargetSelection = "SNAPSHOT" | "CONTINUOUS";

export type StatusDetails = Readonly<Record<string, string>>;

/** One thing a device or the service did to an execution. */
export interface HistoryEntry {
  readonly at: number;
  readonly status: ExecutionStatus;
  readonly statusDetails: StatusDetails;
  readonly versionNumber: number;
}

/** One attempt of one thing at one job. Plain data: it can be written as JSON. */
export interface Execution {
  readonly jobId: string;
  readonly thingName: string;
  /** 1 for the first attempt. */
  readonly executionNumber: number;
  readonly status: ExecutionStatus;
  readonly statusDetails: StatusDetails;
  /** 1 at first; counts every change. */
  readonly versionNumber: number;
  readonly queuedAt: number;
  /** Orders executions queued in the same moment. */
  readonly sequence: number;
  readonly startedAt?: number;
  readonly lastUpdatedAt: number;
  /** When the job's in-progress timer ends this execution. */
  readonly inProgressDeadline?: number;
  /** When the step timer ends it. */
  readonly stepDeadline?: number;
  /** Oldest first; the latest `HISTORY_LIMIT` changes. */
  readonly history: readonly HistoryEntry[];
}

/** How many automatic retries follow an execution that ended this way. */
export interface Retries {
  readonly failed: number;
  readonly timedOut: number;
}

/** What a job deploys, for people. */
export interface ImageLabel {
  readonly fileName: string;
  /** Bytes. */
  readonly size: number;
  readonly project?: string;
  readonly version?: string;
  readonly chip?: string;
}

export interface Job {
  readonly jobId: string;
  /** SHA-256 of the image in hexadecimal digits, where the service keeps it. */
  readonly digest?: string;
  readonly image?: ImageLabel;
  /** What people say of it (AWS: description). */
  readonly description?: string;
  /** A JSON object. */
  readonly document: Readonly<Record<string, unknown>>;
  /** Thing names. */
  readonly targets: readonly string[];
  readonly status: JobStatus;
  readonly createdAt: number;
  readonly lastUpdatedAt: number;
  /** In-progress timer, 1 … 10080; undefined: none. */
  readonly timeoutInMinutes?: number;
  readonly retries: Retries;
  /** Default: SNAPSHOT. */
  readonly targetSelection?: TargetSelection;
  /** Names of the thing groups the targets come from. */
  readonly groups?: readonly string[];
  readonly rollout?: RolloutConfig;
  readonly abort?: readonly AbortCriteria[];
  readonly schedule?: Schedule;
  /** Why no further thing is offered the job, until it is resumed. */
  readonly paused?: string;
  /** Things that did not succeed and are not held against the next stages: a person has resumed the job. */
  readonly forgiven?: number;
  /** Why the job was cancelled (AWS: reasonCode and comment). */
  readonly reasonCode?: string;
  readonly comment?: string;
}

/** What of a job is given as it is kept. */
export type JobMatters = Pick<
  Job,
  "targetSelection" | "groups" | "rollout" | "abort" | "schedule" | "digest" | "image" | "description"
>;

export interface JobOptions extends JobMatters {
  /** 1 … 64 of `a-z A-Z 0-9 _ -`. */
  jobId: string;
  document: Readonly<Record<string, unknown>>;
  targets: readonly string[];
  timeoutInMinutes?: number;
  /** At most ten together. */
  retries?: Partial<Retries>;
}

/** The fields of an execution an operation may change. */
export interface ExecutionChange {
  status: ExecutionStatus;
  statusDetails?: StatusDetails;
  /** Whole minutes, or −1 to stop the step timer; undefined leaves it. */
  stepTimeoutInMinutes?: number;
}

/** So that a download that reports every few blocks cannot fill the memory. */
export const HISTORY_LIMIT = 200;
/** Retry configuration: total for all failure types. */
export const RETRIES_LIMIT = NUMBERS.numberOfRetries.max;

export function isTerminal(status: ExecutionStatus): boolean {
  return status !== "QUEUED" && status !== "IN_PROGRESS";
}

/** @throws ServiceError InvalidRequest when a text breaks AWS's rules */
export function checkString(value: unknown, limit: StringLimit): asserts value is string {
  const problem = stringProblem(value, limit);
  if (problem) throw new ServiceError("InvalidRequest", problem);
}

/** @throws ServiceError InvalidRequest when a number breaks AWS's rules */
export function checkNumber(value: unknown, limit: NumberLimit): asserts value is number {
  const problem = numberProblem(value, limit);
  if (problem) throw new ServiceError("InvalidRequest", problem);
}

/** @throws ServiceError InvalidRequest */
export function checkThingName(name: unknown): asserts name is string {
  checkString(name, STRINGS.thingName);
}

/**
 * The job as it is first stored.
 * @throws ServiceError InvalidRequest naming what is wrong
 */
export function newJob(options: JobOptions, now: number): Job {
  const { jobId, document, targets, timeoutInMinutes } = options;
  checkString(jobId, STRINGS.jobId);
  if (typeof document !== "object" || document === null || Array.isArray(document))
    throw new ServiceError("InvalidRequest", "The job document must be a JSON object.");
  checkString(JSON.stringify(document), STRINGS.jobDocument);
  const { targetSelection, groups, rollout, abort, schedule } = options;
  if (targetSelection !== undefined && targetSelection !== "SNAPSHOT" && targetSelection !== "CONTINUOUS")
    throw new ServiceError("InvalidRequest", "targetSelection must be SNAPSHOT or CONTINUOUS.");
  if (options.description) checkString(options.description, STRINGS.description);
  for (const group of groups ?? []) checkString(group, STRINGS.thingGroupName);
  if (!Array.isArray(targets) || (targets.length === 0 && !(groups && targetSelection === "CONTINUOUS")))
    throw new ServiceError("InvalidRequest", "A job needs at least one target.");
  targets.forEach(checkThingName);
  if (timeoutInMinutes !== undefined) checkMinutes(timeoutInMinutes, "timeoutInMinutes");
  const retries = { failed: options.retries?.failed ?? 0, timedOut: options.retries?.timedOut ?? 0 };
  for (const count of [retries.failed, retries.timedOut, retries.failed + retries.timedOut])
    if (!Number.isInteger(count) || count < 0 || count > RETRIES_LIMIT)
      throw new ServiceError(
        "InvalidRequest",
        `Retries are whole numbers, ${RETRIES_LIMIT} together at most.`,
      );
  return {
    jobId,
    document,
    targets: [...new Set(targets)],
    status: (schedule?.startTime ?? now) > now ? "SCHEDULED" : "IN_PROGRESS",
    createdAt: now,
    lastUpdatedAt: now,
    timeoutInMinutes,
    retries,
    ...(options.digest && { digest: options.digest }),
    ...(options.image && { image: options.image }),
    ...(options.description && { description: options.description }),
    ...(targetSelection && { targetSelection }),
    ...(groups && { groups }),
    ...(rollout && { rollout: checkRollout(rollout) }),
    ...(abort && { abort: checkAbort(abort) }),
    ...(schedule && { schedule: checkSchedule(schedule, now) }),
  };
}

/** @throws ServiceError InvalidRequest unless `minutes` is a whole number from 1 to seven days */
export function checkMinutes(minutes: unknown, name: string): asserts minutes is number {
  checkNumber(minutes, { ...NUMBERS.timeoutInMinutes, name });
}

/** @throws ServiceError InvalidRequest naming the pair that breaks a rule */
export function checkStatusDetails(details: unknown): StatusDetails {
  if (typeof details !== "object" || details === null || Array.isArray(details))
    throw new ServiceError("InvalidRequest", "statusDetails must be an object.");
  const entries = Object.entries(details);
  if (entries.length > COUNTS.statusDetails)
    throw new ServiceError("InvalidRequest", `statusDetails holds more than ${COUNTS.statusDetails} pairs.`);
  for (const [key, value] of entries) {
    checkString(key, STRINGS.detailsKey);
    checkString(value, { ...STRINGS.detailsValue, name: `statusDetails value of "${key}"` });
  }
  return Object.fromEntries(entries);
}
