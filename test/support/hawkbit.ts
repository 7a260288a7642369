/**
 * hawkBit's device side (DDI) as its sources have it, for one target: which links there are, what each call answers, which
 * feedback ends an action. Rules from hawkBit 1.1 (eclipse-hawkbit/hawkbit, commit 67ca1c43): `DdiRootController`,
 * `DataConversionHelper`, `AbstractJpaActionManagement`, `JpaControllerManagement`, `RestConfiguration`,
 * `HawkbitSecurityProperties`. Pure: runs on Node and on XS.
 * @module
 */
import { decodeUtf8, encodeUtf8 } from "../../src/bytes.js";

export interface HawkbitArtifact {
  readonly filename: string;
  readonly content: Uint8Array;
}

export interface HawkbitModule {
  /** Type of the module: "os", "application" … */
  readonly type: string;
  readonly version: string;
  readonly name: string;
  readonly artifacts: readonly HawkbitArtifact[];
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface HawkbitAction {
  readonly id: number;
  readonly modules: readonly HawkbitModule[];
  type: "forced" | "soft" | "download_only";
  /** Undefined without a maintenance schedule. */
  window: boolean | undefined;
  /** 0 to 1000; the heaviest active action comes first, of these the oldest. */
  readonly weight: number;
  status: "running" | "waiting" | "canceling" | "canceled" | "finished" | "error" | "downloaded";
  active: boolean;
  /** Feedback as it came, and what the server noted itself. */
  readonly history: { status: string; messages: readonly string[] }[];
}

export interface HawkbitRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export interface HawkbitResponse {
  status: number;
  headers?: Record<string, string>;
  body?: Uint8Array;
}

/** `maxStatusEntriesPerAction`, `maxMessagesPerActionStatus`, `maxAttributeEntriesPerTarget` */
const MAX_STATUSES = 1000;
const MAX_MESSAGES = 50;
const MAX_ATTRIBUTES = 100;
/** `JpaActionStatus.MESSAGE_ENTRY_LENGTH`: what is longer would be cut into pieces; here it is an error. */
const MAX_MESSAGE = 512;
/** `Target.CONTROLLER_ATTRIBUTE_MAX_KEY_SIZE` */
const MAX_ATTRIBUTE = 128;
const EXECUTIONS = "closed proceeding canceled scheduled rejected resumed downloaded download".split(" ");
const RESULTS = "success failure none".split(" ");

class Answer extends Error {
  readonly response: HawkbitResponse;
  constructor(status: number, errorCode = "") {
    super(`status ${status}`);
    this.response = { status, body: errorCode ? encodeUtf8(JSON.stringify({ errorCode })) : undefined };
  }
}

function refuse(status: number, errorCode?: string): never {
  throw new Answer(status, errorCode);
}

export class Hawkbit {
  readonly root = "https://hawkbit.example/DEFAULT/controller/v1/device-1";
  readonly token = "TargetToken bH7XXAprK1ChnLfKSdtlsp7NOlPnZAYY";
  readonly actions: HawkbitAction[] = [];
  readonly attributes = new Map<string, string>();
  /** Attributes are asked for, as of every new target. */
  attributesWanted = true;
  /** "HH:MM:SS" */
  sleep = "00:05:00";
  /** Actions wait for the device's consent. */
  confirmation = false;
  /** Assignments do not cancel each other: the heaviest comes first (`findActiveActionWithHighestWeight`). */
  multiAssignments = false;
  /** Every request that came, "METHOD path". */
  readonly log: string[] = [];
  /** Faults: an answer in place of the server's own; may be set at any time. */
  intercept: ((request: HawkbitRequest) => HawkbitResponse | undefined) | undefined;
  #actions = 40;

  assign(
    modules: readonly HawkbitModule[],
    options: { type?: HawkbitAction["type"]; window?: boolean; weight?: number } = {},
  ): HawkbitAction {
    const { type = "forced", window, weight = 0 } = options;
    // `ArtifactManagement.create`: one file of a name in a module.
    for (const { artifacts } of modules)
      if (new Set(artifacts.map(({ filename }) => filename)).size < artifacts.length)
        throw new Error("a module has two artifacts of one name");
    // A new assignment cancels what is active, unless the tenant has several at a time.
    if (!this.multiAssignments) for (const action of this.actions) if (action.active) this.cancel(action);
    const status = this.confirmation ? "waiting" : "running";
    const action: HawkbitAction = {
      id: ++this.#actions,
      modules,
      type,
      window,
      weight,
      status,
      active: true,
      history: [],
    };
    this.actions.push(action);
    return action;
  }

  /** `cancelAction`: the device is asked to stop; it stays active until it says that it has. */
  cancel(action: HawkbitAction): void {
    if (action.active) action.status = action.status === "waiting" ? "canceled" : "canceling";
    if (action.status === "canceled") action.active = false;
  }

  /** `forceQuit`: over, whatever the device says. */
  forceQuit(action: HawkbitAction): void {
    action.status = "canceled";
    action.active = false;
  }

