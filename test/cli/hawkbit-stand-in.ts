/**
 * Stands in for hawkBit's management API: records what is asked, checks it as hawkBit does, and goes through what a rollout
 * or an action goes through. Rules from eclipse-hawkbit/hawkbit at commit 67ca1c43: `MgmtSoftwareModuleResource`,
 * `MgmtDistributionSetResource`, `MgmtRolloutResource`, `MgmtActionResource` and their models (hawkbit-mgmt-api, -resource);
 * `RestConfiguration` (statuses of errors), `SpServerError` (their keys), `JpaDistributionSet.isComplete`,
 * `JpaArtifactManagement.create`, `ValidStringValidator`, `HawkbitSecurityProperties`; default types: `RepositoryDefaultTypes` of the
 * tenant's set-up (os, application; os, app, os_app). Spring Security's `StrictHttpFirewall` is as it comes. Harsher than the
 * original: members it does not know are refused.
 * @module
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Which module types a set needs, and may have. */
const SET_TYPES: Readonly<Record<string, { needs: readonly string[]; takes: readonly string[] }>> = {
  os: { needs: ["os"], takes: ["os"] },
  app: { needs: ["application"], takes: ["application"] },
  os_app: { needs: ["os"], takes: ["os", "application"] },
};
const MODULE_TYPES = ["os", "application"];
const ACTION_TYPES = ["soft", "forced", "timeforced", "downloadonly"];
const MAX_ARTIFACTS = 50;

class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly errorCode: string,
    message = errorCode,
  ) {
    super(message);
  }
}

interface Module {
  readonly id: number;
  readonly type: string;
  readonly key: string;
  readonly artifacts: Map<string, Buffer>;
  readonly metadata: Map<string, { value: string; targetVisible: boolean }>;
  locked: boolean;
}

interface DistributionSet {
  readonly id: number;
  readonly key: string;
  readonly type: string;
  readonly modules: Module[];
}

interface Action {
  readonly id: number;
  readonly target: string;
  readonly set: number;
  readonly rollout?: number;
  status: string;
  messages: string[];
}

export interface Recorded {
  readonly method: string;
  readonly path: string;
  /** Parsed when it is JSON. */
  readonly body: unknown;
}

type Json = Record<string, unknown>;

export class HawkbitStandIn {
  readonly requests: Recorded[] = [];
  readonly modules: Module[] = [];
  readonly sets: DistributionSet[] = [];
  readonly targets = new Set(["board", "board-2"]);
  readonly rollouts: (Json & { id: number; set: number })[] = [];
  readonly actions: Action[] = [];
  /** What becomes of every action, one more with each look at it; the last stays. */
  statuses = ["running", "finished"];
  /** What devices say at the end. */
  messages: string[] = [];
  /** Of rollouts, as they are looked at. */
  rolloutStatuses = ["creating", "running", "finished"];
  #looks = 0;
  readonly #server: Server;

