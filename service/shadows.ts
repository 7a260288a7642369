/**
 * What devices report of themselves: the `reported` part of their classic shadow (AWS IoT Device Shadow service,
 * "Shadow service documents"), and of the reserved named shadow `$package`. Only that part, and no deltas. Pure logic.
 * @module
 */
import { encodeUtf8 } from "../src/bytes.js";
import type { Publish } from "./delivery.js";
import { seconds } from "./job-views.js";

export type Reported = Readonly<Record<string, unknown>>;

/** "Maximum size of a JSON state document", bytes. */
const DOCUMENT_LIMIT = 8192;
const UPDATE = /^\$aws\/things\/([a-zA-Z0-9:_-]{1,128})\/shadow\/(name\/\$package\/)?update$/;
/** What a package's version may look like in the reserved shadow (AWS IoT: names and versions of software packages). */
const PACKAGE = /^[\w.-]{1,128}$/;
const PACKAGE_VERSION = /^[\w.-]{1,64}$/;

/** Under which what the reserved shadow says is kept beside the classic one. */
export const PACKAGES = "$package";

export interface ShadowOptions {
  /** Milliseconds since 1970. */
  now(): number;
  reported(thingName: string): Reported | undefined;
  /** Replaces what a thing has reported. */
  update(thingName: string, reported: Reported): void;
}

export class ShadowService {
  readonly #options: ShadowOptions;
  readonly #versions = new Map<string, number>();

  constructor(options: ShadowOptions) {
    this.#options = options;
  }

  /**
   * A message that arrived at the service.
   * @returns false when the topic is no update of a shadow
   */
  handle(topic: string, payload: Uint8Array, reply: Publish): boolean {
    const [, thingName, isPackage] = UPDATE.exec(topic) ?? [];
    if (thingName === undefined) return false;
    const answer = (suffix: string, body: object) =>
      reply(`${topic}/${suffix}`, encodeUtf8(JSON.stringify(body)), 1);
    const timestamp = seconds(this.#options.now());
    const read = readUpdate(payload);
    const update = isPackage && typeof read !== "string" ? packagesIn(read) : read;
    if (typeof update === "string") {
      answer("rejected", { code: 400, message: update, timestamp });
      return true;
    }
    const merged = merge(this.#options.reported(thingName) ?? {}, update) as Reported;
    if (JSON.stringify(merged).length > DOCUMENT_LIMIT) {
      answer("rejected", { code: 413, message: "The payload exceeds the maximum size allowed", timestamp });
      return true;
    }
    const version = (this.#versions.get(thingName) ?? 0) + 1;
    this.#versions.set(thingName, version);
    this.#options.update(thingName, merged);
    answer("accepted", { state: { reported: isPackage ? read : update }, version, timestamp });
    return true;
  }
}

/** Packages with their versions, as the reserved shadow holds them; kept under its name. */
function packagesIn(reported: Reported): Reported | string {
  for (const [name, item] of Object.entries(reported)) {
    const version = isObject(item) ? item["version"] : undefined;
    const isGood = item === null || (typeof version === "string" && PACKAGE_VERSION.test(version));
    if (!PACKAGE.test(name) || !isGood) return "State contains an invalid package or version";
  }
  return { [PACKAGES]: reported };
}

/** The reported state in an update, or what is wrong with it. */
function readUpdate(payload: Uint8Array): Reported | string {
  if (payload.length > DOCUMENT_LIMIT) return "The payload exceeds the maximum size allowed";
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    return "Invalid JSON";
  }
  if (!isObject(document) || !isObject(document["state"])) return "Missing required node: state";
  const { reported = {} } = document["state"];
  return isObject(reported) ? reported : "State node reported must be an object";
}

/** Objects are merged, everything else replaces; null removes. */
function merge(before: unknown, change: unknown): unknown {
  if (!isObject(change)) return change;
  const result: Record<string, unknown> = isObject(before) ? { ...before } : {};
  for (const [key, value] of Object.entries(change)) {
    if (key === "__proto__") continue;
    if (value === null) delete result[key];
    else result[key] = merge(result[key], value);
  }
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
