/**
 * How a job reaches its targets: at a rate, in stages, and when it stops by itself. Names and meanings are those of
 * AWS IoT Jobs (JobExecutionsRolloutConfig, AbortConfig); stages and pauses are this service's own. Pure logic.
 * @module
 */
import { NUMBERS, type NumberLimit, numberProblem } from "./aws-limits.js";
import { ServiceError } from "./errors.js";
import type { ExecutionStatus } from "./job-records.js";

export interface ExponentialRate {
  readonly baseRatePerMinute: number;
  readonly incrementFactor: number;
  /** One of the two. */
  readonly rateIncreaseCriteria: {
    readonly numberOfNotifiedThings?: number;
    readonly numberOfSucceededThings?: number;
  };
}

/** Part of the targets: so many percent, or so many things. */
export type Stage = { readonly percent: number } | { readonly count: number };

export interface RolloutConfig {
  readonly maximumPerMinute?: number;
  readonly exponentialRate?: ExponentialRate;
  /** The first things, then more; behind the last stage come all that are left. */
  readonly stages?: readonly Stage[];
  /** Percent of a stage that have to succeed before the next begins; default 100. */
  readonly stageSuccessPercentage?: number;
}

export interface AbortCriteria {
  readonly failureType: "FAILED" | "REJECTED" | "TIMED_OUT" | "ALL";
  readonly action: "CANCEL";
  readonly thresholdPercentage: number;
  readonly minNumberOfExecutedThings: number;
}

/** Where a job's things are; of each the latest attempt counts. */
export interface RolloutFacts {
  readonly targets: number;
  /** Things the job was offered to. */
  readonly notified: number;
  readonly counts: Readonly<Partial<Record<ExecutionStatus, number>>>;
  /** When the latest thing was notified; −Infinity before the first. */
  readonly lastNotifiedAt: number;
  /** Things that count as succeeded where stages ask for that. */
  readonly forgiven?: number;
}

export interface RolloutDecision {
  /** Things to offer the job to now. */
  readonly release: number;
  /** When to look again, if nothing happens before; undefined: when something happens. */
  readonly at?: number;
  /** Why the rollout has to wait for a person. */
  readonly pause?: string;
}

const MINUTE = 60_000;
/** Stages, criteria or windows of a job. */
const LIST_LIMIT = 100;
const FAILURES: readonly string[] = Object.freeze(["FAILED", "REJECTED", "TIMED_OUT"]);
const FAILURE_TYPES: readonly string[] = Object.freeze([...FAILURES, "ALL"]);

/** @throws ServiceError InvalidRequest */
export function checkRollout(config: RolloutConfig): RolloutConfig {
  const { maximumPerMinute, exponentialRate, stages = [], stageSuccessPercentage } = plain(config, "rollout");
  if (maximumPerMinute !== undefined) check(maximumPerMinute, NUMBERS.maximumPerMinute);
  if (exponentialRate) {
    const {
      baseRatePerMinute,
      incrementFactor,
      rateIncreaseCriteria: criteria,
    } = plain(exponentialRate, "rate");
    check(baseRatePerMinute, NUMBERS.baseRatePerMinute);
    check(incrementFactor, NUMBERS.incrementFactor);
    const { numberOfNotifiedThings: notified, numberOfSucceededThings: succeeded } = plain(
      criteria,
      "criteria",
    );
    if ((notified === undefined) === (succeeded === undefined))
      throw bad("The rate increases with numberOfNotifiedThings or with numberOfSucceededThings.");
    check(notified ?? succeeded, NUMBERS.rateIncreaseThings);
  }
  for (const stage of list(stages, "stages").map((one) => plain(one, "stage")))
    if ("count" in stage) check(stage.count, { ...NUMBERS.rateIncreaseThings, name: "count of a stage" });
    else check(stage.percent, { ...PERCENT, min: 0.01, name: "percent of a stage" });
  if (stageSuccessPercentage !== undefined)
    check(stageSuccessPercentage, { ...PERCENT, name: "stageSuccessPercentage" });
  return config;
}

/** @throws ServiceError InvalidRequest */
export function checkAbort(criteria: readonly AbortCriteria[]): readonly AbortCriteria[] {
  for (const criterion of list(criteria, "abort")) {
    const { failureType, action, thresholdPercentage, minNumberOfExecutedThings } = plain(criterion, "abort");
    if (!FAILURE_TYPES.includes(failureType))
      throw bad(`failureType must be one of ${FAILURE_TYPES.join(", ")}.`);
    if (action !== "CANCEL") throw bad("The action must be CANCEL.");
    check(thresholdPercentage, NUMBERS.thresholdPercentage);
    check(minNumberOfExecutedThings, NUMBERS.minNumberOfExecutedThings);
  }
  return criteria;
}

const PERCENT: NumberLimit = NUMBERS.thresholdPercentage;

