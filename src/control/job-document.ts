/**
 * AWS IoT job documents: text in, a validated job or a typed error out. Pure; never touches a job in progress.
 * @module
 */
import { decodeBase64 } from "../base64.js";
import { checkUtf8, decodeUtf8, toHex } from "../bytes.js";
import { OtaError, type OtaErrorCode } from "../errors.js";
import type { JobReply } from "./job-messages.js";
import { bytesOf, expectEnd, findMembers, JsonCursor, readScalar, startOf } from "./json.js";

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
  /** True when `self_test` is present, and `file` absent or of this job: the image was complete and verified. */
  readonly selfTest: boolean;
  /** `updatedBy`: packed version (major << 24 | minor << 16 | build) that performed the download; undefined when absent. */
  readonly updatedBy: number | undefined;
  /** `image`: version and build id of the image that was installed, as this agent writes it; empty when absent. */
  readonly image: string;
  /** `payload`: which of several files it came by, and its bytes, as this agent writes it; empty when absent. */
  readonly payload: string;
}

export interface OtaJob {
  readonly jobId: string;
  /** Of hawkBit alone: the operator does not leave it to the device when. */
  readonly forced?: boolean;
  /** `execution.executionNumber`; undefined when absent. Higher for a retry of the same job. */
  readonly executionNumber: number | undefined;
  readonly progress: JobProgress;
  /** `afr_ota.protocols`, known ones only. */
  readonly protocols: readonly ("MQTT" | "HTTP")[];
  /** `afr_ota.files`, at least one. */
  readonly files: readonly JobFile[];
  /**
   * The whole `execution.jobDocument` for the application: JSON, as it was sent, made a text each time it is asked for.
   * `JSON.parse` makes values of it; XS then keeps the names of all its members for as long as it runs.
   */
  readonly document: string;
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
      /** `execution.jobDocument`: JSON, as it was sent. */
      readonly document: string;
    }
  /** An OTA job that cannot be carried out; `jobId` is undefined when there is none to report to. */
  | {
      readonly kind: "invalid";
      readonly clientToken: string | undefined;
      readonly jobId: string | undefined;
      readonly executionNumber: number | undefined;
      readonly error: OtaError;
    };

/**
 * The longest message taken, in bytes: a job document has at most 32768 characters (AWS IoT quotas); the rest is room for
 * the execution around it.
 */
export const MAX_JOB_MESSAGE = 40960;
/** Most files in one job (AWS IoT API model, `OTAUpdateFiles`). */
const MAX_FILES = 50;
/** Bytes of the longest signature: RSA-4096. */
const MAX_SIGNATURE = 512;
/** Longest texts that are read, in bytes: base64 with line ends, a presigned URL, anything else. */
const MAX_SIGNATURE_TEXT = 2048;
/** Bytes of a signature that name a job's file. */
const MARK_LENGTH = 4;
const MAX_URL = 8192;
const MAX_TEXT = 1024;

function refuse(what: string, code: OtaErrorCode = "job-parser"): never {
  throw new OtaError(code, `missing or invalid: ${what}`);
}

/** An object of the message, and where members of it are. */
class Fields {
  readonly json: Uint8Array;
  readonly #names: string[];
  /** As `names`: where each member's value begins, −1 for one that is not there. */
  readonly at: number[] = [];
  /** Where the object begins and ends. */
  readonly #start: number;
  end: number;

  constructor(json: Uint8Array, start: number, names: string) {
    this.json = json;
    this.#names = names.split(" ");
    this.#start = start;
    this.end = start;
  }

