/**
 * The device side of Eclipse hawkBit (Direct Device Integration) for the jobs of this service, beside MQTT: polling, attributes,
 * deployments, feedback, cancellation, artifacts with ranges. What answers what is taken from hawkBit's sources
 * (eclipse-hawkbit/hawkbit, commit 67ca1c43: `DdiRootController`, `DataConversionHelper`, `JpaControllerManagement`). An execution is
 * an action; a retry is a new one. There are no maintenance windows and no confirmation here.
 * @module
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { plainDetails } from "../src/control/words.js";
import { ServiceError } from "./errors.js";
import { HostCheck } from "./hosts.js";
import { parseRange, type Served } from "./http.js";
import type { DevelopmentService } from "./index.js";
import { checkThingName, type Execution, isTerminal } from "./job-records.js";
import { streamOf } from "./updates.js";

export interface DdiServerOptions {
  readonly service: Pick<DevelopmentService, "jobs" | "streams" | "device" | "editDevice" | "settled">;
  /** Address to listen on; default: loopback. */
  readonly host?: string;
  /** Default: one that is free. */
  readonly port?: number;
  /** A further name of this machine. */
  readonly advertise?: string;
  /** Serves HTTPS: server certificate (with its chain) and key in PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** The gateway token devices have to show. Default: any token will do, as any client id does for MQTT. */
  readonly token?: string;
  /** How often devices are to poll, "HH:MM:SS". Default: every 30 seconds, hawkBit's least. */
  readonly sleep?: string;
}

/** `maxStatusEntriesPerAction`, `maxMessagesPerActionStatus`, `maxAttributeEntriesPerTarget` (HawkbitSecurityProperties, dos) */
const MAX_STATUSES = 1000;
const MAX_MESSAGES = 50;
const MAX_ATTRIBUTES = 100;
/** `Target.CONTROLLER_ATTRIBUTE_MAX_KEY_SIZE` */
const MAX_ATTRIBUTE = 128;
/** Longest body of a request, bytes. */
const MAX_BODY = 65_536;
/** How long a device is told of a job that was cancelled under its hands, ms. */
const CANCEL_MS = 86_400_000;
const EXECUTIONS = "closed proceeding canceled scheduled rejected resumed downloaded download".split(" ");
const RESULTS = "success failure none".split(" ");
const QUOTA = "hawkbit.server.error.quota.tooManyEntries";

/** An answer that is none of success. */
class Refusal extends Error {
  readonly status: number;
  readonly errorCode: string;
  constructor(status: number, errorCode = "", message = "") {
    super(message || `status ${status}`);
    this.status = status;
    this.errorCode = errorCode;
  }
}

/** An artifact: a file of a job. */
interface Artifact {
  readonly filename: string;
  readonly fileType: number;
  readonly bytes: Uint8Array;
  readonly signature: readonly [key: string, value: string] | undefined;
  readonly certFile: string;
}

export class DdiServer {
  readonly #options: DdiServerOptions;
  readonly #hosts: HostCheck;
  readonly #server: Server;
  readonly #attributes = new Map<string, Map<string, string>>();
  /** Statuses of an action so far. */
  readonly #statuses = new Map<string, number>();
  /** Actions whose devices have asked what they are. */
  readonly #retrieved = new Set<string>();
  /** Cancelled actions whose devices know. */
  readonly #stopped = new Set<string>();
  /** Of artifacts. */
  readonly served: Served = { requests: 0, bytes: 0 };
  #origin = "";

