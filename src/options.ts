/**
 * The options of the agent: their types, defaults and limits, checked once at construction.
 * @module
 */

import type { ControlPlaneFactory } from "./control/control-plane.js";
import type { OtaJob } from "./control/job-document.js";
import type { JobStatus, StatusDetails, UpdateResult } from "./control/job-status.js";
import { Jobs } from "./control/jobs.js";
import type { OtaError } from "./errors.js";
import type { AppDescription, Clock, Log, LogLevel, MqttConnection, Random, Store } from "./ports.js";
import type { OtaPal } from "./slot/pal.js";
import type { OtaState } from "./state-machine.js";
import type { DataPlane } from "./transfer/data-plane.js";
import type { TransferLog } from "./transfer/download.js";

/** A job that is not an OTA job. It stays untouched until the application claims it. */
export interface CustomJob {
  readonly jobId: string;
  readonly executionNumber: number | undefined;
  /**
   * `execution.jobDocument`: JSON, as it was sent, for `JSON.parse`. XS keeps the names of members that were parsed for
   * as long as it runs.
   */
  readonly document: string;
  /**
   * Reports its status; repeated until the service answers. Only for a claimed job. "refused" at once while 8 others wait for their
   * answer, or 16 when it ends the job.
   */
  update(status: JobStatus, details: StatusDetails, done?: (result: UpdateResult) => void): void;
}

/** What the application answers to an offered update. */
export type UpdateDecision =
  | "apply"
  | { readonly defer: number; readonly reason?: string }
  | { readonly refuse: string };

/** What the agent tells. In brackets: the event of the FreeRTOS OTA library. */
export type OtaEvent =
  /** [ReceivedJob] An OTA job was accepted; the transfer starts. */
  | { readonly type: "received-job"; readonly job: OtaJob }
  /** The first block was judged: this is the image that is coming. */
  | { readonly type: "image"; readonly app: AppDescription }
  | {
      readonly type: "progress";
      /** Blocks here, and of the whole file. */
      readonly received: number;
      readonly total: number;
      /** Bytes here, what an earlier life left included. */
      readonly bytes: number;
    }
  /** A delta or a compressed image is complete, and turned into the image: bytes of that which are done, and all. */
  | { readonly type: "applying"; readonly bytes: number; readonly total: number }
  /** [Activate] Complete and verified, and the service knows: call `activateNewImage`. */
  | { readonly type: "activate"; readonly job: OtaJob }
  /** [StartTest] The new image runs on trial: test it, then `setImageState("accepted" | "rejected")`. */
  | { readonly type: "start-test"; readonly job: OtaJob }
  /** [SelfTestFailed] The image on trial is given up; the device restarts into the old one. */
  | { readonly type: "self-test-failed"; readonly error: OtaError }
  /** [Fail] The job ended without an update. */
  | { readonly type: "fail"; readonly job: OtaJob | undefined; readonly error: OtaError }
  /** [UpdateComplete] The job ended well. */
  | { readonly type: "update-complete"; readonly job: OtaJob }
  /** [NoActiveJob] */
  | { readonly type: "no-active-job" }
  /** A status the agent has reported, and how the service took it. */
  | {
      readonly type: "status";
      readonly jobId: string;
      readonly status: JobStatus;
      readonly details: StatusDetails;
      readonly result: UpdateResult;
    }
  /** Something the product's maker should know: no rollback, no resume, an ignored job. */
  | { readonly type: "notice"; readonly error: OtaError };

/** What a `VersionReporter` works with. */
export interface ReportParts {
  readonly mqtt: MqttConnection;
  readonly pal: Pick<OtaPal, "running" | "getPlatformImageState">;
  readonly thingName: string;
}

/** Tells the service what runs. None of its methods throws. */
export interface VersionReporter {
  /** Whenever the agent is started. */
  begin(parts: ReportParts): void;
  event(event: OtaEvent): void;
}