  static async start(): Promise<HawkbitStandIn> {
    const standIn = new HawkbitStandIn();
    await new Promise<void>((resolve) => standIn.#server.listen(0, "127.0.0.1", resolve));
    return standIn;
  }

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const { status, body } = await this.#answer(request).catch((error: unknown) => {
        if (!(error instanceof Refusal)) throw error;
        return { status: error.status, body: { errorCode: error.errorCode, message: error.message } };
      });
      response.writeHead(status, { "content-type": "application/json" });
      response.end(body === undefined ? "" : JSON.stringify(body));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body?: unknown }> {
    const { method = "", url = "", headers } = request;
    const [rawPath] = url.split("?");
    // StrictHttpFirewall, before anybody is asked for a password.
    if (/;|%3b|%25|%2f|%5c|\/\/|\\/i.test(rawPath)) throw new Refusal(400, "", "Bad Request");
    if (headers.authorization !== `Basic ${Buffer.from("admin:secret").toString("base64")}`)
      throw new Refusal(401, "", "Unauthorized");
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const raw = Buffer.concat(parts);
    const isJson = headers["content-type"] === "application/json";
    const body = isJson ? parseJson(raw) : raw;
    this.requests.push({ method, path: url, body });
    const query = new URL(url, "http://localhost").searchParams;
    const path = decodeURIComponent(rawPath);
    const matched = (wanted: string, pattern: RegExp) => (method === wanted ? pattern.exec(path) : null);
    const list = () => {
      if (!isJson) throw new Refusal(415, "", "Unsupported Media Type");
      if (!Array.isArray(body)) throw new Refusal(400, "hawkbit.server.error.rest.body.notReadable");
      return body as Json[];
    };
    if (matched("POST", /^\/rest\/v1\/softwaremodules$/))
      return created(list().map((one) => this.#module(one)));
    if (matched("POST", /^\/rest\/v1\/distributionsets$/))
      return created(list().map((one) => this.#set(one)));
    let match = matched("POST", /^\/rest\/v1\/softwaremodules\/(\d+)\/(artifacts|metadata)$/);
    if (match) {
      const module = find(this.modules, match[1]);
      if (match[2] === "metadata") {
        for (const one of list()) this.#metadata(module, one);
        return { status: 201 };
      }
      return created(await this.#artifact(module, raw, String(headers["content-type"]), query));
    }
    match = matched("POST", /^\/rest\/v1\/distributionsets\/(\d+)\/assignedTargets$/);
    if (match) return { status: 200, body: this.#assign(find(this.sets, match[1]), list()) };
    if (matched("POST", /^\/rest\/v1\/rollouts$/)) return created(this.#rollout(body as Json));
    match = matched("GET", /^\/rest\/v1\/rollouts\/(\d+)$/);
    if (match) return { status: 200, body: this.#showRollout(find(this.rollouts, match[1])) };
    match = matched("GET", /^\/rest\/v1\/targets\/([^/]+)$/);
    if (match) {
      if (!this.targets.has(match[1])) throw new Refusal(404, "hawkbit.server.error.repo.entityNotFound");
      return { status: 200, body: { controllerId: match[1] } };
    }
    match = matched("GET", /^\/rest\/v1\/targets\/([^/]+)\/actions\/(\d+)\/status$/);
    if (match) {
      const action = find(this.actions, match[2]);
      if (action.target !== match[1]) throw new Refusal(404, "");
      const content = [{ id: 1, type: action.status, messages: action.messages }];
      return { status: 200, body: { content, total: content.length, size: content.length } };
    }
    if (matched("GET", /^\/rest\/v1\/actions$/)) return { status: 200, body: this.#listActions(query) };
    throw new Refusal(404, "", `No static resource ${path}`);
  }

  #module(one: Json): object {
    only(one, "name", "version", "type", "description", "vendor", "encrypted");
    const key = `${text(one, "name", 128)}:${text(one, "version", 64)}:${one["type"]}`;
    if (!MODULE_TYPES.includes(String(one["type"])))
      throw new Refusal(404, "hawkbit.server.error.repo.entityNotFound");
    if (this.modules.some((module) => module.key === key))
      throw new Refusal(
        409,
        "hawkbit.server.error.repo.entityAlreadyExists",
        "The given entity already exists",
      );
    const id = 10 + this.modules.length;
    const type = String(one["type"]);
    this.modules.push({ id, type, key, artifacts: new Map(), metadata: new Map(), locked: false });
    return { id, ...one };
  }

  async #artifact(module: Module, raw: Buffer, type: string, query: URLSearchParams): Promise<object> {
    if (!type.startsWith("multipart/form-data")) throw new Refusal(415, "", "Unsupported Media Type");
    const form = await new Response(raw as Uint8Array<ArrayBuffer>, {
      headers: { "content-type": type },
    }).formData();
    const part = form.get("file");
    if (!(part instanceof Blob)) throw new Refusal(400, "", "Required part 'file' is not present.");
    const bytes = Buffer.from(await part.arrayBuffer());
    if (bytes.length === 0) throw new Refusal(400, "");
    if (module.artifacts.size >= MAX_ARTIFACTS)
      throw new Refusal(429, "hawkbit.server.error.quota.tooManyEntries");
    if (module.locked) throw new Refusal(423, "hawkbit.server.error.locked");
    const filename = query.get("filename") ?? (part as File).name;
    if (!filename || /[<>]/.test(filename))
      throw new Refusal(400, "hawkbit.server.error.repo.constraintViolation");
    if (module.artifacts.has(filename))
      throw new Refusal(409, "hawkbit.server.error.repo.entityAlreadyExists");
    for (const algorithm of ["md5", "sha1", "sha256"]) {
      const sum = query.get(`${algorithm}sum`)?.toLowerCase();
      if (sum !== undefined && sum !== createHash(algorithm).update(bytes).digest("hex"))
        throw new Refusal(400, `hawkbit.server.error.artifact.uploadFailed.checksum.${algorithm}.match`);
    }
    module.artifacts.set(filename, bytes);
    return { id: module.artifacts.size, providedFilename: filename, size: bytes.length };
  }

  #metadata(module: Module, one: Json): void {
    only(one, "key", "value", "targetVisible");
    const key = text(one, "key", 128);
    if (module.metadata.has(key)) throw new Refusal(409, "hawkbit.server.error.repo.entityAlreadyExists");
    module.metadata.set(key, {
      value: text(one, "value", 4000),
      targetVisible: one["targetVisible"] === true,
    });
  }

  #set(one: Json): object {
    only(one, "name", "version", "type", "description", "modules", "requiredMigrationStep");
    const key = `${text(one, "name", 128)}:${text(one, "version", 64)}`;
    const { [String(one["type"] ?? "os_app")]: type } = SET_TYPES;
    if (!type) throw new Refusal(404, "hawkbit.server.error.repo.entityNotFound");
    if (this.sets.some((set) => set.key === key))
      throw new Refusal(409, "hawkbit.server.error.repo.entityAlreadyExists");
    const modules = ((one["modules"] ?? []) as Json[]).map(({ id }) => find(this.modules, id));
    if (!modules.every((module) => type.takes.includes(module.type)))
      throw new Refusal(400, "hawkbit.server.error.distributionset.modules.unsupported");
    const id = 20 + this.sets.length;
    this.sets.push({ id, key, type: String(one["type"]), modules });
    return { id, ...one };
  }

  #check({ type, modules }: DistributionSet): void {
    const types = modules.map((module) => module.type);
    if (!modules.length || !SET_TYPES[type]?.needs.every((name) => types.includes(name)))
      throw new Refusal(400, "hawkbit.server.error.distributionset.incomplete");
    for (const module of modules) module.locked = true;
  }

  #assign(set: DistributionSet, assignments: Json[]): object {
    this.#check(set);
    for (const one of assignments) {
      only(one, "id", "type", "forcetime", "maintenanceWindow", "weight", "confirmationRequired");
      if (typeof one["id"] !== "string" || !ACTION_TYPES.includes(String(one["type"] ?? "forced")))
        throw new Refusal(400, "hawkbit.server.error.rest.body.notReadable");
    }
    // What it does not know it leaves out.
    const known = assignments.map(({ id }) => String(id)).filter((id) => this.targets.has(id));
    const assignedActions = known.map((target) => ({ id: this.#act(target, set.id) }));
    return { alreadyAssigned: 0, assigned: known.length, total: known.length, assignedActions };
  }

  #act(target: string, set: number, rollout?: number): number {
    const id = 40 + this.actions.length;
    this.actions.push({ id, target, set, rollout, status: "running", messages: this.messages });
    return id;
  }

  #rollout(body: Json): object {
    only(
      body,
      ...[
        "name",
        "description",
        "distributionSetId",
        "targetFilterQuery",
        "amountGroups",
        "type",
        "forcetime",
      ],
      ...["startAt", "weight", "dynamic", "confirmationRequired", "groups"],
      ...["successCondition", "successAction", "errorCondition", "errorAction"],
    );
    text(body, "name", 128);
    if (!/^\w+(==|!=|=\w+=)[^\s;,]+$/.test(String(body["targetFilterQuery"])))
      throw new Refusal(400, "hawkbit.server.error.rest.param.rsqlParamSyntax");
    for (const name of ["successCondition", "errorCondition"]) {
      const { condition, expression } = (body[name] ?? {}) as Json;
      if (condition !== "THRESHOLD" || !/^\d+$/.test(String(expression)))
        throw new Refusal(400, "hawkbit.server.error.rollout.verificationFailed");
    }
    if (Number(body["amountGroups"] ?? 1) > 500)
      throw new Refusal(429, "hawkbit.server.error.quota.tooManyEntries");
    const set = find(this.sets, body["distributionSetId"]);
    this.#check(set);
    const rollout = { ...body, id: 60 + this.rollouts.length, set: set.id };
    this.rollouts.push(rollout);
    for (const target of this.targets) this.#act(target, set.id, rollout.id);
    return { ...body, id: rollout.id, status: "creating" };
  }

  #showRollout({ id }: { id: number }): object {
    const status = this.rolloutStatuses[Math.min(this.#looks, this.rolloutStatuses.length - 1)];
    this.#step();
    const count = (name: string) =>
      this.actions.filter((one) => one.rollout === id && one.status === name).length;
    const [running, finished, error] = ["running", "finished", "error"].map(count);
    const totalTargetsPerStatus = { running, finished, error, cancelled: 0, scheduled: 0, notstarted: 0 };
    return { id, status, totalTargets: this.actions.length, totalTargetsPerStatus };
  }

  #step(): void {
    const status = this.statuses[Math.min(this.#looks++, this.statuses.length - 1)];
    for (const action of this.actions) action.status = status;
  }

  #listActions(query: URLSearchParams): object {
    const [, field, id, , status] =
      /^(distributionset|rollout)\.id==(\d+)(;status==(\w+))?$/i.exec(query.get("q") ?? "") ?? [];
    if (!field) throw new Refusal(400, "hawkbit.server.error.rest.param.rsqlParamSyntax");
    if (!status) this.#step();
    const offset = Number(query.get("offset") ?? 0);
    const limit = Math.min(Number(query.get("limit") ?? 50), 500);
    const all = this.actions.filter(
      (action) =>
        (field.toLowerCase() === "rollout" ? action.rollout : action.set) === Number(id) &&
        (!status || action.status === status),
    );
    if (query.get("sort") === "id:DESC") all.reverse();
    const content = all.slice(offset, offset + limit).map((action) => ({
      id: action.id,
      type: "update",
      active: action.status === "running",
      status: action.status,
      // Without this a list does not say whose actions they are.
      ...(query.get("representation") === "full" && {
        _links: { target: { href: `${this.url}/rest/v1/targets/${action.target}`, name: action.target } },
      }),
    }));
    return { content, total: all.length, size: content.length };
  }
}

function created(body: unknown): { status: number; body: unknown } {
  return { status: 201, body };
}

function parseJson(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString());
  } catch {
    throw new Refusal(400, "hawkbit.server.error.rest.body.notReadable");
  }
}

function only(one: Json, ...names: readonly string[]): void {
  if (!Object.keys(one).every((name) => names.includes(name)))
    throw new Refusal(400, "hawkbit.server.error.rest.body.notReadable");
}

function text(one: Json, name: string, most: number): string {
  const { [name]: value } = one;
  if (typeof value !== "string" || value.length === 0 || value.length > most || /[<>]/.test(value))
    throw new Refusal(400, "hawkbit.server.error.repo.constraintViolation", `${name}: not valid`);
  return value;
}

function find<T extends { readonly id: number }>(all: readonly T[], id: unknown): T {
  const found = all.find((one) => one.id === Number(id));
  if (!found) throw new Refusal(404, "hawkbit.server.error.repo.entityNotFound");
  return found;
}
