/**
 * Devices, jobs and their executions as people want to see them: for the page and the command line. Plain data.
 * @module
 */
import { chipById } from "../hosts/formats/chips.js";
import { type Fact, failureFacts } from "./failure-facts.js";
import type { Device } from "./index.js";
import { type Execution, type ImageLabel, isTerminal, type Job, type StatusDetails } from "./job-records.js";
import { type RolloutFacts, stageOf } from "./rollout.js";

/** Where in its life an update is. */
export type Phase =
  | "offered"
  | "started"
  | "downloading"
  | "restarting"
  | "testing"
  | "accepted"
  | "rolled back"
  | "refused"
  | "failed"
  | "cancelled"
  | "timed out"
  | "removed";

/** Times in milliseconds since 1970. */
export interface ExecutionView {
  readonly jobId: string;
  readonly thingName: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly status: Execution["status"];
  readonly phase: Phase;
  /** Of the file, 0 to 1. */
  readonly progress: number;
  /** What happens or has happened, in words. */
  readonly text: string;
  /** The agent's error code. */
  readonly code?: string;
  readonly queuedAt: number;
  readonly startedAt?: number;
  readonly lastUpdatedAt: number;
  readonly ended: boolean;
}

export interface HistoryView {
  readonly at: number;
  readonly status: Execution["status"];
  readonly phase: Phase;
  readonly text: string;
  /** What else the device has said, as name and lines: why it failed. */
  readonly facts?: readonly Fact[];
}

export type { ImageLabel } from "./job-records.js";

