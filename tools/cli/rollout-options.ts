/**
 * Options that say how a job reaches its devices, in the words of AWS IoT Jobs: shared by `deploy` and `aws deploy`.
 * @module
 */
import { type Command, InvalidArgumentError } from "commander";
import { NUMBERS, numberProblem } from "../../service/aws-limits.js";
import type { Retries } from "../../service/job-records.js";
import {
  type AbortCriteria,
  checkAbort,
  checkRollout,
  type RolloutConfig,
  type Stage,
} from "../../service/rollout.js";
import {
  checkSchedule,
  type EndBehavior,
  type MaintenanceWindow,
  type Schedule,
} from "../../service/schedule.js";

export interface RolloutOptions {
  readonly rollout?: RolloutConfig;
  readonly abort?: readonly AbortCriteria[];
  readonly retries?: Retries;
  readonly jobTimeout?: number;
  readonly startAt?: number;
  readonly endAt?: number;
  readonly endBehavior?: EndBehavior;
  readonly window?: readonly MaintenanceWindow[];
  readonly continuous: boolean;
}

/** `50`, `10x1.5/50`, `10x1.5/50ok`, each with `..500` behind it. */
const RATE = /^(\d+)(?:x(\d+(?:\.\d+)?)\/(\d+)(ok)?)?(?:\.\.(\d+))?$/;
const ABORT = /^(?:(FAILED|REJECTED|TIMED_OUT|ALL):)?(\d+(?:\.\d+)?)%\/(\d+)$/i;
const WINDOW = /^(cron\([^)]*\))\/(\d+)$/;

export function addRolloutOptions(command: Command): Command {
  return command
    .option("--rollout <rate>", "devices a minute: 50, or faster and faster: 10x1.5/50 (see below)", rate)
    .option("--abort <criterion>", "stop by itself: 10%/20 (see below); may be given several times", abort)
    .option("--retries <count>", "offer it again to devices that failed: 3, or FAILED:3,TIMED_OUT:2", retries)
    .option("--job-timeout <minutes>", "end a device's execution after so long", minutes)
    .option("--start-at <time>", "begin then, as 2026-11-28T02:00Z", time)
    .option("--end-at <time>", "offer it to nobody after that", time)
    .option("--end-behavior <what>", "STOP_ROLLOUT, CANCEL or FORCE_CANCEL at the end", endBehavior)
    .option("--window <window>", "offer it then alone: cron(0 2 ? * MON-FRI *)/120, UTC and minutes", window)
    .option("--continuous", "also for devices that join its groups later", false);
}

export const ROLLOUT_HELP = `
Rollout: "50" is 50 devices a minute. "10x1.5/50" begins with 10 and takes 1.5 times as many for every 50 devices
notified, with "ok" behind it for every 50 that succeeded; "..500" behind it is the most.
Abort: "10%/20" cancels the job once at least 20 devices have ended and 10 % of them failed in any way;
"FAILED:5%/10", "REJECTED:…" and "TIMED_OUT:…" count these alone.`;

/** What is said of the schedule; undefined when nothing is. */
export function scheduleOf({ startAt, endAt, endBehavior, window }: RolloutOptions): Schedule | undefined {
  if (startAt === undefined && endAt === undefined && !window) return undefined;
  const schedule = { startTime: startAt, endTime: endAt, endBehavior, maintenanceWindows: window };
  return Object.fromEntries(Object.entries(schedule).filter(([, value]) => value !== undefined));
}

/** `2,10%,50%`: so many devices at first, then percents of all. */
export function stages(text: string): Stage[] {
  return text.split(",").map((part) => {
    const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(part.trim());
    if (!match) throw new InvalidArgumentError("It must be stages such as 5,10%,50%.");
    const stage = match[2] ? { percent: Number(match[1]) } : { count: Number(match[1]) };
    return checked(() => checkRollout({ stages: [stage] }).stages![0]);
  });
}

function rate(text: string): RolloutConfig {
  const match = RATE.exec(text);
  if (!match) throw new InvalidArgumentError("It must be a rate such as 50 or 10x1.5/50.");
  const [, base, factor, step, ok, most] = match;
  const maximumPerMinute = most === undefined ? undefined : Number(most);
  if (factor === undefined) return checked(() => checkRollout({ maximumPerMinute: Number(base) }));
  return checked(() =>
    checkRollout({
      ...(maximumPerMinute && { maximumPerMinute }),
      exponentialRate: {
        baseRatePerMinute: Number(base),
        incrementFactor: Number(factor),
        rateIncreaseCriteria: ok
          ? { numberOfSucceededThings: Number(step) }
          : { numberOfNotifiedThings: Number(step) },
      },
    }),
  );
}

function abort(text: string, before: readonly AbortCriteria[] = []): AbortCriteria[] {
  const match = ABORT.exec(text);
  if (!match) throw new InvalidArgumentError("It must be a criterion such as 10%/20 or FAILED:5%/10.");
  const [, type = "ALL", percent, least] = match;
  const criterion: AbortCriteria = {
    failureType: type.toUpperCase() as AbortCriteria["failureType"],
    action: "CANCEL",
    thresholdPercentage: Number(percent),
    minNumberOfExecutedThings: Number(least),
  };
  return [...before, ...checked(() => checkAbort([criterion]))];
}

function retries(text: string): Retries {
  const counts = { failed: 0, timedOut: 0 };
  for (const part of text.split(",")) {
    const match = /^(?:(FAILED|TIMED_OUT|ALL):)?(\d{1,3})$/i.exec(part.trim());
    if (!match) throw new InvalidArgumentError("It must be a number such as 3, or FAILED:3,TIMED_OUT:2.");
    const [, type = "FAILED", number] = match;
    if (type.toUpperCase() !== "TIMED_OUT") counts.failed = Number(number);
    if (type.toUpperCase() !== "FAILED") counts.timedOut = Number(number);
  }
  if (counts.failed + counts.timedOut > NUMBERS.numberOfRetries.max)
    throw new InvalidArgumentError(`It must be a whole number from 0 to ${NUMBERS.numberOfRetries.max}.`);
  return counts;
}

function minutes(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  const problem = numberProblem(value, { ...NUMBERS.timeoutInMinutes, name: "It" });
  if (problem) throw new InvalidArgumentError(problem);
  return value;
}

function time(text: string): number {
  const value = Date.parse(text);
  if (Number.isNaN(value)) throw new InvalidArgumentError("It must be a time such as 2026-11-28T02:00Z.");
  return value;
}

function endBehavior(text: string): EndBehavior {
  const value = text.toUpperCase() as EndBehavior;
  return checked(() => checkSchedule({ endBehavior: value }, 0).endBehavior!);
}

function window(text: string, before: readonly MaintenanceWindow[] = []): MaintenanceWindow[] {
  const match = WINDOW.exec(text);
  if (!match) throw new InvalidArgumentError("It must be a window such as cron(0 2 ? * MON-FRI *)/120.");
  const made = { startTime: match[1], durationInMinutes: Number(match[2]) };
  checked(() => checkSchedule({ maintenanceWindows: [made] }, 0));
  return [...before, made];
}

function checked<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
