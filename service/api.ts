/**
 * The HTTP side of the service at a desk: the page, and the API that page and command line use.
 *
 * | request | answer |
 * |---|---|
 * | GET / | the page |
 * | GET /api/status | addresses, signing, memory |
 * | GET /api/user | who asks, and his role; null without accounts |
 * | GET /api/state | devices, jobs, executions |
 * | GET /api/events | server-sent events: "state" at first, then "change"; "status" when storing fails or works again |
 * | GET /api/ticks | server-sent events: "tick" at most once a second when something has changed, and "status" |
 * | GET /api/devices | part of the list: `text`, `version`, `state`, `group`, `failedIn`, `sort`, `desc`, `offset`, `limit` |
 * | GET /api/devices/{thing} | the device with its history |
 * | PATCH /api/devices/{thing} | `{"label"?, "groups"?}`; makes it known |
 * | DELETE /api/devices/{thing} | forgets it |
 * | GET /api/jobs | part of the list, the latest first: `text`, `offset`, `limit` |
 * | GET /api/images | the images in the folder |
 * | POST /api/inspect | inspection of the image in the body, or of `?image=` in the folder |
 * | GET /api/jobs/{id} | the job with the history of its executions; `?brief`: its worst executions, and why it failed |
 * | POST /api/jobs | deploys the image in the body, or `?image=`; options in the query. Smaller files are made from `from` (names in the folder) and `base` (see `readFiles`), and with `packed` |
 * | POST /api/preview | whom a deployment would touch, what stands against it, and how large the smaller files are; as POST /api/jobs |
 * | POST /api/jobs/{id}/cancel, pause, resume | cancels, or stops and goes on with its rollout |
 * | DELETE /api/jobs/{id} | forgets |
 *
 * Errors are `{"error":{"code","message"}}`. Without accounts who reaches the port may deploy; with them name and
 * password, or a token, come with each request. Requests that a browser sends for another site are refused. What
 * changes something, and who is not let in, goes into the audit log.
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { ImageError } from "../hosts/formats/esp-image-layout.js";
import type { Account, Accounts } from "./accounts.js";
import type { AuditLog } from "./audit.js";
import type { Desk, DeskChange, DeskDeployment } from "./desk.js";
import { ServiceError } from "./errors.js";
import { Gate } from "./gate.js";
import { HostCheck } from "./hosts.js";
import { inspectImageBytes } from "./inspection.js";
import { type ListQuery, ROWS_LIMIT } from "./lists.js";
import { PageFiles } from "./page-files.js";
import type { PayloadWish } from "./payload-maker.js";
import type { UpdatePayload } from "./updates.js";

export interface ApiOptions {
  readonly desk: Desk;
  /** Default: loopback. */
  readonly host?: string;
  /** Default: one that is free. */
  readonly port?: number;
  /** Host name or address in `origin`; default: the address listened on. */
  readonly advertise?: string;
  /** Further host names by which browsers may ask. */
  readonly names?: readonly string[];
  /** PEM of the authority behind broker and image server. */
  readonly ca?: string;
  /** Serves HTTPS: server certificate (with its chain) and key in PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Who may look and deploy. Default: whoever reaches the port. */
  readonly accounts?: Accounts;
  readonly audit?: AuditLog;
}

/** `GET /api/status` */
export interface StatusView {
  readonly mqtt: string;
  readonly http: string;
  /** PEM of the certificate that belongs to the signing key; null when nothing is signed here. */
  readonly certificate: string | null;
  /** PEM of the authority behind `mqtt` and `http`; null without TLS. */
  readonly ca: string | null;
  readonly devices: number;
  readonly jobs: number;
  /** Bytes. */
  readonly memory: { readonly resident: number; readonly peak: number };
  readonly pid: number;
  /** Why nothing can be stored at present; null when it can. */
  readonly storageProblem: string | null;
}

/** The largest file a stream takes. */
const BODY_LIMIT = 24 * 1_048_576;
/** A job document has room for so many files beside the image. */
const MOST_PAYLOADS = 16;
const PAYLOAD_ROW = /^(;base=[\da-f]{8}|;packed):([1-9]\d{0,7})$/;
/** Paths on the device are printable; 255 is for the statement of a set. */
const FILE_ROW = /^([1-9]\d?|1\d\d|2[0-4]\d|25[0-5]):([1-9]\d{0,7}):([\w.-]{1,64})$/;
const BASE_ROW = /^([1-9]\d{0,7}):(.{1,255})$/;
/** Thing names of a fleet stand in the query. */
const HEADER_LIMIT = 65_536;
const EDIT_LIMIT = 65_536;
/** Least time between two ticks. */
const TICK_MS = 1000;
/** Smaller answers are not worth packing. */
const PACK_FROM = 1024;
const KEEP_ALIVE_MS = 15_000;
/** A listener that does not read is cut off; it may come again. */
const BACKLOG_LIMIT = 8 * 1_048_576;