  /** @throws Error when the address cannot be used */
  static async start(options: DdiServerOptions): Promise<DdiServer> {
    const server = new DdiServer(options);
    const { host = "127.0.0.1", port = 0, advertise = host, tls } = options;
    await new Promise<void>((resolve, reject) => {
      server.#server.once("error", reject);
      server.#server.listen(port, host, () => {
        server.#server.removeListener("error", reject);
        resolve();
      });
    });
    const { port: bound } = server.#server.address() as AddressInfo;
    const name = advertise.includes(":") ? `[${advertise}]` : advertise;
    server.#origin = `${tls ? "https" : "http"}://${name}:${bound}`;
    return server;
  }

  private constructor(options: DdiServerOptions) {
    this.#options = options;
    this.#hosts = new HostCheck(options.tls ? "https" : "http", options.advertise ? [options.advertise] : []);
    const answer = (request: IncomingMessage, response: ServerResponse) =>
      void this.#answer(request, response).catch((error: unknown) => refuse(response, error));
    this.#server = options.tls ? createTlsServer(options.tls, answer) : createServer(answer);
  }

  /** `http://host:port` or `https://host:port`; devices ask below `/DEFAULT/controller/v1/<thing name>`. */
  get origin(): string {
    return this.#origin;
  }

  /** What a device has said of itself. */
  attributes(thingName: string): ReadonlyMap<string, string> {
    return this.#attributes.get(thingName) ?? new Map();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Spring Security's StrictHttpFirewall.
    if (/;|%3b/i.test(request.url?.split("?")[0] ?? "")) throw new Refusal(400);
    const url = this.#hosts.check(request);
    if (!(url instanceof URL)) throw new Refusal(url.status, "", url.message);
    const { token } = this.#options;
    const { authorization = "" } = request.headers;
    const isKnown =
      token === undefined
        ? /^(Target|Gateway)Token \S+$/.test(authorization)
        : authorization === `GatewayToken ${token}`;
    if (!isKnown) throw new Refusal(401);
    const [, tenant, controller, version, id, resource = "", action = "", more, name, ...rest] = url.pathname
      .split("/")
      .map(decode);
    if (!tenant || controller !== "controller" || version !== "v1" || !id || rest.length)
      throw new Refusal(404);
    try {
      checkThingName(id);
    } catch {
      throw new Refusal(400);
    }
    const root = `${originOf(request, this.#options.tls !== undefined)}/${tenant}/controller/v1/${encodeURIComponent(id)}`;
    const method = (wanted: string) => {
      if (request.method !== wanted) throw new Refusal(405);
    };
    if (resource === "") {
      method("GET");
      return json(response, this.#base(id, root));
    }
    if (resource === "configData" && !action) {
      method("PUT");
      this.#configData(id, await bodyOf(request));
      return done(response);
    }
    if (!this.#options.service.device(id)) throw new Refusal(404);
    const execution = this.#executions(id).find((one) => idOf(one) === action);
    if (!execution) throw new Refusal(404, "hawkbit.server.error.repo.entitiyNotFound");
    if (resource === "softwaremodules" && more === "artifacts" && name) {
      method("GET");
      this.served.requests++;
      return this.#download(execution, name, request, response);
    }
    if (more === "feedback" && name === undefined) {
      method("POST");
      const feedback = feedbackOf(await bodyOf(request));
      if (resource === "deploymentBase") this.#feedback(execution, feedback);
      else if (resource === "cancelAction") this.#cancelFeedback(execution);
      else throw new Refusal(404);
      // A status counts once it is on the disk, too.
      await this.#options.service.settled();
      return done(response);
    }
    if (more !== undefined) throw new Refusal(404);
    method("GET");
    if (resource === "deploymentBase" && execution.status !== "CANCELED")
      return json(response, this.#deployment(execution, root));
    if (resource === "cancelAction" && execution.status === "CANCELED")
      return json(response, { id: action, cancelAction: { stopId: action } });
    throw new Refusal(404);
  }

  #executions(thingName: string): Execution[] {
    return this.#options.service.jobs.executions({ thingName });
  }

  #base(thingName: string, root: string): object {
    const { service, sleep = "00:00:30" } = this.#options;
    // Whoever asks is a target from now on.
    if (!service.device(thingName)) service.editDevice(thingName, {});
    const links: Record<string, { href: string }> = {};
    const cancelled = this.#executions(thingName).find((execution) => this.#isToBeStopped(execution));
    const pending = service.jobs
      .pending(thingName)
      .find((execution) => this.#artifacts(execution).length > 0);
    if (cancelled) links["cancelAction"] = { href: `${root}/cancelAction/${idOf(cancelled)}` };
    else if (pending) {
      const id = idOf(pending);
      links["deploymentBase"] = { href: `${root}/deploymentBase/${id}?c=${pending.queuedAt % 0x7fff_ffff}` };
    }
    if (!this.#attributes.has(thingName)) links["configData"] = { href: `${root}/configData` };
    return { config: { polling: { sleep } }, _links: links };
  }

  /** It was cancelled after the device had heard of it, and the device has not said that it has stopped. */
  #isToBeStopped(execution: Execution): boolean {
    return (
      execution.status === "CANCELED" &&
      (execution.startedAt !== undefined || this.#retrieved.has(idOf(execution))) &&
      this.#options.service.jobs.now() - execution.lastUpdatedAt < CANCEL_MS &&
      !this.#stopped.has(idOf(execution))
    );
  }

  #deployment(execution: Execution, root: string): object {
    const id = idOf(execution);
    this.#retrieved.add(id);
    const artifacts = this.#artifacts(execution);
    const types = [...new Set(artifacts.map(({ fileType }) => fileType))];
    const chunks = types.map((type) => {
      const own = artifacts.filter(({ fileType }) => fileType === type);
      const [{ signature, certFile }] = own;
      return {
        part: type === 0 ? "os" : `type-${type}`,
        version: "1",
        name: execution.jobId,
        artifacts: own.map(({ filename, bytes }) => {
          const href = `${root}/softwaremodules/${id}/artifacts/${encodeURIComponent(filename)}`;
          const [sha1, md5, sha256] = ["sha1", "md5", "sha256"].map((name) => digest(name, bytes));
          return {
            filename,
            hashes: { sha1, md5, sha256 },
            size: bytes.length,
            _links: { download: { href }, md5sum: { href: `${href}.MD5SUM` } },
          };
        }),
        metadata: signature && [
          { key: signature[0], value: signature[1] },
          { key: "certfile", value: certFile },
        ],
      };
    });
    return { id, deployment: { download: "forced", update: "forced", chunks } };
  }

  /** The files of a job; none of one that is not an update, or whose files this service does not have. */
  #artifacts({ jobId }: Execution): Artifact[] {
    const { jobs, streams } = this.#options.service;
    const job = jobs.job(jobId);
    const ota = job.document["afr_ota"] as { files?: Record<string, unknown>[] } | undefined;
    const streamId = streamOf(job);
    const stream = streamId && streams.has(streamId) ? streams.stream(streamId) : undefined;
    const artifacts = (ota?.files ?? []).flatMap((file): Artifact[] => {
      const content = stream?.files.find(({ fileId }) => fileId === file["fileid"]);
      if (!content) return [];
      const key = Object.keys(file).find((name) => name.startsWith("sig-"));
      const path = String(file["filepath"]);
      return [
        {
          // Names with a semicolon are not to be downloaded from hawkBit.
          filename: path.slice(path.lastIndexOf("/") + 1).replaceAll(";", ",") || "image",
          fileType: Number(file["fileType"] ?? 0),
          bytes: content.read(0, content.byteLength),
          signature: key === undefined ? undefined : [key, String(file[key])],
          certFile: String(file["certfile"] ?? ""),
        },
      ];
    });
    // A module has one signature: that of the image.
    const [first] = artifacts;
    return artifacts.filter(
      ({ fileType, signature }) => fileType !== first.fileType || signature?.[1] === first.signature?.[1],
    );
  }

  #feedback(execution: Execution, { status }: Feedback): void {
    if (isTerminal(execution.status)) throw new Refusal(410);
    const { jobs } = this.#options.service;
    const { execution: step, result, details = [] } = status;
    const id = idOf(execution);
    const ends = step === "closed" || step === "canceled";
    const count = (this.#statuses.get(id) ?? 0) + 1;
    if (details.length > MAX_MESSAGES || (!ends && count > MAX_STATUSES)) throw new Refusal(429, QUOTA);
    this.#statuses.set(id, count);
    const statusDetails: Record<string, string> = {};
    for (const text of details) {
      const [, key, value] = /^([\w-]{1,64}): (.*)$/s.exec(text) ?? [undefined, "message", text];
      statusDetails[key as string] = value as string;
    }
    if (details.length === 0) statusDetails["message"] = `the device says "${step}"`;
    const failed = step === "canceled" || result.finished === "failure";
    const next = ends ? (failed ? "FAILED" : "SUCCEEDED") : "IN_PROGRESS";
    jobs.transact(execution.thingName, () =>
      jobs.change(execution, { status: next, statusDetails: plainDetails(statusDetails) }),
    );
    if (!ends) return;
    this.#statuses.delete(id);
    this.#retrieved.delete(id);
    // What it says of itself may have changed.
    this.#attributes.delete(execution.thingName);
  }

  #cancelFeedback(execution: Execution): void {
    if (execution.status !== "CANCELED") throw new Refusal(405, "hawkbit.server.error.action.notCancelable");
    this.#stopped.add(idOf(execution));
  }

  #configData(thingName: string, body: unknown): void {
    const { data, mode = "merge" } = (body ?? {}) as { data?: Record<string, unknown>; mode?: string };
    const entries = typeof data === "object" && data !== null ? Object.entries(data) : [];
    if (!entries.length || !["merge", "replace", "remove"].includes(mode)) throw new Refusal(400);
    const fits = (text: unknown) => typeof text === "string" && text.length <= MAX_ATTRIBUTE;
    if (!entries.every(([key, value]) => fits(key) && fits(value)))
      throw new Refusal(400, "hawkbit.server.error.repo.invalidTargetAttributes");
    const own = new Map(mode === "replace" ? [] : this.#attributes.get(thingName));
    for (const [key, value] of entries)
      if (mode === "remove") own.delete(key);
      else own.set(key, String(value));
    if (own.size > MAX_ATTRIBUTES) throw new Refusal(429, QUOTA);
    if (!this.#options.service.device(thingName)) throw new Refusal(404);
    this.#attributes.set(thingName, own);
  }

  #download(execution: Execution, name: string, request: IncomingMessage, response: ServerResponse): void {
    const wanted = name.replace(/\.MD5SUM$/, "");
    const artifact = this.#artifacts(execution).find(({ filename }) => filename === wanted);
    if (!artifact || isTerminal(execution.status)) throw new Refusal(404);
    const { bytes, filename } = artifact;
    if (wanted !== name) {
      response.writeHead(200, { "content-type": "text/plain" });
      response.end(`${digest("md5", bytes)}  ${filename}`);
      return;
    }
    const etag = digest("sha1", bytes);
    const { "if-match": ifMatch, "if-range": ifRange, range: header } = request.headers;
    const bare = (value: string) => value.replace(/^"|"$/g, "");
    if (
      ifMatch !== undefined &&
      ifMatch !== "*" &&
      !ifMatch
        .split(/\s*,\s*/)
        .map(bare)
        .includes(etag)
    )
      throw new Refusal(412);
    const current = ifRange === undefined || bare(String(ifRange)) === etag;
    const range = header !== undefined && current ? parseRange(header, bytes.length) : undefined;
    if (range === "unsatisfiable") {
      response.writeHead(416, { "content-range": `bytes */${bytes.length}` });
      response.end();
      return;
    }
    const body = range ? bytes.subarray(range.first, range.last + 1) : bytes;
    this.served.bytes += body.length;
    response.writeHead(range ? 206 : 200, {
      ...{ "accept-ranges": "bytes", etag: `"${etag}"`, "content-length": body.length },
      "content-type": "application/octet-stream",
      ...(range && { "content-range": `bytes ${range.first}-${range.last}/${bytes.length}` }),
    });
    response.end(body);
  }
}

