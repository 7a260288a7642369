/**
 * AWS IoT job documents: text in, a validated job or a typed error out. Pure; never touches a job in progress.
 * @module
 */
import { decodeBase64 } from "../base64.js";
import { decodeUtf8 } from "../bytes.js";
import { OtaError, type OtaErrorCode } from "../errors.js";

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

/** Own keys alone: a name such as `constructor` finds nothing inherited. */
type Fields = Readonly<Partial<Record<string, unknown>>>;

function refuse(what: string, code: OtaErrorCode = "job-parser"): never {
  throw new OtaError(code, `missing or invalid: ${what}`);
}

/** @param what the object's name; without one anything is taken, and what is no object has no fields */
function fieldsOf(value: unknown, what?: string): Fields {
  if (what && (typeof value !== "object" || value === null || Array.isArray(value))) refuse(what);
  return Object.assign(Object.create(null), value);
}

/** An optional text, which has to match `pattern` if there is one; empty when absent. */
function text(fields: Fields, key: string, pattern?: RegExp): string {
  const value = fields[key] ?? "";
  return typeof value === "string" && (!pattern || pattern.test(value)) ? value : refuse(key);
}

/** The integer a number or a text (decimal, or hexadecimal after 0x) stands for; undefined when it is none. */
function integer(value: unknown, max: number): number | undefined {
  // As JSON, since `String` makes a number of [1] as well.
  const digits = /^"?(0x[\da-fA-F]+|0|[1-9]\d*)"?$/.exec(JSON.stringify(value))?.[1];
  const number = Number(digits);
  return number <= max && !Object.is(value, -0) ? number : undefined;
}

/** A required integer of a file. */
function field(file: Fields, key: string, max: number): number {
  return integer(file[key], max) ?? refuse(key);
}

function parseFile(value: unknown, streamName: string): JobFile {
  const file = fieldsOf(value);
  let algorithm: SignatureAlgorithm = "sig-sha256-ecdsa";
  const signature = text(file, algorithm) || text(file, (algorithm = "sig-sha256-rsa"));
  let unknownSignature: string | undefined;
  for (const key of Object.keys(file))
    if (!signature && key.startsWith("sig-") && file[key] !== "") unknownSignature = key;
  return {
    fileId: field(file, "fileid", 255),
    fileSize: field(file, "filesize", 0xffffffff) || refuse("filesize"),
    fileType: "fileType" in file ? field(file, "fileType", 255) : 0,
    filePath: text(file, "filepath"),
    certFile: text(file, "certfile"),
    signature: signature ? { algorithm, bytes: decodeBase64(signature, MAX_SIGNATURE) } : undefined,
    unknownSignature,
    streamName,
    // No space and no control character, which could end the request line of HTTP.
    url: text(file, "update_data_url", /^[!-\uffff]*$/),
  };
}

/** Ours alone to read, and only a memory of an earlier life: what can not be understood counts as absent. */
function parseProgress(value: unknown): JobProgress {
  const details = fieldsOf(value);
  const { image } = details;
  return {
    selfTest: "self_test" in details,
    updatedBy: integer(details["updatedBy"], 0xffffffff),
    image: typeof image === "string" ? image : "",
  };
}

function parseOta(value: unknown): Pick<OtaJob, "protocols" | "files"> {
  const ota = fieldsOf(value);
  const { protocols: offered, files: list } = ota;
  if (!Array.isArray(offered)) refuse("protocols");
  if (!Array.isArray(list) || list.length === 0) refuse("files");
  const streamName = text(ota, "streamname", /^[\w-]{0,128}$/);
  const mqtt = offered.includes("MQTT");
  const http = offered.includes("HTTP");
  const protocols: ("MQTT" | "HTTP")[] = [];
  if (mqtt) protocols.push("MQTT");
  if (http) protocols.push("HTTP");
  const files: JobFile[] = [];
  for (const item of list) {
    const file = parseFile(item, streamName);
    if (!(mqtt && streamName) && !(http && file.url))
      refuse("streamname or update_data_url for the protocols", "data-protocol");
    files.push(file);
  }
  return { protocols, files };
}

/**
 * True when JSON text nests too deep. Text that is not JSON may pass; it is refused later.
 * Brackets inside strings do not count.
 */
function isDeep(json: Uint8Array): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < json.length && depth <= MAX_DEPTH; at++) {
    const byte = json[at];
    // [ and { differ in one bit, ] and } in the same.
    const bracket = byte | 0x20;
    if (byte === 0x22) quoted = !quoted;
    else if (byte === 0x5c) at++;
    else if (!quoted && bracket === 0x7b) depth++;
    else if (!quoted && bracket === 0x7d) depth--;
  }
  return depth > MAX_DEPTH;
}

/**
 * @returns the members of the JSON object `message` is
 * @throws OtaError "job-parser" or "bad-utf8", or a SyntaxError, for what is none, too long or nested too deep
 */
export function parseJson(message: Uint8Array): Fields {
  const readable = message.length <= MAX_LENGTH && !isDeep(message);
  return fieldsOf(readable && JSON.parse(decodeUtf8(message)), "job message");
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
export function parseJob(message: Uint8Array): ParsedJob {
  let kind: ParsedJob["kind"] = "none";
  let clientToken: string | undefined;
  let jobId: string | undefined;
  let executionNumber: number | undefined;
  let document: unknown;
  let job: OtaJob | undefined;
  let error: OtaError | undefined;
  try {
    const envelope = parseJson(message);
    const token = envelope["clientToken"];
    if (typeof token === "string") clientToken = token;
    const execution = fieldsOf(envelope["execution"] ?? {}, "execution");
    if (Object.keys(execution).length > 0) {
      // 64 characters in the API, 72 in the original agent, and none that means something in a topic.
      jobId = text(execution, "jobId", /^[\w-]{1,72}$/);
      executionNumber = integer(execution["executionNumber"], Number.MAX_SAFE_INTEGER);
      document = execution["jobDocument"] ?? refuse("jobDocument");
      kind = "custom";
      const { afr_ota: ota } = fieldsOf(document);
      if (ota !== undefined) {
        const progress = parseProgress(execution["statusDetails"]);
        job = { jobId, executionNumber, progress, ...parseOta(ota), document };
        kind = "ota";
      }
    }
  } catch (cause) {
    kind = "invalid";
    const { code = "job-parser", message: why } = cause as OtaError;
    error = new OtaError(code, why);
  }
  return { kind, clientToken, jobId, executionNumber, document, job, error } as ParsedJob;
}
