/**
 * AWS IoT Jobs for the things of one account: jobs, their executions, time-outs, retries and notifications.
 * Pure logic: time comes from a clock, messages leave through a callback, requests arrive as topic and bytes.
 *
 * Where the reference leaves a choice
 * - REJECTED is accepted for a queued execution only; `rejectInProgress` allows it once started.
 * - `statusDetails` of an update replace the stored ones; `mergeDetails` adds to them instead.
 * @module
 */

import { encodeUtf8 } from "../src/bytes.js";
import type { Clock, Timer } from "../src/ports.js";
import { Delivery, type Intercept, type Publish } from "./delivery.js";
import { ServiceError } from "./errors.js";
import {
  type Execution,
  type ExecutionChange,
  HISTORY_LIMIT,
  isTerminal,
  type Job,
  type JobOptions,
  newJob,
} from "./job-records.js";
import { handleJobRequest, type JobOperations } from "./job-requests.js";
import { describeExecution, seconds, summarizePending } from "./job-views.js";

/** Told about every change before it is answered or notified. */
export interface JobObserver {
  job?(job: Job): void;
  execution?(execution: Execution): void;
  /** A job and all its executions are gone. */
  deleted?(jobId: string, executions: readonly Execution[]): void;
}

export interface JobServiceOptions {
  clock: Clock;
  publish: Publish;
  /** Milliseconds since 1970 when `clock.now()` is 0. */
  epoch?: number;
  intercept?: Intercept;
  observer?: JobObserver;
  /** Called each time a document leaves the service; returns what is to be delivered. */
  deliverDocument?(document: Job["document"], thingName: string): unknown;
  mergeDetails?: boolean;
  rejectInProgress?: boolean;
  /** What an earlier run reported to its observer, latest state of each. */
  restore?: { jobs: Iterable<Job>; executions: Iterable<Execution> };
}

const MINUTE = 60_000;

export class JobService implements JobOperations {
  readonly delivery: Delivery;
  readonly mergeDetails: boolean;
  readonly rejectInProgress: boolean;
  readonly #clock: Clock;
  readonly #epoch: number;
  readonly #observer: JobObserver;
  readonly #deliverDocument: NonNullable<JobServiceOptions["deliverDocument"]>;
  readonly #jobs = new Map<string, Job>();
  /** Thing → job → attempts, oldest first. */
  readonly #things = new Map<string, Map<string, Execution[]>>();
  readonly #timers = new Map<string, Timer>();
  #sequence = 0;

  constructor(options: JobServiceOptions) {
    this.delivery = new Delivery(options.clock, options.publish, options.intercept);
    this.mergeDetails = options.mergeDetails ?? false;
    this.rejectInProgress = options.rejectInProgress ?? false;
    this.#clock = options.clock;
    this.#epoch = options.epoch ?? 0;
    this.#observer = options.observer ?? {};
    this.#deliverDocument = options.deliverDocument ?? ((document) => document);
    for (const job of options.restore?.jobs ?? []) this.#jobs.set(job.jobId, job);
    const executions = [...(options.restore?.executions ?? [])].sort((a, b) => a.sequence - b.sequence);
    for (const execution of executions) {
      this.#place(execution);
      this.#sequence = Math.max(this.#sequence, execution.sequence);
      this.#arm(execution);
    }
  }