  handle(request: HawkbitRequest): HawkbitResponse {
    const path = request.url.slice(this.root.length);
    this.log.push(`${request.method} ${path}`);
    const own = this.intercept?.(request);
    if (own) return own;
    try {
      // Spring Security's StrictHttpFirewall, as it comes.
      if (/;|%3b/i.test(path.split("?")[0])) refuse(400);
      if (!request.url.startsWith(this.root)) refuse(404);
      if (request.headers.get("authorization") !== this.token) refuse(401);
      return this.#route(request, path.split("?")[0]);
    } catch (error) {
      if (!(error instanceof Answer)) throw error;
      return error.response;
    }
  }

  #route(request: HawkbitRequest, path: string): HawkbitResponse {
    const { method } = request;
    const [, resource = "", id = "", feedback] = path.split("/");
    if (resource === "") return method === "GET" ? this.#base() : refuse(405);
    if (resource === "configData") return method === "PUT" ? this.#configData(request) : refuse(405);
    if (resource === "softwaremodules") return method === "GET" ? this.#download(request, path) : refuse(405);
    const action = this.actions.find((one) => String(one.id) === id);
    if (!action) refuse(404, "hawkbit.server.error.repo.entitiyNotFound");
    const canceling = action.status === "canceling" || action.status === "canceled";
    const waiting = action.status === "waiting";
    if (feedback === "feedback") {
      if (method !== "POST") refuse(405);
      const body = parsed(request);
      if (resource === "deploymentBase") return this.#deploymentFeedback(action, body);
      if (resource === "cancelAction") return this.#cancelFeedback(action, body);
      if (resource === "confirmationBase") return this.#confirmationFeedback(action, body);
      refuse(404);
    }
    if (method !== "GET") refuse(405);
    if (resource === "deploymentBase") {
      if (canceling || waiting) refuse(404);
      this.#retrieved(action, "Target retrieved update action and should start now the download.");
      return this.#json(this.#deployment(action));
    }
    if (resource === "cancelAction") {
      if (!canceling) refuse(404);
      this.#retrieved(action, "Target retrieved cancel action and should start now the cancellation.");
      return this.#json({ id: String(action.id), cancelAction: { stopId: String(action.id) } });
    }
    if (resource === "confirmationBase") {
      if (canceling || !waiting) refuse(404);
      return this.#json({ id: String(action.id), confirmation: this.#deployment(action).deployment });
    }
    return refuse(404);
  }

