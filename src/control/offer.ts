/**
 * Whether a job can be carried out here, and with what. Pure.
 * @module
 */

import { OtaError, type OtaErrorCode } from "../errors.js";
import type { OtaAgentOptions } from "../options.js";
import type { OtaPal } from "../slot/pal.js";
import type { DataPlane } from "../transfer/data-plane.js";
import type { ActiveJob } from "./active-job.js";
import type { JobFile, OtaJob } from "./job-document.js";
import { variantOf } from "./variant.js";

/** Beside those about image and signature: errors another file of the same job may not have. */
const FILE_ERRORS = "file-create file-too-large stream-refused http";

export const NO_ROLLBACK = "the boot loader cannot roll back";

/** @returns the job with what it takes, data planes in order of preference; or why not */
export function prepare(
  job: OtaJob,
  options: OtaAgentOptions,
  planes: readonly DataPlane[],
): ActiveJob | OtaError {
  const { files } = job;
  const { fileType } = files[0];
  const other = options.otherPals?.[fileType];
  const set = other ? undefined : options.pal.plan?.(files);
  if (set instanceof OtaError) return set;
  const pal = fileType && !set ? other : options.pal;
  const whole = files.filter((file) => variantOf(file) === undefined);
  if (!set && (whole.length > 1 || files.some((file) => file.fileType !== fileType)))
    return refusal("job-parser", "several files in one job");
  if (!pal) return refusal("file-create", `no place for file type ${fileType}`);
  const choice = set ? set.files : (pal.rank?.(files) ?? whole);
  const served = choice.filter((file) => planesFor(job, file, planes).length);
  if (!choice.length) return refusal("file-create", "no file of the job is one for this device");
  // One of several versions is enough; of files that are installed together each is needed.
  if (served.length < (set ? choice.length : 1)) {
    const { fileSize } = choice[0];
    for (const { protocol, maxFileSize } of planes)
      if (job.protocols.includes(protocol) && fileSize > (maxFileSize as number))
        return refusal(
          "file-too-large",
          `${fileSize} bytes are more than ${protocol} can bring, ${maxFileSize}`,
        );
    return refusal("data-protocol", "no way to fetch the file");
  }
  if (!(set ?? pal).rollbackEnabled && !options.allowNoRollback) return refusal("no-rollback", NO_ROLLBACK);
  const active = newActiveJob(job, pal, planesFor(job, served[0], planes), served);
  // A member that is not there takes no slot on XS.
  if (set) active.set = set;
  return active;
}

/** The planes that can fetch `file`, in order of preference. */
export function planesFor(job: OtaJob, file: JobFile, planes: readonly DataPlane[]): readonly DataPlane[] {
  return planes.filter((plane) => job.protocols.includes(plane.protocol) && plane.usable(file));
}

function refusal(code: OtaErrorCode, message: string): OtaError {
  return new OtaError(code, message, "job");
}

/** @param files those that may be taken, in the order they are tried */
export function newActiveJob(
  job: OtaJob,
  pal: OtaPal,
  planes: readonly DataPlane[],
  files: readonly JobFile[] = job.files,
): ActiveJob {
  const { updatedBy, payload } = job.progress;
  const refusals = "";
  return {
    job,
    files,
    file: files[0],
    updatedBy,
    payload,
    pal,
    planes,
    details: {},
    refusals,
    repairs: 0,
  };
}

/** The next file of the job, after the one at hand was refused for a reason of its own; undefined when there is none. */
export function nextFile(
  active: ActiveJob,
  error: OtaError,
  planes: readonly DataPlane[],
): ActiveJob | undefined {
  const { job, file, pal, refusals, set, updatedBy } = active;
  const files = active.files.filter((other) => other !== file && planesFor(job, other, planes).length);
  // What the application, the device's store or the whole job is at fault for does not become better with another file.
  const isOwn =
    error.code !== "store-failed" &&
    (error.phase === "image" || error.phase === "verify" || FILE_ERRORS.includes(error.code));
  // Of files that are installed together none can be done without.
  if (!isOwn || set || !files.length) return undefined;
  const next = newActiveJob(job, pal, planesFor(job, files[0], planes), files);
  return { ...next, updatedBy, refusals: `${refusals}${kindOf(file)}: ${error.message}; ` };
}

/** What a file is, for a person: "delta of 0a1b2c3d", "packed" or "whole". */
function kindOf(file: JobFile): string {
  const variant = variantOf(file);
  return variant ? (variant.base ? `delta of ${variant.base}` : "packed") : "whole";
}

/** Which of the job's files it is that is being fetched, and what it costs; empty for a single plain file. */
export function payloadOf({ job, file }: ActiveJob): string {
  return job.files.length > 1 || variantOf(file) ? `${kindOf(file)}, ${file.fileSize} bytes` : "";
}

/** Equal for two documents of the same job that ask for the very same file. */
export function identityOf(job: OtaJob): string {
  const files = job.files.map(({ fileSize, fileId, fileType, signature }) =>
    [fileSize, fileId, fileType, signature?.algorithm, signature?.bytes].join(),
  );
  return [job.jobId, ...files].join();
}

/** Whether a document is of an earlier attempt at the same job. */
export function isEarlier(job: OtaJob, than: OtaJob): boolean {
  return job.jobId === than.jobId && Number(job.executionNumber) < Number(than.executionNumber);
}
