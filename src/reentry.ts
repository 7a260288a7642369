/**
 * What a job means to a device that may have worked on it in an earlier life: the truth table of docs/SPEC.md,
 * "After a restart". Pure.
 * @module
 */
import { OtaError } from "./errors.js";
import type { OtaJob } from "./job-document.js";
import type { AppDescription } from "./ports.js";
import { imageName, versionConflict } from "./status.js";

/**
 * - "offer": an ordinary offer.
 * - "trial": the running image is the one this job installed, and has to prove itself.
 * - "passed": it has proved itself already; only the status is missing.
 * - "failed": its image does not run.
 * - "withdrawn": the job whose image is on trial is gone. Roll back; this job is another one, and waits.
 * - "mismatch": the image on trial is not what this job says. Roll back; this job has failed.
 */
export type Reentry =
  | { readonly kind: "offer" | "trial" | "passed" }
  | { readonly kind: "failed" | "withdrawn" | "mismatch"; readonly error: OtaError };

export interface Situation {
  /** The application that runs; undefined when the destination holds none. */
  readonly running: AppDescription | undefined;
  /** The running image waits for a decision. */
  readonly onTrial: boolean;
  /** It was accepted in this life. */
  readonly accepted: boolean;
  /** The boot loader has given up the image in the other slot. */
  readonly rolledBack: boolean;
}

export function mismatch(message: string): OtaError {
  return new OtaError("image-state-mismatch", message);
}

export function judgeReentry(job: OtaJob, situation: Situation): Reentry {
  const { running, onTrial, accepted, rolledBack } = situation;
  const { selfTest, image, updatedBy } = job.progress;
  if (!running || (selfTest && job.files[0].fileType !== 0)) return { kind: "offer" };
  const installed = image === imageName(running) || (!image && accepted);
  if (onTrial) {
    if (!selfTest) return { kind: "withdrawn", error: mismatch("the job of the image on trial is gone") };
    if (installed) return { kind: "trial" };
    // Without a name it was installed by another agent, which leaves only the version that did it.
    const error = image
      ? mismatch("the image on trial is not the one this job installed")
      : versionConflict(updatedBy, running.version);
    return error ? { kind: "mismatch", error } : { kind: "trial" };
  }
  if (!selfTest) return { kind: "offer" };
  if (installed) return { kind: "passed" };
  if (rolledBack)
    return {
      kind: "failed",
      error: new OtaError(
        "rolled-back",
        `the new image did not start or was not accepted; ${running.version} runs again`,
        "self-test",
      ),
    };
  // The power may have gone before the switch: then the journal knows what is there.
  if (image) return { kind: "offer" };
  return { kind: "failed", error: mismatch("the job says that its image is on trial, but it is not") };
}
