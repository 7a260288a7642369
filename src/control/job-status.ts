/**
 * The words the control plane, the agent's options and the application share about a job's status.
 * @module
 */

export type JobStatus = "IN_PROGRESS" | "FAILED" | "SUCCEEDED" | "REJECTED";
export type StatusDetails = Readonly<Record<string, string>>;

/** How a status update ended. "gone": the execution is over or unknown, whatever this device says. */
export type UpdateResult = "accepted" | "gone" | "refused";

/** Which execution a status is about. */
export interface JobReference {
  readonly jobId: string;
  readonly executionNumber: number | undefined;
}
