/**
 * The job an agent works on.
 * @module
 */
import { equalBytes } from "./bytes.js";
import type { DataPlane } from "./data-plane.js";
import type { Download } from "./download.js";
import type { JobFile, OtaJob } from "./job-document.js";
import type { OtaPal } from "./pal.js";
import type { AppDescription } from "./ports.js";

const NO_BYTES = new Uint8Array(0);

/** Replaced as a whole from job to job, so that nothing is inherited from the one before. */
export class ActiveJob {
  job: OtaJob;
  file: JobFile;
  readonly pal: OtaPal;
  /** Planes that may serve this job; the first is in use. None for the job of an image on trial. */
  planes: readonly DataPlane[];
  download: Download | undefined;
  /** What the download came to, until it is handled: it may have been while the agent was suspended. */
  outcome: ["FileComplete" | "TransferFailed", unknown] | undefined;
  /** What the image says of itself, once its head was accepted. */
  app: AppDescription | undefined;
  /** Every block is on flash. */
  complete = false;
  /** Verified, and the service knows. */
  verified = false;
  repairs = 0;
  /** Blocks at the last progress report. */
  reported = 0;

  constructor(job: OtaJob, pal: OtaPal, planes: readonly DataPlane[]) {
    this.job = job;
    this.file = job.files[0];
    this.pal = pal;
    this.planes = planes;
  }

  /** True when `job` asks for the very file that is being received. */
  isFor(job: OtaJob): boolean {
    const a = this.file;
    const b = job.files[0];
    return (
      this.job.jobId === job.jobId &&
      a.fileSize === b.fileSize &&
      a.fileId === b.fileId &&
      a.fileType === b.fileType &&
      a.signature?.algorithm === b.signature?.algorithm &&
      equalBytes(a.signature?.bytes ?? NO_BYTES, b.signature?.bytes ?? NO_BYTES)
    );
  }
}
