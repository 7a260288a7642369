/**
 * The options of the agent: their types, defaults and limits, checked once at construction.
 * @module
 */
import type { DataPlane } from "./data-plane.js";
import type { OtaError } from "./errors.js";
import type { OtaJob } from "./job-document.js";
import type { JobStatus, StatusDetails, UpdateResult } from "./jobs.js";
import type { OtaPal } from "./pal.js";
import type { AppDescription, Clock, Log, MqttConnection, Random } from "./ports.js";
import type { OtaState } from "./state-machine.js";

/** A job that is not an OTA job. It stays untouched until the application claims it. */
export interface CustomJob {
  readonly jobId: string;
  readonly executionNumber: number | undefined;
  readonly document: unknown;
  /** Reports its status; repeated until the service answers. Only for a claimed job. */
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

export interface OtaAgentOptions {
  /** Name of the thing, 1 to 128 characters of a–z A–Z 0–9 : _ - */
  thingName: string;
  mqtt: MqttConnection;
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
  /** Bytes in a block, 256 to 131072, a multiple of 16. Default 4096. */
  blockSize?: number;
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
  /** Fastest transfer in bytes a second, for the application's sake. Default: none. */
  rateLimit?: number;
  /** Time left to the application between two blocks, on the average, milliseconds. Default: none. */
  blockIntervalMs?: number;
  /**
   * The queue is looked at again after about this long without a notification (±25 %, so that a fleet does not ask in
   * step), milliseconds. Default 3600000.
   */
  pollMs?: number;
  /** Update although a bad image could not be rolled back. Default false. */
  allowNoRollback?: boolean;
}

/**
 * Name, default, least and greatest value of the numeric options (AWS limits: GetStream `l` 256…131072; timers take
 * 2^31 − 1 milliseconds).
 */
const NUMBERS = Object.freeze([
  Object.freeze(["blockSize", 4096, 256, 131_072] as const),
  Object.freeze(["maxOutstandingBytes", 524_288, 256, 16_777_216] as const),
  Object.freeze(["statusInterval", 64, 1, 1_000_000] as const),
  Object.freeze(["selfTestTimeoutMs", 90_000, 1_000, 86_400_000] as const),
  Object.freeze(["noProgressTimeoutMs", 300_000, 1_000, 86_400_000] as const),
  Object.freeze(["totalDeadlineMs", undefined, 1_000, 2_147_483_647] as const),
  Object.freeze(["minRate", undefined, 1, 1_000_000_000] as const),
  Object.freeze(["rateLimit", undefined, 256, 1_000_000_000] as const),
  Object.freeze(["blockIntervalMs", undefined, 1, 60_000] as const),
  Object.freeze(["pollMs", 3_600_000, 10_000, 1_000_000_000] as const),
] as const);

type Defaulted =
  | "blockSize"
  | "maxOutstandingBytes"
  | "statusInterval"
  | "selfTestTimeoutMs"
  | "noProgressTimeoutMs"
  | "pollMs";
export type CheckedOptions = OtaAgentOptions & Required<Pick<OtaAgentOptions, Defaulted | "log">>;

/**
 * @throws TypeError naming an option that is missing or of the wrong type
 * @throws RangeError naming an option that is out of range
 */
export function checkOptions(options: OtaAgentOptions): CheckedOptions {
  if (typeof options !== "object" || options === null) throw new TypeError("options must be an object");
  const checked: Record<string, unknown> = { ...options };
  for (const name of ["mqtt", "pal", "clock"])
    if (typeof checked[name] !== "object" || checked[name] === null)
      throw new TypeError(`option "${name}" must be an object`);
  if (typeof checked["random"] !== "function") throw new TypeError('option "random" must be a function');
  for (const name of ["onEvent", "onUpdateAvailable", "onCustomJob", "onState", "log"])
    if (checked[name] !== undefined && typeof checked[name] !== "function")
      throw new TypeError(`option "${name}" must be a function`);
  checked["log"] ??= () => {};
  const { thingName, dataPlanes, otherPals = {} } = options;
  if (dataPlanes !== undefined && !Array.isArray(dataPlanes))
    throw new TypeError('option "dataPlanes" must be an array');
  if (typeof otherPals !== "object" || otherPals === null)
    throw new TypeError('option "otherPals" must be an object');
  if (typeof thingName !== "string") throw new TypeError('option "thingName" must be a string');
  if (!/^[a-zA-Z0-9:_-]{1,128}$/.test(thingName))
    throw new RangeError('option "thingName" must have 1 to 128 characters of a-z A-Z 0-9 : _ -');
  for (const [name, preset, least, greatest] of NUMBERS) {
    const value = (checked[name] ??= preset);
    if (value === undefined) continue;
    if (typeof value !== "number") throw new TypeError(`option "${name}" must be a number`);
    if (!(Number.isInteger(value) && value >= least && value <= greatest))
      throw new RangeError(`option "${name}" must be an integer from ${least} to ${greatest}, got ${value}`);
  }
  if ((checked["blockSize"] as number) % 16)
    throw new RangeError(`option "blockSize" must be a multiple of 16, got ${checked["blockSize"]}`);
  return checked as unknown as CheckedOptions;
}