  /** @throws OtaError "job-parser" for what is no JSON: members in front of the fault are found all the same */
  find(): this {
    this.end = findMembers(this.json, this.#start, this.#names, this.at);
    return this;
  }

  /** Where the member's value begins; −1 when it is absent. */
  offset(name: string): number {
    return this.at[this.#names.indexOf(name)];
  }

  has(name: string): boolean {
    return this.offset(name) >= 0;
  }

  /** The first byte of the member's value; undefined when it is absent. */
  first(name: string): number | undefined {
    return this.json[this.offset(name)];
  }

  scalar(name: string, most = MAX_TEXT): unknown {
    return readScalar(this.json, this.offset(name), most);
  }

  /** The elements of a member that has to be an array. */
  list(name: string): JsonCursor {
    return this.first(name) === 0x5b ? new JsonCursor(this.json, this.offset(name)) : refuse(name);
  }

  /** An optional text, which has to match `pattern` if there is one; empty when absent. */
  text(name: string, pattern?: RegExp, most?: number, code?: OtaErrorCode): string {
    const value = this.scalar(name, most) ?? "";
    return typeof value === "string" && (!pattern || pattern.test(value)) ? value : refuse(name, code);
  }

  /** The integer a number or a text (decimal, or hexadecimal after 0x) stands for; undefined when it is none. */
  integer(name: string, max: number): number | undefined {
    const value = this.scalar(name);
    const digits = /^"?(0x[\da-fA-F]+|0|[1-9]\d*)"?$/.exec(JSON.stringify(value) ?? "")?.[1];
    const number = Number(digits);
    return number <= max && !Object.is(value, -0) ? number : undefined;
  }

  /** A required integer. */
  number(name: string, max: number): number {
    return this.integer(name, max) ?? refuse(name);
  }
}

const FILE = "fileid filesize fileType filepath certfile update_data_url sig-sha256-ecdsa sig-sha256-rsa";

function parseFile(json: Uint8Array, at: number, streamName: string): JobFile {
  const file = new Fields(json, at, FILE).find();
  let algorithm: SignatureAlgorithm = "sig-sha256-ecdsa";
  const sign = (name: SignatureAlgorithm) =>
    file.text(name, undefined, MAX_SIGNATURE_TEXT, file.first(name) === 0x22 ? "bad-base64" : undefined);
  const signature = sign(algorithm) || sign((algorithm = "sig-sha256-rsa"));
  return {
    fileId: file.number("fileid", 255),
    fileSize: file.number("filesize", 0xffffffff) || refuse("filesize"),
    fileType: file.has("fileType") ? file.number("fileType", 255) : 0,
    filePath: file.text("filepath"),
    certFile: file.text("certfile"),
    signature: signature ? { algorithm, bytes: decodeBase64(signature, MAX_SIGNATURE) } : undefined,
    unknownSignature: signature ? undefined : unknownSignature(json, at),
    streamName,
    // No space and no control character, which could end the request line of HTTP.
    url: file.text("update_data_url", /^[!-\uffff]*$/, MAX_URL),
  };
}

/** The name of a signature that a file carries. */
function unknownSignature(json: Uint8Array, at: number): string | undefined {
  let found: string | undefined;
  const cursor = new JsonCursor(json, at);
  while (cursor.next()) {
    const { name } = cursor;
    if (name.startsWith("sig-") && readScalar(json, cursor.value, MAX_SIGNATURE_TEXT) !== "") found = name;
  }
  return found;
}

/** Tells a job from another one that was made anew under its name: the end of its first file's signature, in hexadecimal digits. */
export function fileMark(files: readonly JobFile[]): string {
  const { signature } = files[0];
  return signature ? toHex(signature.bytes.slice(-MARK_LENGTH)) : "";
}

/**
 * Ours alone to read, and only a memory of an earlier life: what cannot be understood counts as absent. So does what was said of
 * another job.
 */
function parseProgress(json: Uint8Array, at: number, files: readonly JobFile[]): JobProgress {
  const details = new Fields(json, at, "self_test updatedBy image payload file").find();
  const text = (name: string) => {
    const value = details.scalar(name);
    return typeof value === "string" ? value : "";
  };
  const mark = text("file");
  return {
    selfTest: details.has("self_test") && (!mark || mark === fileMark(files)),
    updatedBy: details.integer("updatedBy", 0xffffffff),
    image: text("image"),
    payload: text("payload"),
  };
}

function parseOta(json: Uint8Array, at: number): Pick<OtaJob, "protocols" | "files"> {
  const ota = new Fields(json, at, "protocols streamname files").find();
  let mqtt = false;
  let http = false;
  const offered = ota.list("protocols");
  while (offered.next()) {
    const protocol = readScalar(json, offered.value, MAX_TEXT);
    if (protocol === "MQTT") mqtt = true;
    if (protocol === "HTTP") http = true;
  }
  const list = ota.list("files");
  const streamName = ota.text("streamname", /^[\w-]{0,128}$/);
  const protocols: ("MQTT" | "HTTP")[] = [];
  if (mqtt) protocols.push("MQTT");
  if (http) protocols.push("HTTP");
  const files: JobFile[] = [];
  while (list.next()) {
    const file = parseFile(json, list.value, streamName);
    if (!(mqtt && streamName) && !(http && file.url))
      refuse("streamname or update_data_url for the protocols", "data-protocol");
    if (files.push(file) > MAX_FILES) refuse(`files: more than ${MAX_FILES}`);
  }
  if (!files.length) refuse("files");
  return { protocols, files };
}

/** A reply to a status update or a refused request, as far as it can be read: never throws. */
export function parseReply(message: Uint8Array): JobReply {
  const reply = new Fields(message, startOf(message), "clientToken code message executionState");
  const word = (fields: Fields, name: string) => {
    const value = fields.scalar(name);
    return typeof value === "string" ? value : "";
  };
  try {
    expectEnd(message, reply.find().end);
    const state = new Fields(message, reply.offset("executionState"), "status").find();
    return {
      clientToken: word(reply, "clientToken"),
      code: word(reply, "code"),
      message: word(reply, "message"),
      status: word(state, "status"),
    };
  } catch (error) {
    return { clientToken: "", code: "", message: (error as Error).message, status: "" };
  }
}

/**
 * Reads a `$next/get/accepted` or `notify-next` message. Whatever comes in, the answer is one of the kinds of
 * `ParsedJob`: it never throws. Numbers may be texts, as the original agent takes them. What comes out keeps `message`
 * in memory as long as it lives, and beyond it the fields that are read.
 *
 * - Longer than 40 KB, or without a usable `execution.jobId`: "invalid" with no job to report to.
 * - Not JSON or nested deeper than 32 behind the job id, or with a document that is not UTF-8: "invalid", with the job
 *   to report to.
 * - No `execution`, or an empty one: "none".
 * - A job document that is no object, or has no `afr_ota`: "custom".
 * - An `afr_ota` that cannot be carried out: "invalid", with an OtaError "job-parser", "data-protocol" or
 *   "bad-base64" to report. A missing signature is not among them: `TrustedKeys` refuses it.
 */
export function parseJob(message: Uint8Array): ParsedJob {
  let kind: ParsedJob["kind"] = "none";
  let clientToken: string | undefined;
  let jobId: string | undefined;
  let executionNumber: number | undefined;
  let document: Uint8Array | undefined;
  let job: OtaJob | undefined;
  let error: OtaError | undefined;
  try {
    if (message.length > MAX_JOB_MESSAGE) refuse(`job message of ${message.length} bytes`);
    const start = startOf(message);
    if (message[start] !== 0x7b) refuse("job message");
    const envelope = new Fields(message, start, "clientToken execution");
    let fault: unknown;
    const attempt = (action: () => void) => {
      try {
        action();
      } catch (cause) {
        fault ??= cause;
      }
    };
    attempt(() => expectEnd(message, envelope.find().end));
    const token = envelope.scalar("clientToken");
    if (typeof token === "string") clientToken = token;
    const first = envelope.first("execution");
    // Absent or null.
    if (first !== undefined && first !== 0x6e) {
      if (first !== 0x7b) throw fault ?? refuse("execution");
      const names = "jobId executionNumber statusDetails jobDocument";
      const execution = new Fields(message, envelope.offset("execution"), names);
      attempt(() => execution.find());
      const members = new JsonCursor(message, envelope.offset("execution"));
      if (members.next()) {
        // 64 characters in the API, 72 in the original agent, and none that means something in a topic.
        const id = execution.text("jobId", /^[\w-]{0,72}$/) || refuse("jobId");
        jobId = id;
        executionNumber = execution.integer("executionNumber", Number.MAX_SAFE_INTEGER);
        if (fault) throw fault;
        const at = execution.offset("jobDocument");
        if (at < 0 || message[at] === 0x6e) refuse("jobDocument");
        document = bytesOf(message, at);
        checkUtf8(document);
        kind = "custom";
        const ota = new Fields(message, at, "afr_ota").find();
        if (ota.has("afr_ota")) {
          const { protocols, files } = parseOta(message, ota.offset("afr_ota"));
          const progress = parseProgress(message, execution.offset("statusDetails"), files);
          job = withDocument({ jobId: id, executionNumber, progress, protocols, files }, document);
          kind = "ota";
        }
      }
    }
    if (fault) throw fault;
  } catch (cause) {
    kind = "invalid";
    const { code = "job-parser", message: why } = cause as OtaError;
    error = new OtaError(code, why);
  }
  const parsed = { kind, clientToken, jobId, executionNumber, job, error };
  return (document ? withDocument(parsed, document) : parsed) as ParsedJob;
}

/** Adds the text of a document, which takes no memory of its own until somebody reads it. */
export function withDocument<T extends object>(
  to: T,
  document: Uint8Array,
): T & { readonly document: string } {
  return Object.defineProperty(to, "document", {
    enumerable: true,
    get: () => decodeUtf8(document),
  }) as T & { readonly document: string };
}