/** How many things get the job now. */
export function decide(config: RolloutConfig | undefined, facts: RolloutFacts, now: number): RolloutDecision {
  const { targets, notified } = facts;
  const staged = stageEnd(config, facts);
  if (staged.pause !== undefined) return { release: 0, pause: staged.pause };
  const room = Math.min(targets, staged.end) - notified;
  if (room <= 0) return { release: 0 };
  const rate = ratePerMinute(config, facts);
  if (rate === undefined) return { release: room };
  const interval = MINUTE / rate;
  const due = facts.lastNotifiedAt + interval;
  if (now < due) return { release: 0, at: due };
  const release = Math.min(
    room,
    Math.max(1, facts.lastNotifiedAt === -Infinity ? 1 : Math.floor((now - facts.lastNotifiedAt) / interval)),
    Math.ceil(rate),
  );
  return { release, at: release < room ? now + interval : undefined };
}

/** The criterion that stops a job. */
export function abortedBy(
  list: readonly AbortCriteria[] | undefined,
  facts: RolloutFacts,
): AbortCriteria | undefined {
  const count = (status: string) => facts.counts[status as ExecutionStatus] ?? 0;
  const failures = (type: string) =>
    (type === "ALL" ? FAILURES : [type]).reduce((sum, status) => sum + count(status), 0);
  const executed = executedThings(facts);
  return list?.find(
    ({ failureType, thresholdPercentage, minNumberOfExecutedThings }) =>
      executed >= minNumberOfExecutedThings &&
      failures(failureType) > 0 &&
      (failures(failureType) * 100) / executed >= thresholdPercentage,
  );
}

/** The stage a rollout is in, from 1, and how many there are; the last one has all that are left. */
export function stageOf(
  config: RolloutConfig | undefined,
  facts: RolloutFacts,
): { stage: number; stages: number } {
  const ends = stageEnds(config, facts.targets);
  const index = ends.findIndex((end) => facts.notified <= end);
  return { stage: index < 0 ? ends.length : index + 1, stages: ends.length };
}

function stageEnd(config: RolloutConfig | undefined, facts: RolloutFacts): { end: number; pause?: string } {
  const needed = config?.stageSuccessPercentage ?? 100;
  const succeeded = facts.counts.SUCCEEDED ?? 0;
  for (const end of stageEnds(config, facts.targets)) {
    if (facts.notified < end) return { end };
    if (end >= facts.targets) return { end };
    if (facts.notified > end) continue;
    const isGood = (succeeded + (facts.forgiven ?? 0)) * 100 >= needed * end;
    if (isGood) continue;
    const isOver = executedThings(facts) + (facts.counts.CANCELED ?? 0) + (facts.counts.REMOVED ?? 0) >= end;
    if (!isOver) return { end };
    return {
      end,
      pause: `${succeeded} of ${end} devices succeeded in the stages so far, ${needed} % are needed`,
    };
  }
  return { end: facts.targets };
}

function stageEnds(config: RolloutConfig | undefined, targets: number): number[] {
  const ends: number[] = [];
  let end = 0;
  for (const stage of config?.stages ?? []) {
    const size = "count" in stage ? stage.count : Math.max(1, Math.ceil((stage.percent * targets) / 100));
    // Percents are of all targets and add up: 5, 25 and 100 end at 5, 25 and 100 percent.
    end = "count" in stage ? end + size : Math.max(end, size);
    if (end >= targets) break;
    ends.push(end);
  }
  return [...ends, targets];
}

function executedThings({ counts }: RolloutFacts): number {
  return (counts.SUCCEEDED ?? 0) + (counts.FAILED ?? 0) + (counts.REJECTED ?? 0) + (counts.TIMED_OUT ?? 0);
}

function ratePerMinute(config: RolloutConfig | undefined, facts: RolloutFacts): number | undefined {
  const { maximumPerMinute, exponentialRate } = config ?? {};
  if (!exponentialRate) return maximumPerMinute;
  const { baseRatePerMinute, incrementFactor, rateIncreaseCriteria } = exponentialRate;
  const { numberOfNotifiedThings, numberOfSucceededThings } = rateIncreaseCriteria;
  const steps =
    numberOfNotifiedThings !== undefined
      ? Math.floor(facts.notified / numberOfNotifiedThings)
      : Math.floor((facts.counts.SUCCEEDED ?? 0) / numberOfSucceededThings!);
  const most = maximumPerMinute ?? NUMBERS.maximumPerMinute.max;
  return Math.min(most, baseRatePerMinute * incrementFactor ** steps);
}

function check(value: unknown, limit: NumberLimit): void {
  const problem = numberProblem(value, limit);
  if (problem) throw bad(problem);
}

/** What comes from outside may be of any type. */
export function plain<T extends object>(value: T, name: string): T {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw bad(`${name} must be an object.`);
  return value;
}

export function list<T>(value: readonly T[], name: string): readonly T[] {
  if (!Array.isArray(value) || value.length > LIST_LIMIT)
    throw bad(`${name} must be a list of at most ${LIST_LIMIT}.`);
  return value;
}

function bad(message: string): ServiceError {
  return new ServiceError("InvalidRequest", message);
}
