/**
 * AWS IoT job documents: text in, a validated job or a typed error out. Pure; never touches a job in progress.
 * @module
 */
import { decodeBase64 } from "./base64.js";
import { decodeUtf8, encodeUtf8 } from "./bytes.js";
import { OtaError, type OtaErrorCode } from "./errors.js";

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
  /** Without `signature`: the name of one this agent does not know, such as "sig-sha1-rsa". */
  readonly unknownSignature?: string;
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

/** The longest message taken, in bytes: a job document has at most 32768 characters (AWS IoT quotas). */
const MAX_LENGTH = 65536;
/** How deep a message may nest: JSON.parse recurses, and the stack of a device is small. */
const MAX_DEPTH = 32;
/** Bytes of the longest signature: RSA-4096. */
const MAX_SIGNATURE = 512;
/** Job ids have at most 64 characters in the API; the original agent takes 72. */
const MAX_JOB_ID = 72;
/** AWS IoT API reference: stream ids. */
const MAX_STREAM_NAME = 128;

type JsonObject = Readonly<Record<string, unknown>>;

function refuse(why: string, code: OtaErrorCode = "job-parser"): never {
  throw new OtaError(code, why);
}

/** An object's own property: a key such as `__proto__` or `constructor` finds nothing inherited. */
function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An optional text; empty when absent. */
function text(object: JsonObject, key: string): string {
  const value = own(object, key) ?? "";
  if (typeof value !== "string") refuse(`${key} is not a string`);
  return value;
}

/** True for 1…`max` letters, digits, `-` and `_`: nothing that means something in a topic. */
function isName(value: unknown, max: number): value is string {
  if (typeof value !== "string" || value.length === 0 || value.length > max) return false;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    const letter = (code | 32) > 0x60 && (code | 32) < 0x7b;
    if (!letter && !(code > 0x2f && code < 0x3a) && code !== 0x2d && code !== 0x5f) return false;
  }
  return true;
}

/** The integer a number or a text (decimal, or hexadecimal after 0x) stands for; undefined when it is none. */
function integer(value: unknown, max: number): number | undefined {
  if (typeof value === "string") {
    // Number() takes more than digits (spaces, exponents, an empty text): only what it gives back alike counts.
    const number = Number(value);
    const hex = value.slice(0, 2) === "0x" && value.length > 2 && value.length < 16;
    if (!hex && String(number) !== value) return undefined;
    value = number;
  }
  return Number.isSafeInteger(value) &&
    (value as number) >= 0 &&
    (value as number) <= max &&
    !Object.is(value, -0)
    ? (value as number)
    : undefined;
}

/** A required or defaulted integer of a file. */
function field(file: JsonObject, key: string, min: number, max: number, missing?: number): number {
  const raw = own(file, key);
  if (raw === undefined && missing !== undefined) return missing;
  const value = integer(raw, max);
  if (value === undefined || value < min)
    refuse(raw === undefined ? `${key} is missing` : `${key} is not an integer from ${min} to ${max}`);
  return value;
}

function parseSignature(file: JsonObject): Pick<JobFile, "signature" | "unknownSignature"> {
  for (const algorithm of ["sig-sha256-ecdsa", "sig-sha256-rsa"] as const) {
    const encoded = text(file, algorithm);
    if (encoded !== "")
      return {
        signature: { algorithm, bytes: decodeBase64(encoded, MAX_SIGNATURE) },
        unknownSignature: undefined,
      };
  }
  const unknownSignature = Object.keys(file).find((key) => key.startsWith("sig-") && own(file, key) !== "");
  return { signature: undefined, unknownSignature };
}

/** A URL, with nothing in it that would end the request line of HTTP. */
function parseUrl(file: JsonObject): string {
  const url = text(file, "update_data_url");
  for (const character of " \t\r\n\0")
    if (url.includes(character)) refuse("update_data_url has a space or line end");
  return url;
}

function parseFile(file: unknown, streamName: string): JobFile {
  if (!isObject(file)) refuse("a file is not an object");
  return {
    fileId: field(file, "fileid", 0, 255),
    fileSize: field(file, "filesize", 1, 0xffffffff),
    fileType: field(file, "fileType", 0, 255, 0),
    filePath: text(file, "filepath"),
    certFile: text(file, "certfile"),
    ...parseSignature(file),
    streamName,
    url: parseUrl(file),
  };
}

