/**
 * hawkBit's management API, as far as deployments need it.
 * @module
 */
import { FAILED, Failure, oneLine } from "../failure.js";
import type { HawkbitCall } from "./plan.js";

/** How often a rollout or a distribution set is in which status. */
export interface Progress {
  /** "running", "paused", "waiting_for_approval" …; "assigned" without a rollout. */
  readonly status: string;
  readonly counts: Readonly<Record<string, number>>;
  /** Nothing will change any more. */
  readonly over: boolean;
}

/** An action of a target that has ended in an error, with what the device said of it. */
export interface FailedAction {
  readonly thing: string;
  readonly status: string;
  readonly details: Readonly<Record<string, string>>;
}

interface Action {
  readonly id: number;
  readonly active: boolean;
  readonly status: string;
  readonly _links?: { readonly target?: { readonly href: string } };
}

/** What is followed: a rollout, or the actions of a distribution set. */
export interface Followed {
  readonly kind: "rollout" | "set";
  readonly id: number;
}

/** Longest time a call may take, and an upload, milliseconds. */
const CALL_MS = 30_000;
const UPLOAD_MS = 600_000;
/** Actions asked for at once: REQUEST_PARAMETER_PAGING_MAX_LIMIT. */
const PAGE = 500;
/** Rollouts that do nothing more by themselves (`Rollout.RolloutStatus`); a paused one waits for a person. */
const OVER: readonly string[] = Object.freeze([
  ...["finished", "stopped", "approval_denied", "deleting", "deleted", "paused"],
]);

export class HawkbitServer {
  readonly #base: string;
  readonly #authorization: string;

  /**
   * Takes who asks from the environment: HAWKBIT_USER (`<tenant>\<user>` where there are several) and HAWKBIT_PASSWORD.
   * @throws Failure without them
   */
  constructor(url: string) {
    const { HAWKBIT_USER: user, HAWKBIT_PASSWORD: password } = process.env;
    if (!user || !password)
      throw new Failure("HAWKBIT_USER and HAWKBIT_PASSWORD are not set in the environment");
    this.#base = `${url.replace(/\/+$/, "")}/rest/v1`;
    this.#authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  }

  /** @returns the JSON of the answer; undefined when it has none. @throws Failure in hawkBit's words */
  async send({ method, path, body, file }: HawkbitCall): Promise<unknown> {
    const headers: Record<string, string> = {
      accept: "application/json",
      authorization: this.#authorization,
    };
    if (body !== undefined) headers["content-type"] = "application/json";
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.#base + path, {
        ...{ method, headers },
        body: file ? formOf(file) : body === undefined ? undefined : JSON.stringify(body),
        // Nobody else is to be shown the password, and a redirected POST is none.
        redirect: "manual",
        signal: AbortSignal.timeout(file ? UPLOAD_MS : CALL_MS),
      });
      text = await response.text();
    } catch (error) {
      const { cause, message } = error as Error;
      const why = (cause as NodeJS.ErrnoException | undefined)?.code ?? message;
      throw new Failure(`${method} ${path}: no answer from ${this.#base} (${oneLine(why)})`, FAILED);
    }
    const answer = parse(text);
    if (response.ok) return answer;
    const { message, errorCode } = (answer ?? {}) as { message?: unknown; errorCode?: unknown };
    const words = [message, errorCode].filter((word) => typeof word === "string" && word).join("; ");
    throw new Failure(oneLine(`${method} ${path}: status ${response.status} ${words}`), FAILED);
  }

  get(path: string): Promise<unknown> {
    return this.send({ method: "GET", path });
  }

  /** @throws Failure */
  async progress({ kind, id }: Followed): Promise<Progress> {
    if (kind === "set") return progressOf(await this.#actions(`distributionset.id==${id}`));
    const rollout = (await this.get(`/rollouts/${id}`)) as {
      status?: string;
      totalTargetsPerStatus?: Record<string, number>;
    };
    const { status = "unknown", totalTargetsPerStatus = {} } = rollout ?? {};
    const counts = Object.fromEntries(Object.entries(totalTargetsPerStatus).filter(([, count]) => count));
    return { status, counts, over: OVER.includes(status) };
  }

  /** Some of the actions that failed, the latest first, with the last words of their devices. @throws Failure */
  async failed({ kind, id }: Followed, limit: number): Promise<FailedAction[]> {
    const query = kind === "set" ? `distributionset.id==${id}` : `rollout.id==${id}`;
    const failed = (await this.#actions(`${query};status==error`, limit)).slice(0, limit);
    return await Promise.all(
      failed.map(async (action) => {
        const target = targetOf(action);
        const path = `/targets/${target}/actions/${action.id}/status?limit=1&sort=id:DESC`;
        const { content = [] } = ((await this.get(path)) ?? {}) as { content?: { messages?: string[] }[] };
        return {
          thing: decodeURIComponent(target),
          status: action.status,
          details: detailsOf(content[0]?.messages ?? []),
        };
      }),
    );
  }

  /** Of each target the latest, the latest first. */
  async #actions(query: string, most = Number.POSITIVE_INFINITY): Promise<Action[]> {
    const latest = new Map<string, Action>();
    for (let offset = 0; latest.size < most; offset += PAGE) {
      const parameters = new URLSearchParams({ q: query, representation: "full", sort: "id:DESC" });
      const path = `/actions?${parameters}&limit=${Math.min(PAGE, most)}&offset=${offset}`;
      const { content = [] } = ((await this.get(path)) ?? {}) as { content?: Action[] };
      for (const action of content) if (!latest.has(targetOf(action))) latest.set(targetOf(action), action);
      if (content.length < PAGE) break;
    }
    return [...latest.values()];
  }
}

function progressOf(actions: readonly Action[]): Progress {
  const counts: Record<string, number> = {};
  for (const { status } of actions) counts[status] = (counts[status] ?? 0) + 1;
  const over = actions.length > 0 && actions.every(({ active }) => !active);
  return { status: over ? "finished" : "assigned", counts, over };
}

/** The last part of the link to the target, as it stands there. */
function targetOf({ _links }: Action): string {
  return /\/targets\/([^/?]+)$/.exec(_links?.target?.href ?? "")?.[1] ?? "";
}

/** The agent's messages are "key: value"; hawkBit adds its own. */
function detailsOf(messages: readonly string[]): Record<string, string> {
  const details: Record<string, string> = {};
  for (const text of messages) {
    const [, key, value] = /^([\w-]{1,64}): (.*)$/s.exec(String(text)) ?? [
      undefined,
      "message",
      String(text),
    ];
    details[key as string] ??= value as string;
  }
  return details;
}

function formOf({ name, bytes }: NonNullable<HawkbitCall["file"]>): FormData {
  const form = new FormData();
  form.append("file", new Blob([bytes as Uint8Array<ArrayBuffer>]), name);
  return form;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