  /** Milliseconds since 1970. */
  now(): number {
    return Math.floor(this.#epoch + this.#clock.now());
  }

  /** Queues an execution for every target. @throws ServiceError InvalidRequest, ResourceAlreadyExists */
  createJob(options: JobOptions): Job {
    const job = newJob(options, this.now());
    if (this.#jobs.has(job.jobId))
      throw new ServiceError("ResourceAlreadyExists", `There is a job "${job.jobId}" already.`);
    this.#keep(job);
    for (const thingName of job.targets) this.transact(thingName, () => this.#queue(job, thingName, 1));
    return job;
  }

  /**
   * Cancels the queued executions, and with `force` those in progress. An execution left in progress may still end.
   * @throws ServiceError ResourceNotFound, InvalidStateTransition when the job has ended
   */
  cancelJob(jobId: string, force = false): Job {
    const job = this.job(jobId);
    if (job.status !== "IN_PROGRESS")
      throw new ServiceError("InvalidStateTransition", `Job "${jobId}" is ${job.status}.`);
    this.#keep({ ...job, status: "CANCELED", lastUpdatedAt: this.now() });
    for (const execution of this.executions({ jobId })) {
      if (execution.status === "QUEUED" || (force && execution.status === "IN_PROGRESS"))
        this.transact(execution.thingName, () => this.change(execution, { status: "CANCELED" }));
    }
    return this.job(jobId);
  }

  /**
   * Cancels one thing's execution. @throws ServiceError ResourceNotFound; InvalidStateTransition when it has
   * ended, or is in progress and not forced
   */
  cancelExecution(thingName: string, jobId: string, force = false): Execution {
    const execution = this.execution(thingName, jobId);
    if (isTerminal(execution.status) || (execution.status === "IN_PROGRESS" && !force))
      throw new ServiceError("InvalidStateTransition", `The execution is ${execution.status}.`);
    return this.transact(thingName, () => this.change(execution, { status: "CANCELED" }));
  }

  /**
   * Deletes a job that has ended, or with `force` any. @throws ServiceError ResourceNotFound,
   * InvalidStateTransition when the job is in progress and not forced
   */
  deleteJob(jobId: string, force = false): void {
    const job = this.job(jobId);
    if (job.status === "IN_PROGRESS" && !force)
      throw new ServiceError("InvalidStateTransition", `Job "${jobId}" is in progress.`);
    const gone = this.executions({ jobId });
    this.#jobs.delete(jobId);
    this.#observer.deleted?.(jobId, gone);
    for (const [thingName, executions] of this.#things)
      this.transact(thingName, () => {
        for (const execution of executions.get(jobId) ?? []) this.#disarm(execution);
        executions.delete(jobId);
      });
  }

  jobs(): Job[] {
    return [...this.#jobs.values()];
  }

  /** @throws ServiceError ResourceNotFound */
  job(jobId: string): Job {
    const job = this.#jobs.get(jobId);
    if (!job) throw new ServiceError("ResourceNotFound", `There is no job "${jobId}".`);
    return job;
  }

  /** The latest attempt, or the one asked for. @throws ServiceError ResourceNotFound */
  execution(thingName: string, jobId: string, executionNumber?: number): Execution {
    const attempts = this.#things.get(thingName)?.get(jobId) ?? [];
    const execution =
      executionNumber === undefined
        ? attempts.at(-1)
        : attempts.find((attempt) => attempt.executionNumber === executionNumber);
    if (!execution)
      throw new ServiceError("ResourceNotFound", `Thing "${thingName}" has no such execution of "${jobId}".`);
    return execution;
  }

  /** Every attempt, in the order queued. */
  executions(filter: { jobId?: string; thingName?: string } = {}): Execution[] {
    const found: Execution[] = [];
    for (const [thingName, executions] of this.#things) {
      if (filter.thingName !== undefined && filter.thingName !== thingName) continue;
      for (const [jobId, attempts] of executions)
        if (filter.jobId === undefined || filter.jobId === jobId) found.push(...attempts);
    }
    return found.sort((a, b) => a.sequence - b.sequence);
  }

  /** Executions that have not ended: those in progress first, then by the time they were queued. */
  pending(thingName: string): Execution[] {
    const open: Execution[] = [];
    for (const attempts of this.#things.get(thingName)?.values() ?? [])
      for (const attempt of attempts) if (!isTerminal(attempt.status)) open.push(attempt);
    const rank = (execution: Execution) => (execution.status === "IN_PROGRESS" ? 0 : 1);
    return open.sort((a, b) => rank(a) - rank(b) || a.queuedAt - b.queuedAt || a.sequence - b.sequence);
  }

  /** The document of an execution's job as it is to be delivered now. */
  document(execution: Execution): unknown {
    return this.#deliverDocument(this.job(execution.jobId).document, execution.thingName);
  }

  /**
   * A message that arrived at the service.
   * @param reply where answers go; default: the service's `publish`
   * @returns false when the topic belongs to none of a thing's Jobs requests
   */
  handle(topic: string, payload: Uint8Array, reply?: Publish): boolean {
    return handleJobRequest(this, topic, payload, reply);
  }

  /** Runs `action` and then publishes the notifications its changes call for. */
  transact<T>(thingName: string, action: () => T): T {
    const before = this.pending(thingName);
    try {
      return action();
    } finally {
      this.#notify(thingName, before);
    }
  }

  /** Applies a change, counts the version, and queues the retry that a failure may call for. */
  change(execution: Execution, change: ExecutionChange): Execution {
    const now = this.now();
    const { status } = change;
    const job = this.job(execution.jobId);
    const starts = status === "IN_PROGRESS" && execution.startedAt === undefined;
    const details = change.statusDetails ?? {};
    const statusDetails =
      change.statusDetails && !this.mergeDetails ? details : { ...execution.statusDetails, ...details };
    const step = change.stepTimeoutInMinutes;
    const ended = isTerminal(status);
    const inProgressDeadline =
      starts && job.timeoutInMinutes ? now + job.timeoutInMinutes * MINUTE : execution.inProgressDeadline;
    const stepDeadline =
      step === undefined ? execution.stepDeadline : step < 0 ? undefined : now + step * MINUTE;
    const versionNumber = execution.versionNumber + 1;
    const changed: Execution = {
      ...execution,
      status,
      statusDetails,
      versionNumber,
      startedAt: starts ? now : execution.startedAt,
      lastUpdatedAt: now,
      inProgressDeadline: ended ? undefined : inProgressDeadline,
      stepDeadline: ended ? undefined : stepDeadline,
      history: [...execution.history, { at: now, status, statusDetails, versionNumber }].slice(
        -HISTORY_LIMIT,
      ),
    };
    this.#put(changed);
    if (ended) this.#afterEnd(job, changed);
    return changed;
  }

  #afterEnd(job: Job, { status, thingName, executionNumber }: Execution): void {
    const { failed, timedOut } = job.retries;
    const allowed = status === "FAILED" ? failed : status === "TIMED_OUT" ? timedOut : 0;
    const attempts = this.#things.get(thingName)!.get(job.jobId)!;
    const used = attempts.filter((attempt) => attempt.status === status).length - 1;
    if (job.status === "IN_PROGRESS" && used < allowed) {
      this.#queue(job, thingName, executionNumber + 1);
      return;
    }
    if (
      job.status === "IN_PROGRESS" &&
      this.executions({ jobId: job.jobId }).every((e) => isTerminal(e.status))
    )
      this.#keep({ ...job, status: "COMPLETED", lastUpdatedAt: this.now() });
  }

  #queue(job: Job, thingName: string, executionNumber: number): void {
    const now = this.now();
    const first = { status: "QUEUED", statusDetails: {}, versionNumber: 1 } as const;
    this.#put({
      jobId: job.jobId,
      thingName,
      executionNumber,
      ...first,
      queuedAt: now,
      sequence: ++this.#sequence,
      lastUpdatedAt: now,
      history: [{ at: now, ...first }],
    });
  }

  #keep(job: Job): void {
    this.#jobs.set(job.jobId, job);
    this.#observer.job?.(job);
  }

  #put(execution: Execution): void {
    this.#place(execution);
    this.#arm(execution);
    this.#observer.execution?.(execution);
  }