/** What a `FailureRecorder` may look at. */
export interface RecorderParts {
  readonly clock: Clock;
  readonly pal: Pick<OtaPal, "running" | "resetReason">;
}

/** Told what happens with an update; what it has to say goes with FAILED. None of its methods throws. */
export interface FailureRecorder extends TransferLog {
  /** Before anything else, when the agent is made. */
  begin(parts: RecorderParts): void;
  event(event: OtaEvent): void;
  /** @returns up to seven pairs beside `reason`, `code` and `message` */
  details(error: OtaError, jobId: string): StatusDetails;
}

export interface OtaAgentOptions {
  /** Name of the thing, 1 to 128 characters of a–z A–Z 0–9 : _ - */
  thingName: string;
  /** For AWS IoT Jobs and file streams: only with a `controlPlane` it may be left out. */
  mqtt?: MqttConnection;
  /** The fleet's service. Default: AWS IoT Jobs over `mqtt`. */
  controlPlane?: ControlPlaneFactory;
  /** Where a firmware file goes. */
  pal: OtaPal;
  /** Destinations of other files, by `fileType`. */
  otherPals?: Readonly<Record<number, OtaPal>>;
  clock: Clock;
  random: Random;
  /** Where blocks come from, in order of preference. Default: MQTT file streams. */
  dataPlanes?: readonly DataPlane[];
  /** Default: activate when verified, accept when the self-test starts, ignore a failure. */
  onEvent?: (event: OtaEvent) => void;
  /** Asked before a transfer starts. Default: apply. */
  onUpdateAvailable?: (job: OtaJob) => UpdateDecision;
  /** Answers true to claim a job that is not an OTA job. Default: none is claimed. */
  onCustomJob?: (job: CustomJob) => boolean;
  onState?: (state: OtaState) => void;
  log?: Log;
  /**
   * Bytes in a block, 256 to 131072, a multiple of 16. Default: chosen for each transfer, the largest power of two within
   * `maxBlockSize` and a second of `rateLimit`; a quarter of it, and a sixteenth, when not one block comes in one and two
   * thirds of `noProgressTimeoutMs`.
   */
  blockSize?: number;
  /** What memory allows for one block, 256 to 131072 bytes; it is in RAM once, with 256 bytes more. Default 4096. */
  maxBlockSize?: number;
  /** Most bytes asked for and not yet here. Default 524288: a round trip of half a second at 1 MB/s. */
  maxOutstandingBytes?: number;
  /** Blocks between two progress reports to the service. Default 64. */
  statusInterval?: number;
  /** How long the image on trial has until it is accepted, from `init`, milliseconds. Default 90000. */
  selfTestTimeoutMs?: number;
  /** Without a new block for this long while connected, the job fails, milliseconds. Default 300000. */
  noProgressTimeoutMs?: number;
  /** Longest transfer, milliseconds. Default: none. */
  totalDeadlineMs?: number;
  /** Slowest transfer in bytes a second, measured over a minute. Default: none. */
  minRate?: number;
  /**
   * Fastest transfer in bytes a second, for the application's sake. Default: none. A block waits no longer than a sixth of
   * `noProgressTimeoutMs` for it, so that one that is lost can still be asked for again: a fixed `blockSize` may need more.
   */
  rateLimit?: number;
  /**
   * Time left to the application between two blocks, on the average, milliseconds; at most a sixth of
   * `noProgressTimeoutMs`. Default: none.
   */
  blockIntervalMs?: number;
  /**
   * The queue is looked at again after about this long without a notification (±25 %, so that a fleet does not ask in
   * step), milliseconds. Default 3600000.
   */
  pollMs?: number;
  /** Update although a bad image could not be rolled back. Default false. */
  allowNoRollback?: boolean;
  /** Remembers the image that was rolled back or rejected last; without it such an image is fetched again and again. */
  store?: Store;
  /** Tells the service what runs: `new VersionReport()` of "xs-ota-agent/aws". Default: none. */
  versionReport?: VersionReporter;
  /** Says why an update failed: `new FailureLog(store)` of "xs-ota-agent/failure-log". Default: none. */
  failureLog?: FailureRecorder;
  /** How many executions may fail with the same image until it is not fetched any more, 1 to 255. Default 2. */
  imageAttempts?: number;
  /**
   * Report FAILED for jobs that are no OTA jobs and that nobody claims, as the original agent does. Default false: they are
   * left to whoever they are for, and told as a notice, since updates wait behind them.
   */
  failCustomJobs?: boolean;
}