  #json(value: unknown): HawkbitResponse {
    const body = encodeUtf8(JSON.stringify(value));
    // Tomcat sends it in chunks: no length is announced.
    return { status: 200, headers: { "content-type": "application/json" }, body };
  }

  #base(): HawkbitResponse {
    const [active] = this.actions.filter((action) => action.active).sort((a, b) => b.weight - a.weight);
    const links: Record<string, { href: string }> = {};
    const link = (name: string, path: string) => {
      links[name] = { href: this.root + path };
    };
    if (active) {
      const { id, status } = active;
      if (status === "waiting") link("confirmationBase", `/confirmationBase/${id}?c=${id * 31}`);
      else if (status === "canceling") link("cancelAction", `/cancelAction/${id}`);
      else link("deploymentBase", `/deploymentBase/${id}?c=-${id * 31}`);
    }
    const installed = this.actions.filter((action) => action.status === "finished").pop();
    if (installed) link("installedBase", `/installedBase/${installed.id}`);
    if (this.attributesWanted) link("configData", "/configData");
    return this.#json({ config: { polling: { sleep: this.sleep } }, _links: links });
  }

  #deployment(action: HawkbitAction) {
    const { id, modules, type, window } = action;
    const download = type === "soft" ? "attempt" : "forced";
    const update = type === "download_only" || window === false ? "skip" : download;
    const chunks = modules.map((module, n) => ({
      part: module.type === "application" ? "bApp" : module.type,
      version: module.version,
      name: module.name,
      artifacts: module.artifacts.map(({ filename, content }) => ({
        filename,
        hashes: { sha1: "0".repeat(40), md5: "0".repeat(32), sha256: "0".repeat(64) },
        size: content.length,
        _links: {
          download: { href: `${this.root}/softwaremodules/${id}.${n}/artifacts/${filename}` },
          md5sum: { href: `${this.root}/softwaremodules/${id}.${n}/artifacts/${filename}.MD5SUM` },
        },
      })),
      ...(module.metadata && {
        metadata: Object.entries(module.metadata).map(([key, value]) => ({ key, value })),
      }),
    }));
    const maintenance =
      window === undefined ? {} : { maintenanceWindow: window ? "available" : "unavailable" };
    return { id: String(id), deployment: { download, update, ...maintenance, chunks } };
  }

  /** Statuses between the first and the last are counted. */
  #note(action: HawkbitAction, status: string, messages: readonly string[]): void {
    const intermediate = status !== "finished" && status !== "error";
    if (intermediate && action.history.length >= MAX_STATUSES)
      refuse(429, "hawkbit.server.error.quota.tooManyEntries");
    if (messages.length > MAX_MESSAGES) refuse(429, "hawkbit.server.error.quota.tooManyEntries");
    if (messages.some((text) => text.length > MAX_MESSAGE)) refuse(500);
    action.history.push({ status, messages });
  }

  /** `handleRegisterRetrieved`: once in a row, whatever the quota. */
  #retrieved({ history }: HawkbitAction, message: string): void {
    if (history[history.length - 1]?.status !== "retrieved")
      history.push({ status: "retrieved", messages: [`Update Server: ${message}`] });
  }

  #deploymentFeedback(action: HawkbitAction, body: Feedback): HawkbitResponse {
    if (action.status === "waiting") refuse(404);
    if (!action.active) refuse(410);
    const { execution, result, details = [] } = body.status;
    if (execution === "closed") {
      const failed = result.finished === "failure";
      this.#note(action, failed ? "error" : "finished", details);
      action.status = failed ? "error" : "finished";
      action.active = false;
      if (!failed) this.attributesWanted = true;
    } else {
      this.#note(action, execution, details);
      if (execution === "canceled") {
        action.status = "canceled";
        action.active = false;
      }
      if (execution === "downloaded" && action.type === "download_only") {
        action.status = "downloaded";
        action.active = false;
      }
    }
    return { status: 200 };
  }

  #cancelFeedback(action: HawkbitAction, body: Feedback): HawkbitResponse {
    if (action.status !== "canceling") refuse(405, "hawkbit.server.error.action.notCancelable");
    const { execution, result, details = [] } = body.status;
    this.#note(action, `cancel ${execution}`, details);
    if (execution === "closed" && result.finished !== "failure") {
      action.status = "canceled";
      action.active = false;
    } else if (execution === "closed" || execution === "rejected") action.status = "running";
    return { status: 200 };
  }

  #confirmationFeedback(action: HawkbitAction, body: unknown): HawkbitResponse {
    const { confirmation } = body as { confirmation?: unknown };
    if (confirmation !== "confirmed" && confirmation !== "denied") refuse(400);
    if (!action.active) refuse(410);
    if (action.status !== "waiting") refuse(404);
    // Denied, it goes on waiting.
    if (confirmation === "confirmed") action.status = "running";
    return { status: 200 };
  }

  #configData(request: HawkbitRequest): HawkbitResponse {
    const { data, mode = "merge" } = parsed(request, true) as {
      data?: Record<string, string>;
      mode?: string;
    };
    if (typeof data !== "object" || data === null || Object.keys(data).length === 0) refuse(400);
    if (!["merge", "replace", "remove"].includes(mode)) refuse(400);
    for (const [key, value] of Object.entries(data))
      if (!fits(key) || typeof value !== "string" || !fits(value))
        refuse(400, "hawkbit.server.error.repo.invalidTargetAttributes");
    for (const [key, value] of Object.entries(data)) this.attributes.set(key, value);
    if (this.attributes.size > MAX_ATTRIBUTES) refuse(429, "hawkbit.server.error.quota.tooManyEntries");
    this.attributesWanted = false;
    return { status: 200 };
  }

  #download({ headers }: HawkbitRequest, path: string): HawkbitResponse {
    const [, , module, , filename] = path.split("/");
    const [id, n] = module.split(".").map(Number);
    const action = this.actions.find((one) => one.id === id);
    const artifact = action?.modules[n]?.artifacts.find((one) => one.filename === filename);
    // Only what is assigned, and not to be stopped, may be fetched (`getActionForDownloadByTargetAndSoftwareModule`).
    if (!action?.active || action.status === "canceling" || action.status === "waiting" || !artifact)
      refuse(404);
    const { content } = artifact;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.get("range") ?? "") ?? [];
    if (from === undefined) {
      this.#note(action, "download", ["Update Server: Target downloads"]);
      return { status: 200, headers: { "content-length": String(content.length) }, body: content };
    }
    if (Number(from) >= content.length) return { status: 416 };
    const last = Math.min(Number(to), content.length - 1);
    return {
      status: 206,
      headers: {
        "content-range": `bytes ${from}-${last}/${content.length}`,
        "content-length": String(last - Number(from) + 1),
      },
      body: content.subarray(Number(from), last + 1),
    };
  }
}

interface Feedback {
  readonly status: {
    readonly execution: string;
    readonly result: { readonly finished: string };
    readonly details?: readonly string[];
  };
}

function fits(text: string): boolean {
  return text.length <= MAX_ATTRIBUTE && /^[ -~]*$/.test(text);
}

/** JSON as the API demands it. */
function parsed({ headers, body }: HawkbitRequest, any = false): Feedback {
  if (headers.get("content-type") !== "application/json") refuse(415);
  let value: Feedback;
  try {
    value = JSON.parse(decodeUtf8(body)) as Feedback;
  } catch {
    return refuse(400, "hawkbit.server.error.rest.body.notReadable");
  }
  if (any || "confirmation" in value) return value;
  const { status } = value;
  if (!EXECUTIONS.includes(status?.execution) || !RESULTS.includes(status?.result?.finished)) refuse(400);
  const { details = [] } = status;
  if (!Array.isArray(details) || details.some((text) => typeof text !== "string")) refuse(400);
  return value;
}
