/**
 * hawkBit's answers (Direct Device Integration API, hawkBit 1.1: `hawkbit-ddi-api`, `json/model`): JSON in, what the agent
 * works with out. Pure.
 * @module
 */
import { decodeBase64 } from "../base64.js";
import {
  type JobFile,
  type JobProgress,
  type OtaJob,
  type SignatureAlgorithm,
  withDocument,
} from "../control/job-document.js";
import { expectEnd, findMembers, JsonCursor, readScalar, startOf } from "../control/json.js";
import { OtaError } from "../errors.js";

/** Longest texts that are read, bytes. */
const MAX_TEXT = 1024;
const MAX_URL = 8192;
/** Longest signature, bytes: RSA-4096; and in base64 with line ends. */
export const MAX_SIGNATURE = 512;
const MAX_SIGNATURE_TEXT = 2048;
/** Most artifacts of a deployment that are looked at. */
const MAX_FILES = 50;

/** What a deployment says of an artifact. */
interface Artifact {
  readonly name: string;
  readonly size: number;
  readonly url: string;
}

export interface Base {
  /** Milliseconds between two polls, as the server wishes; undefined when it does not say. */
  readonly sleepMs: number | undefined;
  /** Links of the answer; empty when absent. */
  readonly deployment: string;
  readonly cancel: string;
  readonly confirmation: string;
  readonly configData: string;
}

export interface Deployment {
  readonly job: OtaJob;
  /** "skip", "attempt", "forced": whether to fetch, and whether to install. */
  readonly download: string;
  readonly update: string;
  /** "available", "unavailable", or empty without a maintenance window. */
  readonly window: string;
  /** Files whose signature is an artifact of its own, by their place in `job.files`: where it is. */
  readonly detached: readonly { readonly file: number; readonly url: string }[];
}

function refuse(what: string): never {
  throw new OtaError("job-parser", `DDI: missing or invalid: ${what}`);
}

function members(json: Uint8Array, at: number, names: string): number[] {
  const found: number[] = [];
  if (at >= 0) findMembers(json, at, names.split(" "), found);
  else for (const _ of names.split(" ")) found.push(-1);
  return found;
}

function text(json: Uint8Array, at: number, most = MAX_TEXT): string {
  const value = readScalar(json, at, most);
  return typeof value === "string" ? value : "";
}

/** The id of an action as a text: a number or a text of digits. */
function actionId(json: Uint8Array, at: number): string {
  const value = readScalar(json, at, 20);
  const id = typeof value === "number" ? String(value) : value;
  return typeof id === "string" && /^\d{1,19}$/.test(id) ? id : refuse("id");
}

function link(json: Uint8Array, links: number, name: string): string {
  const [at] = members(json, links, name);
  const [href] = members(json, at, "href");
  const url = text(json, href, MAX_URL);
  return /^https?:\/\/[!-~]+$/i.test(url) ? url : "";
}

/** @throws OtaError "job-parser" for what is no JSON object */
function whole(json: Uint8Array, names: string): number[] {
  const start = startOf(json);
  if (json[start] !== 0x7b) refuse("answer");
  const found: number[] = [];
  expectEnd(json, findMembers(json, start, names.split(" "), found));
  return found;
}

/** "HH:MM:SS" as milliseconds. */
function sleepOf(value: string): number | undefined {
  const match = /^(\d{1,2}):([0-5]\d):([0-5]\d)$/.exec(value);
  return match ? ((Number(match[1]) * 60 + Number(match[2])) * 60 + Number(match[3])) * 1000 : undefined;
}

/** The root resource. @throws OtaError "job-parser" */
export function parseBase(json: Uint8Array): Base {
  const [config, links] = whole(json, "config _links");
  const [polling] = members(json, config, "polling");
  const [sleep] = members(json, polling, "sleep");
  return {
    sleepMs: sleepOf(text(json, sleep)),
    deployment: link(json, links, "deploymentBase"),
    cancel: link(json, links, "cancelAction"),
    confirmation: link(json, links, "confirmationBase"),
    configData: link(json, links, "configData"),
  };
}

/** `cancelAction`: the action that is to be stopped. @throws OtaError "job-parser" */
export function parseCancel(json: Uint8Array): string {
  const [cancel] = whole(json, "cancelAction");
  const [stopId] = members(json, cancel, "stopId");
  return actionId(json, stopId);
}

/** `confirmationBase`: the action that waits for a word. @throws OtaError "job-parser" */
export function parseConfirmation(json: Uint8Array): string {
  const [id] = whole(json, "id");
  return actionId(json, id);
}

/** Values of the metadata the agent knows. */
interface Metadata {
  algorithm: SignatureAlgorithm;
  signature: string;
  certFile: string;
}