interface Feedback {
  readonly status: {
    readonly execution: string;
    readonly result: { readonly finished: string };
    readonly details?: readonly string[];
  };
}

/** The number of an action: of what makes it this attempt, so that it is the same after a restart of the service. */
function idOf({ thingName, jobId, executionNumber, queuedAt }: Execution): string {
  const hash = createHash("sha256").update(JSON.stringify([thingName, jobId, executionNumber, queuedAt]));
  return String(hash.digest().readUIntBE(0, 6));
}

function digest(name: string, bytes: Uint8Array): string {
  return createHash(name).update(bytes).digest("hex");
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Refusal(400);
  }
}

/** As the device knows this server. */
function originOf({ headers }: IncomingMessage, secure: boolean): string {
  return `${secure ? "https" : "http"}://${headers.host}`;
}

/** The JSON of a request. @throws Refusal */
async function bodyOf(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\s*(;|$)/i.test(String(request.headers["content-type"]))) throw new Refusal(415);
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_BODY) throw new Refusal(413);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new Refusal(400, "hawkbit.server.error.rest.body.notReadable");
  }
}

function feedbackOf(body: unknown): Feedback {
  const { status } = (body ?? {}) as Feedback;
  if (!EXECUTIONS.includes(status?.execution) || !RESULTS.includes(status?.result?.finished))
    throw new Refusal(400);
  const { details = [] } = status;
  if (!Array.isArray(details) || details.some((text) => typeof text !== "string")) throw new Refusal(400);
  return { status };
}

/** Without a length, as Tomcat sends it. */
function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.write(JSON.stringify(value));
  response.end();
}

function done(response: ServerResponse): void {
  response.writeHead(200, { "content-length": 0 });
  response.end();
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  const status = error instanceof Refusal ? error.status : error instanceof ServiceError ? 503 : 500;
  const errorCode = error instanceof Refusal ? error.errorCode : "";
  const body = JSON.stringify({ errorCode, message: (error as Error).message });
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(body);
}
