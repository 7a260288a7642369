/**
 * What the AWS OTA service does on CreateOTAUpdate: makes the stream, the job document and the job. Pure logic.
 * @module
 */
import { type DocumentFile, otaDocument, otaJobId, otaStreamId, type Protocol } from "./documents.js";
import type { Job, Retries } from "./job-records.js";
import type { JobService } from "./jobs.js";
import { memoryFile, type StreamService } from "./streams.js";

export interface UpdateOptions {
  /** 1 … 56 of `a-z A-Z 0-9 _ -`; the job id is `AFR_OTA-` and this. */
  updateId: string;
  /** Ends the stream's name; 36 characters. */
  uuid: string;
  image: Uint8Array;
  /** Thing names. */
  things: readonly string[];
  /** Undefined: the file is unsigned. */
  signature: DocumentFile["signature"];
  /** Default: MQTT alone. */
  protocols?: readonly Protocol[];
  /** Where the image is, for HTTP: a URL or a placeholder. The service's own image server when left out there. */
  url?: string;
  /** Default: /device/updates */
  filePath?: string;
  /** Default: /certificates/ota.pem */
  certFile?: string;
  /** Default: 0 */
  fileId?: number;
  /** Default: 0, firmware. */
  fileType?: number;
  /** Further keys of the file. */
  attributes?: DocumentFile["attributes"];
  timeoutInMinutes?: number;
  retries?: Partial<Retries>;
}

interface UpdateDocument {
  readonly streamname?: string;
  readonly files?: readonly { readonly fileid: number }[];
}

/** The stream that `createUpdate` makes for a job, when it is delivered over MQTT. */
export function streamOf(job: Job): string | undefined {
  return (job.document["afr_ota"] as UpdateDocument | undefined)?.streamname;
}

/** The file that `createUpdate` puts into the stream. */
export function fileIdOf(job: Job): number {
  return (job.document["afr_ota"] as UpdateDocument | undefined)?.files?.[0]?.fileid ?? 0;
}

/** @throws ServiceError as `JobService.createJob` and `StreamService.create` */
export function createUpdate(
  services: { jobs: JobService; streams: StreamService },
  options: UpdateOptions,
): Job {
  const { image, things, signature, url, fileId = 0, protocols = ["MQTT"] } = options;
  const streamId = protocols.includes("MQTT") ? otaStreamId(options.uuid) : undefined;
  const file: DocumentFile = {
    filePath: options.filePath ?? "/device/updates",
    fileSize: image.length,
    fileId,
    fileType: options.fileType ?? 0,
    certFile: options.certFile ?? "/certificates/ota.pem",
    signature,
    url: protocols.includes("HTTP") ? url : undefined,
    attributes: options.attributes,
  };
  if (streamId) services.streams.create(streamId, [memoryFile(fileId, image)]);
  try {
    return services.jobs.createJob({
      jobId: otaJobId(options.updateId),
      document: otaDocument({ protocols, streamId, files: [file] }),
      targets: things,
      timeoutInMinutes: options.timeoutInMinutes,
      retries: options.retries,
    });
  } catch (error) {
    if (streamId) services.streams.delete(streamId);
    throw error;
  }
}
