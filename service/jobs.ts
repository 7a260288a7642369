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
import { STRINGS } from "./aws-limits.js";
import { Delivery, type Intercept, type Publish } from "./delivery.js";
import { ServiceError } from "./errors.js";
import {
  checkString,
  type Execution,
  type ExecutionChange,
  type ExecutionStatus,
  HISTORY_LIMIT,
  isTerminal,
  type Job,
  type JobOptions,
  newJob,
} from "./job-records.js";
import { handleJobRequest, type JobOperations } from "./job-requests.js";
import { describeExecution, seconds, summarizePending } from "./job-views.js";
import { type AbortCriteria, abortedBy, decide, type RolloutFacts } from "./rollout.js";
import { isOpen } from "./schedule.js";

/** Told about every change before it is answered or notified. */
export interface JobObserver {
  job?(job: Job): void;
  execution?(execution: Execution): void;
  /** A job and all its executions are gone. */
  deleted?(jobId: string, executions: readonly Execution[]): void;
  /** An execution of a thing that is forgotten is gone. */
  forgotten?(execution: Execution): void;
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
/** Timers of engines count milliseconds in 31 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

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
  /** Job → thing → the same attempts. */
  readonly #attempts = new Map<string, Map<string, Execution[]>>();
  readonly #timers = new Map<string, Timer>();
  /** By job id: when its rollout is looked at again. */
  readonly #rollouts = new Map<string, Timer>();
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
    for (const { jobId, status } of this.#jobs.values())
      if (status === "IN_PROGRESS" || status === "SCHEDULED") this.#look(jobId, 0);
  }

