/**
 * AWS IoT job documents: text in, a validated job or a typed error out. Pure; never touches a job in progress.
 * @module
 */
import type { OtaError } from "./errors.js";

export type SignatureAlgorithm = "sig-sha256-ecdsa" | "sig-sha256-rsa";

/** One entry of `afr_ota.files`. */
export interface JobFile {
  /** `fileid`, 0…255. */
  readonly fileId: number;
  /** `filesize` in bytes, 1…2^32−1. */
  readonly fileSize: number;
  /** `fileType`, 0…255; 0 (the default) is firmware. */
  readonly fileType: number;
  /** `filepath`; empty when absent. */
  readonly filePath: string;
  /** `certfile`: names the key the signature is to be checked with; empty when absent. */
  readonly certFile: string;
  /** Undefined when the file carries no signature this agent knows. */
  readonly signature: { readonly algorithm: SignatureAlgorithm; readonly bytes: Uint8Array } | undefined;
  /** `streamname`; empty when absent. */
  readonly streamName: string;
  /** `update_data_url`; empty when absent. */
  readonly url: string;
}

/** `execution.statusDetails` as an earlier life of this device left them. */
export interface JobProgress {
  /** True when `self_test` is present: the image was complete and verified. */
  readonly selfTest: boolean;
  /** `updatedBy`: packed version (major << 24 | minor << 16 | build) that performed the download; undefined when absent. */
  readonly updatedBy: number | undefined;
  /** `image`: version and build id of the image that was installed, as this agent writes it; empty when absent. */
  readonly image: string;
}

export interface OtaJob {
  readonly jobId: string;
  /** `execution.executionNumber`; undefined when absent. Higher for a retry of the same job. */
  readonly executionNumber: number | undefined;
  readonly progress: JobProgress;
  /** `afr_ota.protocols`, known ones only. */
  readonly protocols: readonly ("MQTT" | "HTTP")[];
  /** `afr_ota.files`, at least one. */
  readonly files: readonly JobFile[];
  /** The whole `execution.jobDocument`, for the application. */
  readonly document: unknown;
}

export type ParsedJob =
  /** The queue is empty. `clientToken` as in the reply. */
  | { readonly kind: "none"; readonly clientToken: string | undefined }
  | { readonly kind: "ota"; readonly clientToken: string | undefined; readonly job: OtaJob }
  /** Not an OTA job: no `afr_ota` in the document. */
  | {
      readonly kind: "custom";
      readonly clientToken: string | undefined;
      readonly jobId: string;
      readonly executionNumber: number | undefined;
      readonly document: unknown;
    }
  /** An OTA job that can not be carried out; `jobId` is undefined when there is none to report to. */
  | {
      readonly kind: "invalid";
      readonly clientToken: string | undefined;
      readonly jobId: string | undefined;
      readonly executionNumber: number | undefined;
      readonly error: OtaError;
    };