/**
 * The options that are checked, a row for each: name, type, "?" when it may be left out. Numbers may be, and have
 * least and greatest value, the step between, and the default if there is one (AWS limits: GetStream `l` 256…131072;
 * timers take 2^31 − 1 milliseconds; encrypted flash is written in units of 16 bytes).
 */
const OPTIONS = `mqtt object
pal object
clock object
random function
thingName string
otherPals object ?
controlPlane function ?
dataPlanes array ?
onEvent function ?
onUpdateAvailable function ?
onCustomJob function ?
onState function ?
log function ?
store object ?
failureLog object ?
versionReport object ?
failCustomJobs boolean ?
allowNoRollback boolean ?
blockSize number 256 131072 16
maxBlockSize number 256 131072 1 4096
maxOutstandingBytes number 256 16777216 1 524288
statusInterval number 1 1e6 1 64
selfTestTimeoutMs number 1000 86400000 1 90000
noProgressTimeoutMs number 1000 86400000 1 300000
totalDeadlineMs number 1000 2147483647 1
minRate number 1 1e9 1
rateLimit number 256 1e9 1
blockIntervalMs number 1 60000 1
pollMs number 10000 1e9 1 3600000
imageAttempts number 1 255 1 2`;

type Defaulted =
  | "maxBlockSize"
  | "maxOutstandingBytes"
  | "statusInterval"
  | "selfTestTimeoutMs"
  | "noProgressTimeoutMs"
  | "pollMs"
  | "imageAttempts";
/** `mqtt` is undefined with a `controlPlane` and without it. */
export type CheckedOptions = OtaAgentOptions &
  Required<Pick<OtaAgentOptions, Defaulted | "log" | "mqtt" | "controlPlane">>;

/**
 * @throws TypeError naming an option that is missing or of the wrong type
 * @throws RangeError naming an option that is out of range
 */
export function checkOptions(options: OtaAgentOptions): CheckedOptions {
  const checked: Record<string, unknown> = { ...options };
  for (const row of OPTIONS.split("\n")) {
    const [name, type, least, greatest, step, preset] = row.split(" ");
    // Null is as good as left out for numbers alone.
    if (greatest) checked[name] ??= preset && +preset;
    const value = checked[name];
    if ((least || (name === "mqtt" && checked["controlPlane"])) && value === undefined) continue;
    if (value === null || (type === "array" ? !Array.isArray(value) : typeof value !== type))
      throw new TypeError(`options: "${name}" is no ${type}`);
    if (
      greatest &&
      !((value as number) >= +least && (value as number) <= +greatest && (value as number) % +step === 0)
    )
      throw new RangeError(`options: "${name}" is not from ${least} to ${greatest} in steps of ${step}`);
  }
  if (!/^[\w:-]{1,128}$/.test(options.thingName))
    throw new RangeError('options: "thingName" does not match [\\w:-]{1,128}');
  const { log } = options;
  // What the application does with a line of text must not disturb an update.
  checked["log"] = (level: LogLevel, text: string) => {
    try {
      if (level === "warn" || level === "error") options.failureLog?.cause(text);
      log?.(level, text);
    } catch {
      // There is nobody left to tell.
    }
  };
  checked["controlPlane"] ??= ((context, tell) => new Jobs(context, tell)) satisfies ControlPlaneFactory;
  return checked as unknown as CheckedOptions;
}