export interface JobFileView {
  /** Its `fileType`; 0 is firmware. */
  readonly type: number;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

export interface JobView {
  readonly jobId: string;
  readonly status: Job["status"];
  readonly createdAt: number;
  readonly things: number;
  readonly protocols: readonly string[];
  readonly image?: ImageLabel;
  /** Where there are several: its files, as the job document has them. */
  readonly files?: readonly JobFileView[];
  /** How many devices are where; the latest attempt of each counts. */
  readonly phases: Partial<Record<Phase, number>>;
  /** Things the job has not been offered to yet. */
  readonly waiting: number;
  /** Mean of the devices' progress, 0 to 1. */
  readonly progress: number;
  /** True when no execution is open, and none will be. */
  readonly ended: boolean;
  readonly description?: string;
  readonly targetSelection?: Job["targetSelection"];
  readonly groups?: readonly string[];
  /** The stage the rollout is in, of how many; undefined without stages. */
  readonly stage?: { readonly stage: number; readonly stages: number };
  readonly rollout?: Job["rollout"];
  readonly abort?: Job["abort"];
  readonly schedule?: Job["schedule"];
  /** Why the rollout stands still. */
  readonly paused?: string;
  /** Why the job was cancelled. */
  readonly reasonCode?: string;
  readonly comment?: string;
  /** Why nobody else is offered it, in words: it is paused, or was cancelled. */
  readonly held?: string;
}

interface UpdateDocument {
  readonly protocols?: readonly string[];
  readonly files?: readonly {
    readonly fileType: number;
    readonly filepath: string;
    readonly filesize: number;
  }[];
}

/** What a device says it runs; any of it may be unknown. */
export interface FirmwareView {
  readonly project?: string;
  readonly version?: string;
  /** First digits of its ELF SHA-256. */
  readonly build?: string;
  readonly chip?: string;
  readonly slot?: string;
  readonly state?: string;
}

export interface DeviceView {
  readonly thingName: string;
  readonly connected?: boolean;
  readonly lastSeen?: number;
  /** What people call it. */
  readonly label?: string;
  readonly groups: readonly string[];
  readonly firmware: FirmwareView;
  /** Its newest execution that is open, or else its last one. */
  readonly update?: ExecutionView;
}

/** Codes of an image that booted and was given up. */
const ROLLED_BACK: readonly string[] = Object.freeze([
  "rolled-back",
  "self-test-rejected",
  "self-test-timeout",
]);
/** Codes of an image that never booted because of what it is. */
const REFUSED: readonly string[] = Object.freeze([
  "wrong-chip",
  "wrong-project",
  "bad-image",
  "secure-version",
  "bad-version",
  "downgrade",
  "same-version",
  "refused",
  "signature-missing",
  "signature-check",
  "bad-signer",
  "bad-key",
  "bad-base64",
  "file-too-large",
]);

export function executionView(execution: Execution): ExecutionView {
  const { jobId, thingName, status, statusDetails, queuedAt, startedAt, lastUpdatedAt } = execution;
  const phase = phaseOf(status, statusDetails);
  const ended = isTerminal(status);
  return {
    ...{ jobId, thingName, attempt: execution.executionNumber, status, phase },
    progress: progressOf(execution),
    text: textOf(phase, statusDetails),
    code: ended ? statusDetails["code"] : undefined,
    ...{ queuedAt, startedAt, lastUpdatedAt, ended },
  };
}

/** Oldest first. */
export function historyView(execution: Execution): HistoryView[] {
  return execution.history.map(({ at, status, statusDetails }) => {
    const phase = phaseOf(status, statusDetails);
    const facts = failureFacts(statusDetails, SHOWN);
    return { at, status, phase, text: textOf(phase, statusDetails), ...(facts.length > 0 && { facts }) };
  });
}

/** @param executions of this job, in the order queued */
export function jobView(job: Job, executions: readonly Execution[], facts: RolloutFacts): JobView {
  const latest = new Map(executions.map((execution) => [execution.thingName, execution]));
  const phases: Partial<Record<Phase, number>> = {};
  let progress = 0;
  let isOpen = job.status === "IN_PROGRESS" || job.status === "SCHEDULED";
  for (const execution of latest.values()) {
    const phase = phaseOf(execution.status, execution.statusDetails);
    phases[phase] = (phases[phase] ?? 0) + 1;
    progress += progressOf(execution);
    isOpen ||= !isTerminal(execution.status);
  }
  const { jobId, status, createdAt, targets, image, description, targetSelection, groups } = job;
  const { rollout, abort, schedule, paused, reasonCode, comment } = job;
  const update = job.document["afr_ota"] as UpdateDocument | undefined;
  const files = update?.files ?? [];
  return {
    ...{
      jobId,
      status,
      createdAt,
      things: targets.length,
      protocols: update?.protocols ?? [],
      image,
      phases,
    },
    ...(files.length > 1 && {
      files: files.map(({ fileType, filepath, filesize }) => ({
        ...{ type: fileType, path: filepath, size: filesize },
      })),
    }),
    waiting: status === "CANCELED" ? 0 : Math.max(0, targets.length - latest.size),
    progress: targets.length === 0 ? 0 : Math.min(1, progress / targets.length),
    ended: !isOpen,
    ...{ description, targetSelection, groups, rollout, abort, schedule, paused, reasonCode, comment },
    stage: rollout?.stages ? stageOf(rollout, facts) : undefined,
    held: heldText(job, Math.max(0, targets.length - latest.size)),
  };
}

/** @param left targets that were never offered it */
function heldText({ status, paused, reasonCode = "", comment }: Job, left: number): string | undefined {
  if (paused !== undefined) return `Stands still: ${paused}`;
  if (status !== "CANCELED") return undefined;
  const why = [CANCELED_BY[reasonCode] ?? reasonCode, comment].filter(Boolean).join(": ");
  const spared = left === 1 ? "1 device was" : `${left} devices were`;
  return `Cancelled${why && ` ${why}`}${left > 0 ? `; ${spared} never offered it` : ""}`;
}

/** Whether nothing speaks for a device being there. Of one that has been heard of the broker may not tell. */
export function isAway({ connected, lastSeen }: Pick<DeviceView, "connected" | "lastSeen">): boolean {
  return connected === false || (connected === undefined && lastSeen === undefined);
}

/** @param executions of this device, in the order queued */
export function deviceView(device: Device, executions: readonly Execution[]): DeviceView {
  const { thingName, connected, lastSeen, label, groups } = device;
  const current = executions.find(({ status }) => !isTerminal(status)) ?? executions.at(-1);
  const started = executions.find(({ status }) => status === "IN_PROGRESS");
  const update = started ?? current;
  return {
    ...{ thingName, connected, lastSeen, label, groups },
    firmware: firmwareOf(device, executions),
    update: update && executionView(update),
  };
}

/** By the codes jobs have as AWS names them. */
const CANCELED_BY: Readonly<Record<string, string>> = Object.freeze({
  USER_INITIATED: "by an operator",
  END_TIME_REACHED: "at the end of its time",
  ABORT_THRESHOLD_REACHED: "by its threshold",
});

/** Details that `textOf` and the phase have put into words already, and those of the original agent. */
const SHOWN: readonly string[] = Object.freeze(["receive", "self_test", "message", "updatedBy"]);

function phaseOf(status: Execution["status"], details: StatusDetails): Phase {
  switch (status) {
    case "QUEUED":
      return "offered";
    case "IN_PROGRESS":
      if (details["self_test"] === "active") return "testing";
      if (details["self_test"] === "ready") return "restarting";
      return details["receive"] === undefined ? "started" : "downloading";
    case "SUCCEEDED":
      return "accepted";
    case "REJECTED":
      return "refused";
    case "CANCELED":
      return "cancelled";
    case "TIMED_OUT":
      return "timed out";
    case "REMOVED":
      return "removed";
    case "FAILED": {
      const code = details["code"] ?? "";
      return ROLLED_BACK.includes(code) ? "rolled back" : REFUSED.includes(code) ? "refused" : "failed";
    }
  }
}

function progressOf({ status, statusDetails, history }: Execution): number {
  if (status === "QUEUED") return 0;
  if (status === "SUCCEEDED" || statusDetails["self_test"] !== undefined) return 1;
  // What ended keeps how far it came.
  const last = history.findLast(
    (entry) => entry.statusDetails["receive"] ?? entry.statusDetails["self_test"],
  );
  if (last?.statusDetails["self_test"]) return 1;
  const { files } = last?.statusDetails ?? {};
  if (files) return shareOf(files.split(" "));
  const match = /^(\d+)\/(\d+)$/.exec(last?.statusDetails["receive"] ?? "");
  const total = Number(match?.[2] ?? 0);
  return total > 0 ? Math.min(1, Number(match![1]) / total) : 0;
}

/** @param files of a set, as a device tells where they are: "10:ready", "11:26%", "12:waits" */
function shareOf(files: readonly string[]): number {
  let done = 0;
  for (const file of files) {
    const state = file.slice(file.indexOf(":") + 1);
    done += state === "ready" ? 1 : Math.min(1, Number(/^(\d{1,3})%$/.exec(state)?.[1] ?? 0) / 100);
  }
  return done / files.length;
}

function blocksText(receive = ""): string {
  return `block ${receive.replace("/", " of ")}`;
}

/** What is at hand first: a list of devices has no room for the rest. */
function filesText(text: string, blocks: string): string {
  const files = text.split(" ");
  const at = files.findIndex((file) => !file.endsWith(":ready"));
  const states = files.map((file) => file.replace(":", " ")).join(", ");
  return `file ${at < 0 ? files.length : at + 1} of ${files.length}, ${blocks}; files ${states}`;
}

function textOf(phase: Phase, details: StatusDetails): string {
  const { receive, message, reason, image, files } = details;
  const version = image?.split("+", 1)[0];
  const why = message ?? reason;
  switch (phase) {
    case "offered":
      return "waits for the device to take it";
    case "started":
      return "the device has taken it";
    case "downloading":
      return files ? filesText(files, blocksText(receive)) : blocksText(receive);
    case "restarting":
      return `verified; the device restarts into ${version ?? "the new image"}`;
    case "testing":
      return `${version ?? "the new image"} runs on trial and tests itself`;
    case "accepted":
      return version ? `runs ${version} for good` : "runs the new image for good";
    case "cancelled":
      return "cancelled by the service";
    case "timed out":
      return "did not end within its time";
    case "removed":
      return "the device is no target any more";
    default:
      return why === undefined ? "the device gives no reason" : withChipNames(why);
  }
}

/** The agent knows chips by the numbers of image headers alone. */
function withChipNames(text: string): string {
  const match = /^(.*\bhas chip )(\d{1,5})(, this device )(\d{1,5})$/.exec(text);
  if (!match) return text;
  const [, before, offered, between, present] = match;
  const name = (id: string) => chipById(Number(id))?.title ?? id;
  return `${before}${name(offered)}${between}${name(present)}`;
}

function firmwareOf({ reported }: Device, executions: readonly Execution[]): FirmwareView {
  const claimed = reported?.["firmware"];
  if (typeof claimed === "object" && claimed !== null) {
    const text = (name: string) => {
      const value = (claimed as Record<string, unknown>)[name];
      return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
    };
    const chip = text("chip");
    const build = text("build");
    return {
      ...(build !== undefined && { build }),
      ...{ project: text("project"), version: text("version") },
      // The agent itself reports the chip as image headers have it.
      chip: chip && /^\d{1,5}$/.test(chip) ? (chipById(Number(chip))?.title ?? `chip ${chip}`) : chip,
      ...{ slot: text("slot"), state: text("state") },
    };
  }
  // A device that reports nothing has at least said what it accepted.
  const accepted = executions.findLast(({ status }) => status === "SUCCEEDED")?.statusDetails;
  const version = accepted?.["image"]?.split("+", 1)[0] ?? /v(\S+)/.exec(accepted?.["reason"] ?? "")?.[1];
  return { version };
}
