/**
 * Whether a job can be carried out here, and with what. Pure.
 * @module
 */
import type { DataPlane } from "./data-plane.js";
import { OtaError, type OtaErrorCode } from "./errors.js";
import type { OtaJob } from "./job-document.js";
import type { OtaAgentOptions, UpdateDecision } from "./options.js";
import type { OtaPal } from "./pal.js";

/** Longest an update can be put off at a time: what timers take (2^31 − 1), milliseconds. */
const MAX_DEFER_MS = 2_147_483_647;

export interface Means {
  readonly pal: OtaPal;
  /** In order of preference. */
  readonly planes: readonly DataPlane[];
}

/** @throws OtaError that says why not */
export function findMeans(job: OtaJob, options: OtaAgentOptions, planes: readonly DataPlane[]): Means {
  const file = job.files[0];
  const pal = file.fileType === 0 ? options.pal : options.otherPals?.[file.fileType];
  const usable = planes.filter((plane) => job.protocols.includes(plane.protocol) && plane.usable(file));
  if (job.files.length > 1) refuse("job-parser", `${job.files.length} files in one job are not supported`);
  if (!pal) refuse("file-create", `nothing here takes a file of type ${file.fileType}`);
  if (!usable.length) refuse("data-protocol", `no way to fetch the file by ${job.protocols.join(" or ")}`);
  if (!pal.rollbackEnabled && !options.allowNoRollback)
    refuse("no-rollback", "the boot loader can not roll back a bad image");
  return { pal, planes: usable };
}

/** What the application says to a job. @throws what it throws, and RangeError for an impossible deferral */
export function decide(job: OtaJob, options: OtaAgentOptions): UpdateDecision {
  const decision = options.onUpdateAvailable?.(job) ?? "apply";
  if (decision === "apply" || "refuse" in decision) return decision;
  if (decision.defer >= 0 && decision.defer <= MAX_DEFER_MS) return decision;
  throw new RangeError(`can not defer for ${decision.defer} ms`);
}

function refuse(code: OtaErrorCode, message: string): never {
  throw new OtaError(code, message, "job");
}