  /** Milliseconds since 1970. */
  now(): number {
    return Math.floor(this.#epoch + this.#clock.now());
  }

  /** Offers the job to its targets, as its rollout and schedule allow. @throws ServiceError InvalidRequest, ResourceAlreadyExists */
  createJob(options: JobOptions): Job {
    const job = newJob(options, this.now());
    if (this.#jobs.has(job.jobId))
      throw new ServiceError("ResourceAlreadyExists", `There is a job "${job.jobId}" already.`);
    this.#keep(job);
    this.#roll(job.jobId);
    return this.job(job.jobId);
  }

  /** Offers the job to no further thing. @throws ServiceError ResourceNotFound, InvalidStateTransition */
  pauseJob(jobId: string, reason = "paused by an operator"): Job {
    const job = this.#open(jobId);
    checkString(reason, { ...STRINGS.comment, name: "reason" });
    this.#keep({ ...job, paused: reason, lastUpdatedAt: this.now() });
    return this.job(jobId);
  }

  /**
   * Goes on with a rollout that was paused, from the next stage also where the last one did not succeed.
   * @throws ServiceError ResourceNotFound, InvalidStateTransition
   */
  resumeJob(jobId: string): Job {
    const job = this.#open(jobId);
    if (job.paused === undefined)
      throw new ServiceError("InvalidStateTransition", `Job "${jobId}" is not paused.`);
    const { paused: _, ...rest } = job;
    const facts = this.facts(job);
    // What a person lets pass is not held against the stages that follow.
    const isHeld = decide(job.rollout, facts, this.now()).pause !== undefined;
    const forgiven = isHeld ? facts.notified - (facts.counts.SUCCEEDED ?? 0) : job.forgiven;
    this.#keep({ ...rest, ...(forgiven && { forgiven }), lastUpdatedAt: this.now() });
    this.#roll(jobId);
    return this.job(jobId);
  }

  /** A thing has joined groups: continuous jobs of these are for it, too. */
  joined(thingName: string, groups: readonly string[]): void {
    for (const job of this.#jobs.values()) {
      const isMeant =
        job.targetSelection === "CONTINUOUS" &&
        (job.status === "IN_PROGRESS" || job.status === "SCHEDULED") &&
        !job.targets.includes(thingName) &&
        job.groups?.some((group) => groups.includes(group));
      if (!isMeant) continue;
      this.#keep({ ...job, targets: [...job.targets, thingName], lastUpdatedAt: this.now() });
      this.#roll(job.jobId);
    }
  }

  /** Where a job's things are. */
  facts(job: Job): RolloutFacts {
    const counts: Partial<Record<ExecutionStatus, number>> = {};
    let lastNotifiedAt = -Infinity;
    const things = this.#attempts.get(job.jobId);
    for (const attempts of things?.values() ?? []) {
      const { status } = attempts[attempts.length - 1];
      counts[status] = (counts[status] ?? 0) + 1;
      lastNotifiedAt = Math.max(lastNotifiedAt, attempts[0].queuedAt);
    }
    const notified = things?.size ?? 0;
    return { targets: job.targets.length, notified, counts, lastNotifiedAt, forgiven: job.forgiven };
  }

  /**
   * Cancels the queued executions, and with `force` those in progress. An execution left in progress may still end.
   * @throws ServiceError ResourceNotFound, InvalidStateTransition when the job has ended
   */
  cancelJob(jobId: string, force = false, why: { reasonCode?: string; comment?: string } = {}): Job {
    const { paused: _, ...job } = this.#open(jobId);
    if (why.reasonCode !== undefined) checkString(why.reasonCode, STRINGS.reasonCode);
    if (why.comment !== undefined) checkString(why.comment, STRINGS.comment);
    this.#keep({ ...job, ...why, status: "CANCELED", lastUpdatedAt: this.now() });
    this.#forgetRollout(jobId);
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
    if ((job.status === "IN_PROGRESS" || job.status === "SCHEDULED") && !force)
      throw new ServiceError("InvalidStateTransition", `Job "${jobId}" is in progress.`);
    const gone = this.executions({ jobId });
    this.#forgetRollout(jobId);
    this.#jobs.delete(jobId);
    this.#observer.deleted?.(jobId, gone);
    for (const thingName of this.#attempts.get(jobId)?.keys() ?? [])
      this.transact(thingName, () => {
        const executions = this.#things.get(thingName);
        for (const execution of executions?.get(jobId) ?? []) this.#disarm(execution);
        executions?.delete(jobId);
      });
    this.#attempts.delete(jobId);
  }

  /** Forgets a thing: its executions are gone, and no job is for it any more. */
  forgetThing(thingName: string): void {
    for (const attempts of this.#things.get(thingName)?.values() ?? []) {
      for (const execution of attempts) {
        this.#disarm(execution);
        this.#observer.forgotten?.(execution);
      }
      this.#attempts.get(attempts[0].jobId)?.delete(thingName);
    }
    this.#things.delete(thingName);
    for (const job of this.#jobs.values()) {
      if (!job.targets.includes(thingName)) continue;
      this.#keep({ ...job, targets: job.targets.filter((name) => name !== thingName) });
      if (job.status === "IN_PROGRESS") this.#roll(job.jobId);
    }
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
    const { jobId, thingName } = filter;
    let found: Execution[];
    if (jobId !== undefined && thingName !== undefined)
      found = [...(this.#things.get(thingName)?.get(jobId) ?? [])];
    else if (jobId !== undefined) found = [...(this.#attempts.get(jobId)?.values() ?? [])].flat();
    else if (thingName !== undefined) found = [...(this.#things.get(thingName)?.values() ?? [])].flat();
    else found = [...this.#attempts.values()].flatMap((things) => [...things.values()].flat());
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
    const now = this.#jobs.get(job.jobId)?.status;
    if (now === "IN_PROGRESS" && used < allowed) {
      this.#queue(job, thingName, executionNumber + 1);
      return;
    }
    this.#roll(job.jobId);
  }

  /** Takes a rollout as far as it may go now: the next things, the end of the job, or its stop by a threshold. */
  #roll(jobId: string): void {
    let job = this.#jobs.get(jobId);
    this.#forgetRollout(jobId);
    if (!job || job.status === "CANCELED" || job.status === "COMPLETED") return;
    const now = this.now();
    const { endTime, endBehavior = "STOP_ROLLOUT" } = job.schedule ?? {};
    if (endTime !== undefined && now >= endTime && endBehavior !== "STOP_ROLLOUT") {
      this.cancelJob(jobId, endBehavior === "FORCE_CANCEL", { reasonCode: "END_TIME_REACHED" });
      return;
    }
    const facts = this.facts(job);
    const criterion = abortedBy(job.abort, facts);
    if (criterion) {
      this.cancelJob(jobId, false, {
        reasonCode: "ABORT_THRESHOLD_REACHED",
        comment: abortText(criterion, facts),
      });
      return;
    }
    const { open, until } = isOpen(job.schedule, now);
    const isPast = endTime !== undefined && now >= endTime;
    if (open && job.status === "SCHEDULED")
      this.#keep((job = { ...job, status: "IN_PROGRESS", lastUpdatedAt: now }));
    const isDone =
      (facts.notified >= facts.targets || isPast) && !(facts.counts.QUEUED || facts.counts.IN_PROGRESS);
    if (isDone && (job.targetSelection !== "CONTINUOUS" || isPast)) {
      this.#keep({ ...job, status: "COMPLETED", lastUpdatedAt: now });
      return;
    }
    if (open && job.paused === undefined) {
      const { release, at, pause } = decide(job.rollout, facts, now);
      if (pause !== undefined) this.#keep({ ...job, paused: pause, lastUpdatedAt: now });
      else if (release > 0) this.#release(job, release);
      // What is released may have ended or changed the job at once.
      if (at !== undefined && this.#jobs.get(jobId)?.status === "IN_PROGRESS") this.#look(jobId, at - now);
    }
    if (!this.#rollouts.has(jobId) && until !== Infinity) this.#look(jobId, until - now);
  }

  #release(job: Job, count: number): void {
    const known = this.#attempts.get(job.jobId);
    let left = count;
    for (const thingName of job.targets) {
      if (left === 0) return;
      if (known?.has(thingName)) continue;
      left--;
      this.transact(thingName, () => this.#queue(job, thingName, 1));
    }
  }

  #look(jobId: string, ms: number): void {
    const wait = Math.min(Math.max(0, ms), LONGEST_TIMER_MS);
    this.#rollouts.set(
      jobId,
      this.#clock.set(() => {
        this.#rollouts.delete(jobId);
        this.#roll(jobId);
      }, wait),
    );
  }

  #forgetRollout(jobId: string): void {
    this.#clock.clear(this.#rollouts.get(jobId));
    this.#rollouts.delete(jobId);
  }

  /** @throws ServiceError ResourceNotFound, InvalidStateTransition when the job has ended */
  #open(jobId: string): Job {
    const job = this.job(jobId);
    if (job.status !== "IN_PROGRESS" && job.status !== "SCHEDULED")
      throw new ServiceError("InvalidStateTransition", `Job "${jobId}" is ${job.status}.`);
    return job;
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
    let things = this.#attempts.get(jobId);
    if (!things) this.#attempts.set(jobId, (things = new Map()));
    things.set(thingName, attempts);
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
    for (const jobId of [...this.#rollouts.keys()]) this.#forgetRollout(jobId);
    this.delivery.close();
  }
}

function abortText({ failureType, thresholdPercentage }: AbortCriteria, { counts }: RolloutFacts): string {
  const list = (["SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT"] as const).filter((status) => counts[status]);
  const where = list.map((status) => `${counts[status]} ${status}`).join(", ");
  return `${thresholdPercentage} % ${failureType === "ALL" ? "failures" : failureType} reached: ${where}`;
}

function key({ thingName, jobId, executionNumber }: Execution): string {
  return `${thingName} ${jobId} ${executionNumber}`;
}

function state(execution: Execution): string {
  return `${key(execution)} ${execution.status}`;
}
