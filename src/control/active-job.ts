/**
 * The job an agent works on.
 * @module
 */

import type { OtaError } from "../errors.js";
import type { AppDescription } from "../ports.js";
import type { FileSet, OtaPal, Received } from "../slot/pal.js";
import type { DataPlane } from "../transfer/data-plane.js";
import type { Download } from "../transfer/download.js";
import type { JobFile, OtaJob } from "./job-document.js";
import type { StatusDetails } from "./job-status.js";

/** Replaced as a whole from job to job, so that nothing is inherited from the one before. */
export interface ActiveJob {
  job: OtaJob;
  /** Files of the job that are still to be tried, the one at hand first. */
  files: readonly JobFile[];
  file: JobFile;
  /** The job's files, when they are installed together. */
  set?: FileSet;
  /** Packed version that performed the download, as it was known when the job came: by now the service has our words. */
  readonly updatedBy: number | undefined;
  readonly pal: OtaPal;
  /** Planes that may serve this job; the first is in use. None for the job of an image on trial. */
  planes: readonly DataPlane[];
  /** What the service has been told last: an update replaces the details it has. */
  details: StatusDetails;
  /** What is on flash, as far as the porting layer told last. */
  received?: Received | undefined;
  download?: Download | undefined;
  /** What the download came to, an event and its error, until it is handled: it may have been while suspended. */
  outcome?: number | undefined;
  failure?: OtaError | undefined;
  /** What the image says of itself, once its head was accepted. */
  app?: AppDescription | undefined;
  /** What the job brings is what runs: there is nothing to do. */
  isRunning?: boolean;
  /** Which of several files it is, and its bytes, as the job's details say it; empty for a single one. */
  payload: string;
  /** Why files before were given up. */
  refusals: string;
  /** Verified, and the service knows. */
  verified?: boolean;
  repairs: number;
  /** Blocks at the last progress report. */
  reported?: number;
}
