/**
 * Job documents in the shape the AWS OTA service gives them (CreateOTAUpdate), and where its other names come from.
 * @module
 */

/** The two signature algorithms of the FreeRTOS profile, as key names of the document. */
export type SignatureKey = "sig-sha256-ecdsa" | "sig-sha256-rsa";

export type Protocol = "MQTT" | "HTTP";

/** One file of an update; field names as in AWS's API, the document's keys are shorter. */
export interface DocumentFile {
  /** Path on the device; AWS: `fileName`. */
  filePath: string;
  /** Bytes. */
  fileSize: number;
  fileId: number;
  /** 0 … 255; 0 is firmware. */
  fileType: number;
  /** AWS: "path name of the code-signing certificate on the device". */
  certFile: string;
  /** Left out for an unsigned file. */
  signature?: {
    /** Usually a `SignatureKey`; any other name is written as it is. */
    key: string;
    /** Base64. */
    value: string;
  };
  /** Where the image is, for HTTP: a URL, or a placeholder made by `presignedPlaceholder`. */
  url?: string;
  /** Further keys of the file, such as `attr`. */
  attributes?: Readonly<Record<string, unknown>>;
}

const PLACEHOLDER = /^\$\{aws:iot:s3-presigned-url:([^{}]+)\}$/;

/** Job and stream names start with this. */
export const OTA_PREFIX = "AFR_OTA-";

/** The id of the job that carries an update. */
export function otaJobId(updateId: string): string {
  return OTA_PREFIX + updateId;
}

/** @param uuid 36 characters */
export function otaStreamId(uuid: string): string {
  return OTA_PREFIX + uuid;
}

/** A URL that is signed each time the document is delivered (AWS IoT Jobs, "Presigned URLs"). */
export function presignedPlaceholder(url: string): string {
  return `\${aws:iot:s3-presigned-url:${url}}`;
}

/** The document with every placeholder replaced by what `sign` makes of its URL. */
export function signPlaceholders<T>(document: T, sign: (url: string) => string): T {
  if (typeof document === "string") {
    const match = PLACEHOLDER.exec(document);
    return (match ? sign(match[1]) : document) as T;
  }
  if (Array.isArray(document)) return document.map((item) => signPlaceholders(item, sign)) as T;
  if (typeof document !== "object" || document === null) return document;
  const entries = Object.entries(document).map(([key, value]) => [key, signPlaceholders(value, sign)]);
  return Object.fromEntries(entries) as T;
}

/** The job document of an update. `streamId` is needed for MQTT, a `url` in each file for HTTP. */
export function otaDocument(options: {
  protocols: readonly Protocol[];
  streamId?: string;
  files: readonly DocumentFile[];
}): { afr_ota: Record<string, unknown> } {
  const { protocols, streamId, files } = options;
  return {
    afr_ota: {
      protocols: [...protocols],
      ...(streamId === undefined ? {} : { streamname: streamId }),
      files: files.map(fileEntry),
    },
  };
}

function fileEntry(file: DocumentFile): Record<string, unknown> {
  return {
    filepath: file.filePath,
    filesize: file.fileSize,
    fileid: file.fileId,
    certfile: file.certFile,
    fileType: file.fileType,
    ...(file.url === undefined ? {} : { update_data_url: file.url, auth_scheme: "aws.s3.presigned" }),
    ...(file.signature ? { [file.signature.key]: file.signature.value } : {}),
    ...file.attributes,
  };
}
