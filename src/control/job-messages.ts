/**
 * What the agent sends to AWS IoT Jobs and what comes back beside job documents, as JSON (AWS IoT developer guide,
 * "Jobs device MQTT API").
 * @module
 */

/** A request for a job, or a status update. */
export interface JobRequest {
  clientToken?: string;
  readonly status?: string;
  readonly statusDetails?: Readonly<Record<string, string>> | undefined;
  readonly executionNumber?: number | undefined;
}

/** An answer, as far as it could be read: empty texts for what is absent or no text. */
export interface JobReply {
  readonly clientToken: string;
  readonly code: string;
  readonly message: string;
  /** `executionState.status`: of an execution that was refused an update. */
  readonly status: string;
}
