/**
 * What a job means to a device that may have worked on it in an earlier life: the truth table of docs/SPEC.md,
 * "After a restart". Pure.
 * @module
 */
import { OtaError } from "../errors.js";
import type { ImageState, OtaPal } from "../slot/pal.js";
import type { OtaJob } from "./job-document.js";
import { imageName, versionConflict } from "./status.js";

export const NOT_ON_TRIAL = "no image is on trial";

export function mismatch(message: string): OtaError {
  return new OtaError("image-state-mismatch", message);
}

/** There is no job, or another one, where the job of the image on trial should be. */
export function withdrawn(): OtaError {
  return mismatch("the image on trial has no job");
}

/**
 * @param imageState "testing": the running image waits for a decision; "accepted": it was accepted in this life
 * @returns - false: an ordinary offer.
 *   - undefined: the running image is the one this job installed. On trial it has to prove itself; otherwise it has done so
 *     already, only the status is missing.
 *   - true: the same, but nobody has decided about it, and the boot loader does not wait: it has to prove itself all the same.
 *   - an error: not on trial the job has failed. On trial the image is to be rolled back; the job has failed when it is
 *     in self-test, otherwise it is another one, and waits.
 */
export function judgeReentry(
  job: OtaJob,
  pal: Pick<OtaPal, "describe" | "running" | "rolledBack" | "resetReason" | "getPlatformImageState">,
  imageState: ImageState,
): OtaError | boolean | undefined {
  const running = pal.describe ? pal.describe(job.files) : pal.running;
  const onTrial = imageState === "testing";
  const { selfTest, image, updatedBy } = job.progress;
  if (!running || (selfTest && job.files[0].fileType && !pal.describe)) return false;
  if (!selfTest) return onTrial && withdrawn();
  if (imageState === "accepted" && (!image || image === imageName(running))) return undefined;
  if (image === imageName(running)) {
    // What the boot loader says of it goes before its name.
    const state = pal.getPlatformImageState();
    // Of components by themselves it knows nothing: in use and not on trial they were accepted.
    if (!job.files.some(({ fileType }) => !fileType)) return undefined;
    if (state === "invalid")
      return new OtaError("rolled-back", `the boot loader gave ${image} up`, "self-test");
    return state === "unknown" && !onTrial ? true : undefined;
  }
  if (onTrial) {
    // Without a name it was installed by another agent, which leaves only the version that did it.
    if (!image) return versionConflict(updatedBy, running.version);
    return mismatch("another image is on trial");
  }
  if (pal.rolledBack) {
    const { resetReason } = pal;
    // The boot loader decides at the very reset that ends the trial; later ones hide it.
    const why = resetReason ? `; last reset: ${resetReason}` : "";
    return new OtaError("rolled-back", `${running.version} runs again${why}`, "self-test");
  }
  // The power may have gone before the switch: then the journal knows what is there.
  return !image && mismatch(NOT_ON_TRIAL);
}
