/**
 * Whether a job can be carried out here, and with what. Pure.
 * @module
 */

import { OtaError, type OtaErrorCode } from "../errors.js";
import type { OtaAgentOptions } from "../options.js";
import type { OtaPal } from "../slot/pal.js";
import type { DataPlane } from "../transfer/data-plane.js";
import type { ActiveJob } from "./active-job.js";
import type { OtaJob } from "./job-document.js";

export const NO_ROLLBACK = "the boot loader can not roll back";

/** @returns the job with what it takes, data planes in order of preference; or why not */
export function prepare(
  job: OtaJob,
  options: OtaAgentOptions,
  planes: readonly DataPlane[],
): ActiveJob | OtaError {
  const file = job.files[0];
  const { fileType } = file;
  const pal = fileType ? options.otherPals?.[fileType] : options.pal;
  const usable = planes.filter((plane) => job.protocols.includes(plane.protocol) && plane.usable(file));
  if (job.files.length > 1) return refusal("job-parser", "several files in one job");
  if (!pal) return refusal("file-create", `no place for file type ${fileType}`);
  if (!usable.length) return refusal("data-protocol", "no way to fetch the file");
  if (!pal.rollbackEnabled && !options.allowNoRollback) return refusal("no-rollback", NO_ROLLBACK);
  return newActiveJob(job, pal, usable);
}

function refusal(code: OtaErrorCode, message: string): OtaError {
  return new OtaError(code, message, "job");
}

export function newActiveJob(job: OtaJob, pal: OtaPal, planes: readonly DataPlane[]): ActiveJob {
  const { updatedBy } = job.progress;
  return { job, file: job.files[0], updatedBy, pal, planes, details: {}, repairs: 0 };
}

/** Equal for two documents of the same job that ask for the very same file. */
export function identityOf(job: OtaJob): string {
  const { fileSize, fileId, fileType, signature } = job.files[0];
  return [job.jobId, fileSize, fileId, fileType, signature?.algorithm, signature?.bytes].join();
}