/** Ours alone to read, and only a memory of an earlier life: what can not be understood counts as absent. */
function parseProgress(details: unknown): JobProgress {
  if (!isObject(details)) details = {};
  const object = details as JsonObject;
  const image = own(object, "image");
  return {
    selfTest: Object.hasOwn(object, "self_test"),
    updatedBy: integer(own(object, "updatedBy"), 0xffffffff),
    image: typeof image === "string" ? image : "",
  };
}

function parseOta(ota: unknown): Pick<OtaJob, "protocols" | "files"> {
  if (!isObject(ota)) refuse("afr_ota is not an object");
  const offered = own(ota, "protocols");
  if (!Array.isArray(offered)) refuse("protocols is not an array");
  const protocols = (["MQTT", "HTTP"] as const).filter((protocol) => offered.includes(protocol));
  if (protocols.length === 0) refuse("protocols has neither MQTT nor HTTP", "data-protocol");
  const streamName = text(ota, "streamname");
  if (streamName !== "" && !isName(streamName, MAX_STREAM_NAME)) refuse("streamname is not a stream id");
  const list = own(ota, "files");
  if (!Array.isArray(list) || list.length === 0) refuse("files is not an array of files");
  const files = list.map((file) => parseFile(file, streamName));
  for (const { url } of files) {
    if (!(protocols.includes("MQTT") && streamName) && !(protocols.includes("HTTP") && url))
      refuse("a file has no streamname or update_data_url for the protocols offered", "data-protocol");
  }
  return { protocols, files };
}

/**
 * Checks how deep JSON text nests. Text that is not JSON may pass; it is refused later.
 * Brackets inside strings do not count.
 */
function checkDepth(json: Uint8Array): void {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === 0x22) quoted = !quoted;
    else if (quoted) {
      if (byte === 0x5c) at++;
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > MAX_DEPTH) refuse(`job message nests deeper than ${MAX_DEPTH}`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
}

/** @throws OtaError "job-parser" or "bad-utf8" for what is no JSON object, too long or nested too deep */
export function parseJson(message: string | Uint8Array): JsonObject {
  if (message.length > MAX_LENGTH) refuse(`job message is longer than ${MAX_LENGTH} bytes`);
  const bytes = typeof message === "string" ? encodeUtf8(message) : message;
  if (bytes.length > MAX_LENGTH) refuse(`job message is longer than ${MAX_LENGTH} bytes`);
  checkDepth(bytes);
  const json = decodeUtf8(bytes);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    refuse("job message is not JSON");
  }
  if (!isObject(value)) refuse("job message is not an object");
  return value;
}

/**
 * Reads a `$next/get/accepted` or `notify-next` message. Whatever comes in, the answer is one of the kinds of
 * `ParsedJob`: it never throws. Numbers may be texts, as the original agent takes them.
 *
 * - Longer than 64 KB, not UTF-8, not JSON, nested deeper than 32, or without a usable `execution.jobId`:
 *   "invalid" with no job to report to.
 * - No `execution`, or an empty one: "none".
 * - A job document that is no object, or has no `afr_ota`: "custom".
 * - An `afr_ota` that can not be carried out: "invalid", with an OtaError "job-parser", "data-protocol" or
 *   "bad-base64" to report. A missing signature is not among them: `TrustedKeys` refuses it.
 */
export function parseJob(message: string | Uint8Array): ParsedJob {
  let clientToken: string | undefined;
  let jobId: string | undefined;
  let executionNumber: number | undefined;
  try {
    const envelope = parseJson(message);
    const token = own(envelope, "clientToken");
    if (typeof token === "string") clientToken = token;
    const execution = own(envelope, "execution") ?? {};
    if (!isObject(execution)) refuse("execution is not an object");
    if (Object.keys(execution).length === 0) return { kind: "none", clientToken };
    const id = own(execution, "jobId");
    if (!isName(id, MAX_JOB_ID)) refuse("execution has no usable jobId");
    jobId = id;
    executionNumber = integer(own(execution, "executionNumber"), Number.MAX_SAFE_INTEGER);
    const document = own(execution, "jobDocument");
    if (document === undefined || document === null) refuse("execution has no jobDocument");
    if (!isObject(document) || !Object.hasOwn(document, "afr_ota"))
      return { kind: "custom", clientToken, jobId, executionNumber, document };
    const progress = parseProgress(own(execution, "statusDetails"));
    const job = { jobId, executionNumber, progress, ...parseOta(document["afr_ota"]), document };
    return { kind: "ota", clientToken, job };
  } catch (error) {
    const known = error instanceof OtaError ? error : new OtaError("job-parser", String(error));
    return { kind: "invalid", clientToken, jobId, executionNumber, error: known };
  }
}