  #place(execution: Execution): void {
    const { thingName, jobId, executionNumber } = execution;
    let executions = this.#things.get(thingName);
    if (!executions) this.#things.set(thingName, (executions = new Map()));
    let attempts = executions.get(jobId);
    if (!attempts) executions.set(jobId, (attempts = []));
    const index = attempts.findIndex((attempt) => attempt.executionNumber === executionNumber);
    if (index < 0) attempts.push(execution);
    else attempts[index] = execution;
  }

  #arm(execution: Execution): void {
    this.#disarm(execution);
    const { thingName, jobId, executionNumber, inProgressDeadline, stepDeadline } = execution;
    const deadline = Math.min(inProgressDeadline ?? Infinity, stepDeadline ?? Infinity);
    if (deadline === Infinity) return;
    const timer = this.#clock.set(
      () => {
        const current = this.execution(thingName, jobId, executionNumber);
        this.transact(thingName, () => this.change(current, { status: "TIMED_OUT" }));
      },
      Math.max(0, deadline - this.now()),
    );
    this.#timers.set(key(execution), timer);
  }

  #disarm(execution: Execution): void {
    this.#clock.clear(this.#timers.get(key(execution)));
    this.#timers.delete(key(execution));
  }

  #notify(thingName: string, before: readonly Execution[]): void {
    const after = this.pending(thingName);
    const topic = `$aws/things/${thingName}/jobs/`;
    if (after.map(state).join() !== before.map(state).join()) {
      const body = { timestamp: seconds(this.now()), jobs: summarizePending(after) };
      this.#send("notify", thingName, `${topic}notify`, body);
    }
    const first = after.at(0);
    if ((first && key(first)) === (before[0] && key(before[0]))) return;
    const execution = first && describeExecution(first, this.now(), this.document(first));
    this.#send("notify-next", thingName, `${topic}notify-next`, {
      timestamp: seconds(this.now()),
      execution,
    });
  }

  #send(kind: "notify" | "notify-next", thingName: string, topic: string, body: unknown): void {
    this.delivery.send({ kind, thingName, topic, payload: encodeUtf8(JSON.stringify(body)), qos: 1 });
  }

  /** Stops all timers; nothing is published any more. */
  close(): void {
    for (const timer of this.#timers.values()) this.#clock.clear(timer);
    this.#timers.clear();
    this.delivery.close();
  }
}

function key({ thingName, jobId, executionNumber }: Execution): string {
  return `${thingName} ${jobId} ${executionNumber}`;
}

function state(execution: Execution): string {
  return `${key(execution)} ${execution.status}`;
}