const STATUS: Partial<Record<ServiceError["code"], number>> = {
  ResourceNotFound: 404,
  UnknownThing: 404,
  ResourceAlreadyExists: 409,
  InvalidStateTransition: 409,
  InternalError: 500,
  StorageFull: 507,
};

interface Files {
  readonly image: Uint8Array;
  readonly payloads: readonly UpdatePayload[];
  readonly wish: PayloadWish;
}

class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class ApiServer {
  readonly #desk: Desk;
  readonly #ca: string | undefined;
  readonly #hosts: HostCheck;
  readonly #files = new PageFiles();
  readonly #server: Server;
  readonly #scheme: "http" | "https";
  readonly #gate: Gate;
  readonly #audit: AuditLog | undefined;
  readonly #listeners = new Set<ServerResponse>();
  /** Of the page: they are only told that something has changed. */
  readonly #viewers = new Set<ServerResponse>();
  #ticking: NodeJS.Timeout | undefined;
  readonly #keepAlive: NodeJS.Timeout;
  #origin = "";
  #toldProblem: string | null = null;

  /** @throws Error when the address cannot be used */
  static async start(options: ApiOptions): Promise<ApiServer> {
    const api = new ApiServer(options);
    await api.#listen(options);
    return api;
  }

  private constructor({ desk, ca, names = [], tls, accounts, audit }: ApiOptions) {
    this.#desk = desk;
    this.#ca = ca;
    this.#scheme = tls ? "https" : "http";
    this.#gate = new Gate(accounts);
    this.#audit = audit;
    this.#hosts = new HostCheck(this.#scheme, names);
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response).catch((error: unknown) => this.#fail(response, error));
    };
    const settings = { maxHeaderSize: HEADER_LIMIT };
    this.#server = tls ? createTlsServer({ ...settings, ...tls }, answer) : createServer(settings, answer);
    desk.on("change", this.#tell);
    desk.on("failure", this.#tellStatus);
    this.#keepAlive = setInterval(() => this.#beat(), KEEP_ALIVE_MS);
  }

  async #listen({ host = "127.0.0.1", port = 0, advertise = host }: ApiOptions): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once("error", reject);
        this.#server.listen(port, host, resolve);
      });
    } catch (error) {
      await this.close();
      throw error;
    }
    const { port: bound } = this.#server.address() as AddressInfo;
    this.#origin = `${this.#scheme}://${advertise.includes(":") ? `[${advertise}]` : advertise}:${bound}`;
  }

  /** `http://host:port` */
  get origin(): string {
    return this.#origin;
  }

  status(): StatusView {
    const { service, certificate } = this.#desk;
    return {
      ...{ mqtt: service.url, http: service.httpOrigin, certificate: certificate ?? null },
      ca: this.#ca ?? null,
      devices: service.devices().length,
      jobs: service.jobs.jobs().length,
      memory: { resident: process.memoryUsage.rss(), peak: process.resourceUsage().maxRSS * 1024 },
      pid: process.pid,
      storageProblem: service.storageProblem ?? null,
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("X-Content-Type-Options", "nosniff");
    const url = this.#hosts.check(request);
    if (!(url instanceof URL)) throw new HttpError(url.status, url.message);
    const route = `${request.method === "HEAD" ? "GET" : request.method} ${url.pathname}`;
    const who = await this.#admit(request, response, url);
    const [, jobId, action] = /^\/api\/jobs\/([\w-]+)(?:\/(cancel|pause|resume))?$/.exec(url.pathname) ?? [];
    const [, thing] = /^\/api\/devices\/([\w:-]+)$/.exec(decodePath(url.pathname)) ?? [];
    const desk = this.#desk;
    switch (route) {
      case "GET /api/status":
        return sendJson(response, 200, this.status());
      case "GET /api/user":
        return sendJson(response, 200, who && { name: who.name, role: who.role });
      case "GET /api/state":
        return sendJson(response, 200, desk.state());
      case "GET /api/events":
        return this.#listenTo(response);
      case "GET /api/ticks":
        return this.#tickTo(response);
      case "GET /api/devices":
        return sendJson(response, 200, desk.listDevices(readList(url.searchParams)), request);
      case "GET /api/jobs":
        return sendJson(response, 200, desk.listJobs(readList(url.searchParams)), request);
      case "POST /api/preview": {
        const { image, wish } = await this.#bring(request, url.searchParams);
        const deployment = readDeployment(image, url.searchParams);
        // Bad options are told before the long work.
        desk.preview(deployment);
        const made = await desk.makePayloads(image, wish);
        return sendJson(response, 200, desk.preview(deployment, made));
      }
      case "GET /api/images":
        return sendJson(response, 200, desk.images());
      case "POST /api/inspect":
        return sendJson(response, 200, inspectImageBytes(await this.#image(request, url.searchParams)));
      case "POST /api/jobs": {
        const { image, payloads, wish } = await this.#bring(request, url.searchParams);
        const deployment = readDeployment(image, url.searchParams);
        const made = await desk.makePayloads(image, wish);
        return sendJson(
          response,
          201,
          await desk.deploy({ ...deployment, payloads: [...payloads, ...made] }),
        );
      }
    }
    if (jobId !== undefined) {
      if (request.method === "GET" && !action) {
        const isBrief = url.searchParams.has("brief");
        return sendJson(response, 200, isBrief ? desk.briefJob(jobId) : desk.job(jobId), request);
      }
      if (request.method === "POST" && action === "cancel")
        return sendJson(response, 200, await desk.cancel(jobId, !url.searchParams.has("gently")));
      if (request.method === "POST" && action === "pause")
        return sendJson(response, 200, await desk.pause(jobId));
      if (request.method === "POST" && action === "resume")
        return sendJson(response, 200, await desk.resume(jobId));
      if (request.method === "DELETE" && !action) {
        await desk.delete(jobId);
        return sendJson(response, 200, {});
      }
    }
    if (thing !== undefined) {
      if (request.method === "GET") return sendJson(response, 200, desk.device(thing), request);
      if (request.method === "PATCH")
        return sendJson(
          response,
          200,
          await desk.editDevice(thing, readEdit(await readBody(request, EDIT_LIMIT))),
        );
      if (request.method === "DELETE") {
        await desk.forgetDevice(thing);
        return sendJson(response, 200, {});
      }
    }
    if (url.pathname.startsWith("/api/")) throw new HttpError(404, `There is no ${route}.`);
    if (request.method !== "GET" && request.method !== "HEAD")
      throw new HttpError(405, "The page is only read.");
    this.#files.send(url.pathname, response);
  }

  /** Who asks; null without accounts. Sees to it that what is done is written down. @throws HttpError */
  async #admit(request: IncomingMessage, response: ServerResponse, url: URL): Promise<Account | null> {
    const admitted = await this.#gate.admit(request, url.pathname);
    const isRefused = admitted !== null && "status" in admitted;
    if (this.#audit && (isRefused ? request.headers.authorization : isChange(request)))
      response.on("close", () => {
        this.#audit?.write({
          who: admitted?.name ?? null,
          from: request.socket.remoteAddress ?? "",
          what: `${request.method} ${url.pathname}`,
          about: aboutText(url.searchParams),
          status: response.statusCode,
        });
      });
    if (!isRefused) return admitted as Account | null;
    request.resume();
    // A browser asks its person then.
    if (admitted.status === 401)
      response.setHeader("WWW-Authenticate", 'Basic realm="xs-ota", charset="UTF-8"');
    throw new HttpError(admitted.status, admitted.message);
  }

  async #image(request: IncomingMessage, query: URLSearchParams): Promise<Uint8Array> {
    const name = query.get("image");
    if (name === null) return await readBody(request);
    request.resume();
    return this.#desk.image(name);
  }

  /** What a deployment brings, and which smaller files are wanted. */
  async #bring(request: IncomingMessage, query: URLSearchParams): Promise<Files> {
    const inFolder = query.get("image");
    const hasBody = inFolder === null || ["payload", "file", "base"].some((row) => query.has(row));
    if (!hasBody) request.resume();
    const body = hasBody ? await readBody(request) : new Uint8Array();
    const files = readFiles(body, query, inFolder === null ? undefined : this.#desk.image(inFolder));
    const named = query.getAll("from").map((name) => ({ name, bytes: this.#desk.image(name) }));
    return { ...files, wish: { ...files.wish, bases: [...named, ...files.wish.bases] } };
  }

  #listenTo(response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write(eventText("state", { status: this.status(), ...this.#desk.state() }));
    // A listener may be gone before its end is told of: what is written then is an error, of nobody's concern.
    response.on("error", () => response.destroy());
    this.#listeners.add(response);
    response.on("close", () => this.#listeners.delete(response));
  }

  /** Proxies end connections on which nothing happens; the status is told when it has changed. */
  #beat(): void {
    if ((this.#desk.service.storageProblem ?? null) === this.#toldProblem) this.#broadcast(":\n\n", true);
    else this.#tellStatus();
  }

  readonly #tellStatus = (): void => {
    const status = this.status();
    this.#toldProblem = status.storageProblem;
    this.#broadcast(eventText("status", status), true);
  };

  #tickTo(response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.on("error", () => response.destroy());
    response.write(eventText("status", this.status()));
    response.write(eventText("tick", { revision: this.#desk.revision }));
    this.#viewers.add(response);
    response.on("close", () => this.#viewers.delete(response));
  }

  /** Viewers ask for what they show themselves, at most once a second. */
  #tick(): void {
    this.#ticking ??= setTimeout(() => {
      this.#ticking = undefined;
      const text = eventText("tick", { revision: this.#desk.revision });
      for (const response of this.#viewers) if (!response.destroyed) response.write(text);
    }, TICK_MS);
  }

  readonly #tell = (change: DeskChange): void => {
    this.#tick();
    if (this.#listeners.size > 0) this.#broadcast(eventText("change", change));
  };

  #broadcast(text: string, everybody = false): void {
    for (const response of everybody ? [...this.#listeners, ...this.#viewers] : this.#listeners) {
      if (response.writableLength > BACKLOG_LIMIT) response.destroy();
      else if (!response.destroyed) response.write(text);
    }
  }

  #fail(response: ServerResponse, error: unknown): void {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof ServiceError)
      return sendJson(response, STATUS[error.code] ?? 400, { error: { code: error.code, message } });
    if (error instanceof ImageError)
      return sendJson(response, 400, { error: { code: "BadImage", message: `No ESP32 image: ${message}.` } });
    if (error instanceof HttpError)
      return sendJson(response, error.status, { error: { code: "BadRequest", message } });
    this.#desk.emit("failure", error as Error);
    sendJson(response, 500, { error: { code: "InternalError", message } });
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    clearInterval(this.#keepAlive);
    clearTimeout(this.#ticking);
    this.#desk.off("change", this.#tell);
    this.#desk.off("failure", this.#tellStatus);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

function isChange({ method }: IncomingMessage): boolean {
  return method !== "GET" && method !== "HEAD";
}

/** What a deployment is of, and for whom. */
function aboutText(query: URLSearchParams): string | undefined {
  const names = ["name", "image", "thing", "group"];
  const parts = names.flatMap((name) => query.getAll(name).map((value) => `${name} ${value}`));
  if (query.has("all")) parts.push("all");
  return parts.length > 0 ? parts.join(", ") : undefined;
}

function readDeployment(image: Uint8Array, query: URLSearchParams): DeskDeployment {
  const text = (name: string) => query.get(name) ?? undefined;
  const number = (name: string) => {
    const value = query.get(name);
    if (value === null) return undefined;
    if (!/^\d{1,6}$/.test(value)) throw new HttpError(400, `${name} must be a whole number.`);
    return Number(value);
  };
  // The service checks what is in it.
  const json = (name: string) => {
    const value = query.get(name);
    return value === null ? undefined : (parseJson(value, name) as never);
  };
  const protocols = query.getAll("protocol").map((name) => name.toUpperCase());
  const key = text("signatureKey");
  const value = text("signature");
  return {
    image,
    fileName: text("name") ?? text("image") ?? "firmware.bin",
    things: query.has("all") ? "all" : query.getAll("thing"),
    protocols: protocols.map((name) => {
      if (name !== "MQTT" && name !== "HTTP") throw new HttpError(400, `There is no protocol "${name}".`);
      return name;
    }),
    signature: key && value ? { key, value } : undefined,
    certFile: text("signer"),
    fileType: number("fileType"),
    timeoutInMinutes: number("timeoutInMinutes"),
    retries: number("retries"),
    retriesTimedOut: number("retriesTimedOut"),
    groups: query.getAll("group"),
    addThings: query.has("addThings"),
    targetSelection: query.has("continuous") ? "CONTINUOUS" : undefined,
    rollout: json("rollout"),
    abort: json("abort"),
    schedule: json("schedule"),
    description: text("description"),
  };
}

function readList(query: URLSearchParams): ListQuery {
  const text = (name: string) => query.get(name) || undefined;
  const whole = (name: string, otherwise: number) => {
    const value = query.get(name) ?? String(otherwise);
    if (!/^\d{1,9}$/.test(value)) throw new HttpError(400, `${name} must be a whole number.`);
    return Number(value);
  };
  const sort = text("sort");
  if (sort !== undefined && sort !== "name" && sort !== "version" && sort !== "state" && sort !== "seen")
    throw new HttpError(400, "sort must be name, version, state or seen.");
  return {
    ...{ text: text("text"), version: text("version"), state: text("state"), group: text("group") },
    ...{ failedIn: text("failedIn"), sort, descending: query.has("desc") },
    ...{ offset: whole("offset", 0), limit: whole("limit", ROWS_LIMIT) },
  };
}

function readEdit(body: Uint8Array): { label?: string; groups?: string[] } {
  const edit: unknown = parseJson(new TextDecoder().decode(body), "The body");
  if (typeof edit !== "object" || edit === null || Array.isArray(edit))
    throw new HttpError(400, "The body must be a JSON object.");
  const { label, groups } = edit as Record<string, unknown>;
  if (label !== undefined && typeof label !== "string") throw new HttpError(400, "label must be a string.");
  if (groups !== undefined && !(Array.isArray(groups) && groups.every((group) => typeof group === "string")))
    throw new HttpError(400, "groups must be a list of strings.");
  return { ...(label !== undefined && { label }), ...(groups !== undefined && { groups }) };
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, `${name} is no JSON.`);
  }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/**
 * The image unless it is in the folder, payloads of it, files beside it, and bases to make deltas from, one behind the other in
 * the body.
 * @param query `payload` has of each payload kind and bytes, ";base=0a1b2c3d:39909"; `base` of each base bytes and
 * name, "1048576:v1.bin"; `file` of each file beside the image type, bytes and name, "10:65536:assets.xac", with
 * `fileSignature` for each when `signature` is given
 */
function readFiles(body: Uint8Array, query: URLSearchParams, inFolder: Uint8Array | undefined): Files {
  const rows = query.getAll("payload").map((text) => PAYLOAD_ROW.exec(text));
  const others = query.getAll("file").map((text) => FILE_ROW.exec(text));
  const signatures = query.getAll("fileSignature");
  const key = query.get("signatureKey");
  const bases = query.getAll("base").map((text) => BASE_ROW.exec(text));
  const count = rows.length + others.length + bases.length + query.getAll("from").length;
  if (count > MOST_PAYLOADS || [...rows, ...others, ...bases].includes(null))
    throw new HttpError(400, "payload, file, base or from is not as it must be.");
  if (signatures.length !== (key === null ? 0 : others.length))
    throw new HttpError(400, "fileSignature is not as it must be.");
  const lengths = [
    ...[...rows, ...others].map((row) => Number(row?.[2])),
    ...bases.map((row) => Number(row?.[1])),
  ];
  let at = body.length - lengths.reduce((sum, length) => sum + length, 0);
  if (inFolder ? at !== 0 : at <= 0) throw new HttpError(400, "The body has not the bytes it should have.");
  const image = inFolder ?? body.slice(0, at);
  const parts = lengths.map((length) => {
    at += length;
    return body.slice(at - length, at);
  });
  return {
    image,
    payloads: [
      ...rows.map((row, index) => ({ kind: row?.[1] ?? "", bytes: parts[index] })),
      ...others.map((row, index) => ({
        ...{ kind: `/${row?.[3]}`, fileType: Number(row?.[1]), bytes: parts[rows.length + index] },
        ...(key !== null && { signature: { key, value: signatures[index] } }),
      })),
    ],
    wish: {
      bases: bases.map((row, index) => ({
        name: row?.[2] ?? "",
        bytes: parts[rows.length + others.length + index],
      })),
      packed: query.has("packed"),
    },
  };
}

async function readBody(request: IncomingMessage, limit = BODY_LIMIT): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > limit) throw new HttpError(413, `A body has at most ${limit} bytes here.`);
    parts.push(part);
  }
  if (length === 0) throw new HttpError(400, "The request has no body.");
  return new Uint8Array(Buffer.concat(parts));
}

function eventText(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** @param request where the answer may be packed: what its sender understands */
function sendJson(response: ServerResponse, status: number, body: unknown, request?: IncomingMessage): void {
  const text = Buffer.from(JSON.stringify(body));
  const packed =
    text.length >= PACK_FROM && /\bgzip\b/.test(String(request?.headers["accept-encoding"] ?? ""));
  const bytes = packed ? gzipSync(text, { level: 1 }) : text;
  response.writeHead(status, {
    "Content-Type": "application/json",
    ...(packed ? { "Content-Encoding": "gzip" } : {}),
    "Content-Length": bytes.length,
    "Cache-Control": "no-store",
  });
  response.end(bytes);
}