function parseMetadata(json: Uint8Array, at: number): Metadata {
  const metadata: Metadata = { algorithm: "sig-sha256-ecdsa", signature: "", certFile: "" };
  const cursor = new JsonCursor(json, at);
  while (at >= 0 && cursor.next()) {
    const [key, value] = members(json, cursor.value, "key value");
    const name = text(json, key);
    if (name === "certfile") metadata.certFile = text(json, value);
    if (name === "sig-sha256-ecdsa" || name === "sig-sha256-rsa") {
      metadata.algorithm = name;
      metadata.signature = text(json, value, MAX_SIGNATURE_TEXT);
    }
  }
  return metadata;
}

function parseArtifacts(json: Uint8Array, at: number): Artifact[] {
  const artifacts: Artifact[] = [];
  const cursor = new JsonCursor(json, at);
  while (at >= 0 && cursor.next()) {
    const [name, size, links] = members(json, cursor.value, "filename size _links");
    const bytes = readScalar(json, size, 20);
    artifacts.push({
      name: text(json, name) || refuse("filename"),
      size: typeof bytes === "number" && bytes % 1 === 0 && bytes > 0 && bytes <= 0xffffffff ? bytes : 0,
      url: link(json, links, "download") || link(json, links, "download-http"),
    });
    if (artifacts.length > MAX_FILES) refuse(`artifacts: more than ${MAX_FILES}`);
  }
  return artifacts;
}

/** The artifact `<name>.sig` beside `name`. */
const SIGNATURE = ".sig";

/**
 * What a payload of an image is called in a job: commas of the artifact's name as the semicolons they stand for, which hawkBit
 * lets nobody download (Spring Security's `StrictHttpFirewall`).
 */
function pathOf(name: string): string {
  return name.replace(/,(base=[\da-f]{8}|packed)(,signed=file)?$/, (kind) => kind.replace(/,/g, ";"));
}

/**
 * A deployment as a job: the action's id, a file for each artifact that is no signature, the answer as its document. A signature stands in the module's
 * metadata (`sig-sha256-ecdsa` or `sig-sha256-rsa`, base64; `certfile`), for a module of one image, or lies beside the file as
 * `<name>.sig`.
 * @param parts file types of module types; one that is not there is refused
 * @param progress what an earlier life remembers of this action
 * @throws OtaError "job-parser"; "bad-base64". `actionOf` tells whose
 */
export function parseDeployment(
  json: Uint8Array,
  parts: Readonly<Partial<Record<string, number>>>,
  progress: (jobId: string) => JobProgress,
): Deployment {
  const [id, deployment] = whole(json, "id deployment");
  const jobId = actionId(json, id);
  const [download, update, window, chunks] = members(
    json,
    deployment,
    "download update maintenanceWindow chunks",
  );
  const files: JobFile[] = [];
  const detached: { file: number; url: string }[] = [];
  const cursor = new JsonCursor(json, chunks);
  while (chunks >= 0 && cursor.next()) {
    const [part, artifactsAt, metadataAt] = members(json, cursor.value, "part artifacts metadata");
    const type = text(json, part);
    const fileType = parts[type];
    // Whatever else a name finds, such as a method that every object has, is no file type.
    if (typeof fileType !== "number") refuse(`part "${type}" means nothing to this device`);
    const metadata = parseMetadata(json, metadataAt);
    const artifacts = parseArtifacts(json, artifactsAt);
    const named = artifacts.filter(({ name }) => !name.endsWith(SIGNATURE));
    // Deltas and the compressed image have the signature of the image they make.
    const images = named.filter(({ name }) => !pathOf(name).includes(";"));
    for (const { name, size, url } of named) {
      const beside = artifacts.find((other) => other.name === name + SIGNATURE);
      // A file's own comes first: what is signed for itself has another than the image.
      const inside = images.length <= 1 && !beside ? metadata.signature : "";
      if (beside) detached.push({ file: files.length, url: beside.url || refuse("link of the signature") });
      files.push({
        fileId: files.length,
        fileSize: size || refuse("size"),
        fileType,
        filePath: pathOf(name),
        certFile: metadata.certFile,
        signature: inside
          ? { algorithm: metadata.algorithm, bytes: decodeBase64(inside, MAX_SIGNATURE) }
          : undefined,
        streamName: "",
        url: url || refuse("link of the artifact"),
      });
      if (files.length > MAX_FILES) refuse(`artifacts: more than ${MAX_FILES}`);
    }
  }
  if (!files.length) refuse("artifacts");
  const handling = text(json, download);
  const job = {
    ...{ jobId, executionNumber: undefined, files, forced: handling === "forced" },
    ...{ progress: progress(jobId), protocols: ["HTTP"] as const },
  };
  return {
    // The body is this answer's alone.
    job: withDocument(job, json),
    download: handling,
    update: text(json, update),
    window: text(json, window),
    detached,
  };
}

/** The action a deployment is of, although it cannot be carried out; empty when it does not say. */
export function actionOf(json: Uint8Array): string {
  try {
    const [id] = whole(json, "id");
    return actionId(json, id);
  } catch {
    return "";
  }
}
