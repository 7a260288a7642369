/**
 * The calls to AWS that an update takes, as data: what a dry run prints is what an execution sends.
 * Names and shapes: AWS IoT API reference (CreateOTAUpdate, CreateStream, CreateJob) and Amazon S3 (PutObject).
 * @module
 */
import { otaDocument, otaJobId, type Protocol, presignedPlaceholder } from "../../../service/documents.js";
import type { Retries } from "../../../service/job-records.js";
import type { AbortCriteria, RolloutConfig } from "../../../service/rollout.js";
import type { Schedule } from "../../../service/schedule.js";
import type { ImageSignature } from "../../../service/signer.js";

export interface AwsUpdate {
  /** Names the update; the job is `AFR_OTA-` and this. */
  readonly updateId: string;
  /** ARNs of things and thing groups. */
  readonly targets: readonly string[];
  readonly region: string;
  readonly bucket: string;
  /** Of the object in the bucket. */
  readonly key: string;
  /** The role AWS IoT takes on to read the object. */
  readonly roleArn: string;
  readonly protocols: readonly Protocol[];
  /** Bytes of the image. */
  readonly size: number;
  readonly signature: ImageSignature;
  /** What the job calls the signer. */
  readonly signer: string;
  readonly filePath: string;
  /** Seconds a pre-signed URL is good for. */
  readonly urlSeconds: number;
  readonly timeoutInMinutes?: number;
  readonly rollout?: RolloutConfig;
  readonly abort?: readonly AbortCriteria[];
  readonly retries?: Retries;
  readonly schedule?: Schedule;
  readonly continuous: boolean;
  readonly description?: string;
}

/** One call. `input` survives JSON: bytes stand as base64, what only a later answer tells as `<…>`. */
export interface AwsCall {
  readonly service: "S3" | "IoT";
  readonly operation: "PutObject" | "CreateOTAUpdate" | "CreateStream" | "CreateJob";
  readonly input: Readonly<Record<string, unknown>>;
}

/** Stands for the version of the object until S3 has told it. */
export const VERSION_PLACEHOLDER = "<VersionId of the object>";

/** Through the OTA service, which makes stream and job of it. */
export function otaUpdateCalls(update: AwsUpdate, version = VERSION_PLACEHOLDER): AwsCall[] {
  const { updateId, targets, protocols, bucket, key, roleArn, signature, signer, filePath } = update;
  const { urlSeconds, timeoutInMinutes } = update;
  return [
    putObject(update),
    {
      ...{ service: "IoT", operation: "CreateOTAUpdate" },
      input: {
        ...{ otaUpdateId: updateId, targets, protocols, roleArn },
        targetSelection: update.continuous ? "CONTINUOUS" : "SNAPSHOT",
        ...(update.description ? { description: update.description } : {}),
        ...(update.rollout ? { awsJobExecutionsRolloutConfig: update.rollout } : {}),
        ...(update.abort ? { awsJobAbortConfig: { abortCriteriaList: update.abort } } : {}),
        files: [
          {
            ...{ fileName: filePath, fileType: 0 },
            fileLocation: { s3Location: { bucket, key, version } },
            codeSigning: codeSigning(signature, signer),
          },
        ],
        ...(protocols.includes("HTTP") ? { awsJobPresignedUrlConfig: { expiresInSec: urlSeconds } } : {}),
        ...(timeoutInMinutes
          ? { awsJobTimeoutConfig: { inProgressTimeoutInMinutes: timeoutInMinutes } }
          : {}),
      },
    },
  ];
}

/** Past the OTA service: a stream, and a job with the document the OTA service would have made. */
export function jobCalls(update: AwsUpdate, streamId: string, version = VERSION_PLACEHOLDER): AwsCall[] {
  const { updateId, targets, protocols, region, bucket, key, roleArn, size, signature, signer } = update;
  const { filePath, urlSeconds, timeoutInMinutes } = update;
  const streamed = protocols.includes("MQTT");
  const url = `https://${bucket}.s3.${region}.amazonaws.com/${key}?versionId=${version}`;
  const document = otaDocument({
    protocols,
    streamId: streamed ? streamId : undefined,
    files: [
      {
        ...{ filePath, fileSize: size, fileId: 0, fileType: 0, certFile: signer, signature },
        url: protocols.includes("HTTP") ? presignedPlaceholder(url) : undefined,
      },
    ],
  });
  const stream: AwsCall = {
    ...{ service: "IoT", operation: "CreateStream" },
    input: { streamId, files: [{ fileId: 0, s3Location: { bucket, key, version } }], roleArn },
  };
  return [
    putObject(update),
    ...(streamed ? [stream] : []),
    {
      ...{ service: "IoT", operation: "CreateJob" },
      input: {
        ...{
          jobId: otaJobId(updateId),
          targets,
          document: JSON.stringify(document),
          targetSelection: update.continuous ? "CONTINUOUS" : "SNAPSHOT",
        },
        ...(update.description ? { description: update.description } : {}),
        ...(update.rollout ? { jobExecutionsRolloutConfig: update.rollout } : {}),
        ...(update.abort ? { abortConfig: { criteriaList: update.abort } } : {}),
        ...(update.retries
          ? { jobExecutionsRetryConfig: { criteriaList: retryCriteria(update.retries) } }
          : {}),
        ...(update.schedule ? { schedulingConfig: schedulingConfig(update.schedule) } : {}),
        ...(protocols.includes("HTTP") ? { presignedUrlConfig: { roleArn, expiresInSec: urlSeconds } } : {}),
        ...(timeoutInMinutes ? { timeoutConfig: { inProgressTimeoutInMinutes: timeoutInMinutes } } : {}),
      },
    },
  ];
}

/** RetryCriteria: REJECTED is never tried again. */
function retryCriteria({ failed, timedOut }: Retries): object[] {
  if (failed === timedOut) return [{ failureType: "ALL", numberOfRetries: failed }];
  const list = [
    { failureType: "FAILED", numberOfRetries: failed },
    { failureType: "TIMED_OUT", numberOfRetries: timedOut },
  ];
  return list.filter(({ numberOfRetries }) => numberOfRetries > 0);
}

/** SchedulingConfig: times as `YYYY-MM-DD HH:MM`, in UTC. */
function schedulingConfig({ startTime, endTime, endBehavior, maintenanceWindows }: Schedule): object {
  const text = (time: number) => new Date(time).toISOString().slice(0, 16).replace("T", " ");
  return {
    ...(startTime === undefined ? {} : { startTime: text(startTime) }),
    ...(endTime === undefined ? {} : { endTime: text(endTime), endBehavior: endBehavior ?? "STOP_ROLLOUT" }),
    ...(maintenanceWindows ? { maintenanceWindows } : {}),
  };
}

/** `codeSigning` of an OTAUpdateFile, as JSON: the signature in base64. */
export function codeSigning({ key, value }: ImageSignature, signer: string) {
  return {
    customCodeSigning: {
      signature: { inlineDocument: value },
      certificateChain: { certificateName: signer },
      hashAlgorithm: "SHA256",
      signatureAlgorithm: key === "sig-sha256-rsa" ? "RSA" : "ECDSA",
    },
  };
}

function putObject({ bucket, key, size }: AwsUpdate): AwsCall {
  const input = { Bucket: bucket, Key: key, Body: `<the image, ${size} bytes>` };
  return { service: "S3", operation: "PutObject", input };
}
