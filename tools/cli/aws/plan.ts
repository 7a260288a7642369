/**
 * The calls to AWS that an update takes, as data: what a dry run prints is what an execution sends.
 * Names and shapes: AWS IoT API reference (CreateOTAUpdate, CreateStream, CreateJob) and Amazon S3 (PutObject).
 * @module
 */
import { otaDocument, otaJobId, type Protocol } from "../../../service/documents.js";
import type { Retries } from "../../../service/job-records.js";
import type { AbortCriteria, RolloutConfig } from "../../../service/rollout.js";
import type { Schedule } from "../../../service/schedule.js";
import type { ImageSignature } from "../../../service/signer.js";

/** A file of an update, and the object it is in the bucket. */
export interface AwsFile {
  /** What the path on the device ends in: empty for the image, ";base=0a1b2c3d" or ";packed". */
  readonly kind: string;
  /** Of the object in the bucket. */
  readonly key: string;
  /** Bytes. */
  readonly size: number;
}

export interface AwsUpdate {
  /** Names the update; the job is `AFR_OTA-` and this. */
  readonly updateId: string;
  /** ARNs of things and thing groups. */
  readonly targets: readonly string[];
  readonly region: string;
  readonly bucket: string;
  /** The image first: agents that know one file take that. All are the same image. */
  readonly files: readonly AwsFile[];
  /** The role AWS IoT takes on to read the object. */
  readonly roleArn: string;
  readonly protocols: readonly Protocol[];
  /** A signature of the image, or the profile by which AWS Signer makes one of each file. */
  readonly signing: ImageSignature | { readonly profile: string };
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

/** Most bytes of a job document (AWS IoT quotas). */
const DOCUMENT_LIMIT = 32_768;
/** Most bytes of what signing adds to a URL, with a session token. */
const SIGNED_URL = 1800;

/** Most characters of a signature by AWS Signer, RSA-4096 in base64. */
const SIGNATURE_LIMIT = 684;

/** AWS Signer signs the file it sees, which a device has to know of a payload. */
function nameOf({ filePath, signing }: AwsUpdate, kind: string): string {
  return `${filePath}${kind}${kind && "profile" in signing ? ";signed=file" : ""}`;
}

/** @param versions of the objects, as in `files`; what S3 has not told yet is missing */
function located({ bucket, files }: AwsUpdate, versions: readonly string[]) {
  return files.map((file, index) => {
    const version = versions[index] ?? VERSION_PLACEHOLDER;
    return { ...file, version, s3Location: { bucket, key: file.key, version } };
  });
}

/** Through the OTA service, which makes stream and job of it. */
export function otaUpdateCalls(update: AwsUpdate, versions: readonly string[] = []): AwsCall[] {
  const { updateId, targets, protocols, bucket, roleArn, signing, signer } = update;
  const { urlSeconds, timeoutInMinutes } = update;
  return [
    ...putObjects(update),
    {
      ...{ service: "IoT", operation: "CreateOTAUpdate" },
      input: {
        ...{ otaUpdateId: updateId, targets, protocols, roleArn },
        targetSelection: update.continuous ? "CONTINUOUS" : "SNAPSHOT",
        ...(update.description ? { description: update.description } : {}),
        ...(update.rollout ? { awsJobExecutionsRolloutConfig: update.rollout } : {}),
        ...(update.abort ? { awsJobAbortConfig: { abortCriteriaList: update.abort } } : {}),
        files: located(update, versions).map(({ kind, s3Location }) => ({
          ...{ fileName: nameOf(update, kind), fileType: 0 },
          fileLocation: { s3Location },
          codeSigning:
            "profile" in signing ? startSigning(signing.profile, bucket) : codeSigning(signing, signer),
        })),
        ...(protocols.includes("HTTP") ? { awsJobPresignedUrlConfig: { expiresInSec: urlSeconds } } : {}),
        ...(timeoutInMinutes
          ? { awsJobTimeoutConfig: { inProgressTimeoutInMinutes: timeoutInMinutes } }
          : {}),
      },
    },
  ];
}

/** The document the OTA service makes of an update. @throws RangeError when a device could not be sent it */
export function documentOf(update: AwsUpdate, streamId: string, versions: readonly string[] = []): string {
  const { protocols, region, bucket, signing, signer } = update;
  const signature =
    "profile" in signing ? { key: "sig-sha256-rsa", value: "?".repeat(SIGNATURE_LIMIT) } : signing;
  const overHttp = protocols.includes("HTTP");
  const document = JSON.stringify(
    otaDocument({
      protocols,
      streamId: protocols.includes("MQTT") ? streamId : undefined,
      files: located(update, versions).map(({ kind, key, size, version }, fileId) => {
        const url = objectUrl(region, bucket, key, version);
        return {
          ...{ filePath: nameOf(update, kind), fileSize: size, fileId, fileType: 0 },
          ...{ certFile: signer, signature },
          url: overHttp ? `\${aws:iot:s3-presigned-url-v2:${url}}` : undefined,
        };
      }),
    }),
  );
  const bytes = Buffer.byteLength(document) + (overHttp ? SIGNED_URL * update.files.length : 0);
  if (bytes > DOCUMENT_LIMIT)
    throw new RangeError(`the job document would have ${bytes} bytes, AWS IoT takes ${DOCUMENT_LIMIT}`);
  return document;
}

/** Past the OTA service: a stream, and a job with the document the OTA service would have made. */
export function jobCalls(update: AwsUpdate, streamId: string, versions: readonly string[] = []): AwsCall[] {
  const { updateId, targets, protocols, roleArn, urlSeconds, timeoutInMinutes } = update;
  if ("profile" in update.signing) throw new TypeError("a job has a signature");
  const streamed = protocols.includes("MQTT");
  const stream: AwsCall = {
    ...{ service: "IoT", operation: "CreateStream" },
    input: {
      streamId,
      files: located(update, versions).map(({ s3Location }, fileId) => ({ fileId, s3Location })),
      roleArn,
    },
  };
  return [
    ...putObjects(update),
    ...(streamed ? [stream] : []),
    {
      ...{ service: "IoT", operation: "CreateJob" },
      input: {
        ...{
          jobId: otaJobId(updateId),
          targets,
          document: documentOf(update, streamId, versions),
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

/**
 * As the second form of the placeholder takes it, which alone takes versions: encoded, "?" and "=" before the version
 * too (AWS IoT Developer Guide, "Presigned URL using Amazon S3 versioning", read 2026-11-28).
 */
function objectUrl(region: string, bucket: string, key: string, version: string): string {
  const encoded = (text: string) =>
    encodeURIComponent(text).replace(
      /[!'()*]/g,
      (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  const path = key.split("/").map(encoded).join("/");
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  return `https://s3.${region}.${domain}/${bucket}/${path}%3FversionId%3D${version === VERSION_PLACEHOLDER ? version : encoded(version)}`;
}

/** AWS Signer signs, and puts the signed file beside the image. */
function startSigning(signingProfileName: string, bucket: string) {
  const destination = { s3Destination: { bucket, prefix: "signed/" } };
  return { startSigningJobParameter: { signingProfileName, destination } };
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

function putObjects({ bucket, files }: AwsUpdate): AwsCall[] {
  return files.map(({ kind, key, size }) => {
    const what = kind === "" ? "image" : kind.slice(1);
    const input = { Bucket: bucket, Key: key, Body: `<the ${what}, ${size} bytes>` };
    return { service: "S3", operation: "PutObject", input };
  });
}
