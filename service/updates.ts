/**
 * What the AWS OTA service does on CreateOTAUpdate: makes the stream, the job document and the job. Pure logic.
 * @module
 */
import { type DocumentFile, otaDocument, otaJobId, otaStreamId, type Protocol } from "./documents.js";
import type { ImageLabel, Job, JobMatters, Retries } from "./job-records.js";
import type { JobService } from "./jobs.js";
import { memoryFile, type StreamService } from "./streams.js";

/** A further file of a job: the same image, a delta or compressed; or with a type of its own, beside it. */
export interface UpdatePayload {
  /** What the path on the device ends in: ";base=0a1b2c3d", ";packed"; of a file beside the image "/assets.xac". */
  readonly kind: string;
  /** 1 … 255: no file of the image's. It has a signature of its own. */
  readonly fileType?: number;
  readonly bytes: Uint8Array;
  /** Where it is, for HTTP; as `url` of the update. */
  readonly url?: string;
  /** Where the payload itself is signed (";signed=file" in `kind`). Default: the signature of the image. */
  readonly signature?: DocumentFile["signature"];
}

export interface UpdateOptions extends Omit<JobMatters, "image"> {
  /** 1 … 56 of `a-z A-Z 0-9 _ -`; the job id is `AFR_OTA-` and this. */
  updateId: string;
  /** Ends the stream's name; 36 characters. */
  uuid: string;
  image: Uint8Array;
  /** Further files of the job; a device takes one. */
  payloads?: readonly UpdatePayload[];
  label?: ImageLabel;
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

/** The files that `createUpdate` puts into the stream: the image, and payloads of it. */
export function fileIdsOf(job: Job): number[] {
  const files = (job.document["afr_ota"] as UpdateDocument | undefined)?.files;
  return files?.map(({ fileid }) => fileid) ?? [0];
}

/** @throws ServiceError as `JobService.createJob` and `StreamService.create` */
export function createUpdate(
  services: { jobs: JobService; streams: StreamService },
  options: UpdateOptions,
): Job {
  const { image, things, signature, url, fileId = 0, payloads = [], protocols = ["MQTT"] } = options;
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
  // The whole image comes first: agents that know one file take that.
  const files = [
    file,
    ...payloads.map(({ kind, bytes, url, signature: own, fileType = file.fileType }, n) => ({
      ...file,
      fileType,
      signature: own ?? signature,
      ...{ filePath: file.filePath + kind, fileSize: bytes.length, fileId: fileId + n + 1 },
      url: protocols.includes("HTTP") ? url : undefined,
    })),
  ];
  const contents = [image, ...payloads.map(({ bytes }) => bytes)];
  if (streamId)
    services.streams.create(
      streamId,
      contents.map((bytes, n) => memoryFile(fileId + n, bytes)),
    );
  try {
    return services.jobs.createJob({
      jobId: otaJobId(options.updateId),
      document: otaDocument({ protocols, streamId, files }),
      targets: things,
      timeoutInMinutes: options.timeoutInMinutes,
      retries: options.retries,
      targetSelection: options.targetSelection,
      groups: options.groups,
      rollout: options.rollout,
      abort: options.abort,
      schedule: options.schedule,
      digest: options.digest,
      image: options.label,
      description: options.description,
    });
  } catch (error) {
    if (streamId) services.streams.delete(streamId);
    throw error;
  }
}
