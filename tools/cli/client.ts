/**
 * Talks to `xs-ota serve`: the API of service/api.ts.
 * @module
 */
import { readFileSync } from "node:fs";
import { type IncomingMessage, request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import type { StatusView } from "../../service/api.js";
import type { DeploymentPreview, DeskChange, DeskState } from "../../service/desk.js";
import type { DeviceView, ExecutionView, HistoryView, ImageLabel, JobView } from "../../service/views.js";
import { systemWords } from "./errno.js";
import { FAILED, Failure } from "./failure.js";
import { words } from "./files.js";
import { pause } from "./interrupt.js";
import { printable, printableData } from "./printable.js";

export type ServiceEvent =
  | { readonly type: "state"; readonly state: DeskState & { readonly status: StatusView } }
  | { readonly type: "change"; readonly change: DeskChange }
  /** The connection is gone; it is tried again. */
  | { readonly type: "lost" };

export interface JobDetails {
  readonly job: JobView;
  readonly executions: readonly (ExecutionView & { readonly history: readonly HistoryView[] })[];
}

/** What the service has refused. */
export class ServiceFailure extends Failure {
  /** As in the service's answer. */
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message, FAILED);
    this.code = code;
  }
}

export interface DeviceDetails {
  readonly device: DeviceView;
  /** The latest first. */
  readonly executions: readonly (ExecutionView & {
    readonly image?: ImageLabel;
    readonly history: readonly HistoryView[];
  })[];
}

interface Answer {
  readonly error?: { readonly message: string; readonly code?: string };
}

const LOOPBACKS: readonly string[] = Object.freeze(["127.0.0.1", "[::1]", "localhost"]);
/** Codes of Node for a certificate of an authority it does not know, or for another name. */
const UNTRUSTED: readonly string[] = Object.freeze([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);
/** What TLS says to a server that does not speak it. */
const NO_TLS: readonly string[] = Object.freeze(["EPROTO", "ERR_SSL_WRONG_VERSION_NUMBER"]);
const ANSWER_MS = 30_000;
const AGAIN_MS = 500;

export class ServiceClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url.replace(/\/+$/, "");
  }

  /** Its certificates are as the service has them: text of several lines, for no terminal. */
  async status(): Promise<StatusView> {
    const { certificate, ca, ...rest } = await this.#askRaw<StatusView>("GET", "/api/status");
    return { ...printableData(rest), certificate, ca };
  }

  state(): Promise<DeskState> {
    return this.#ask("GET", "/api/state");
  }

  job(jobId: string): Promise<JobDetails> {
    return this.#ask("GET", `/api/jobs/${encodeURIComponent(jobId)}`);
  }

  preview(image: Uint8Array, options: URLSearchParams): Promise<DeploymentPreview> {
    return this.#ask("POST", `/api/preview?${options}`, image);
  }

  deploy(image: Uint8Array, options: URLSearchParams): Promise<JobView> {
    return this.#ask("POST", `/api/jobs?${options}`, image);
  }

  cancel(jobId: string): Promise<JobView> {
    return this.#ask("POST", `/api/jobs/${encodeURIComponent(jobId)}/cancel`);
  }

  pause(jobId: string): Promise<JobView> {
    return this.#ask("POST", `/api/jobs/${encodeURIComponent(jobId)}/pause`);
  }

  resume(jobId: string): Promise<JobView> {
    return this.#ask("POST", `/api/jobs/${encodeURIComponent(jobId)}/resume`);
  }

  device(thingName: string): Promise<DeviceDetails> {
    return this.#ask("GET", `/api/devices/${encodeURIComponent(thingName)}`);
  }

  editDevice(thingName: string, change: { label?: string; groups?: readonly string[] }): Promise<DeviceView> {
    const body = new TextEncoder().encode(JSON.stringify(change));
    return this.#ask("PATCH", `/api/devices/${encodeURIComponent(thingName)}`, body);
  }

  forgetDevice(thingName: string): Promise<unknown> {
    return this.#ask("DELETE", `/api/devices/${encodeURIComponent(thingName)}`);
  }

  delete(jobId: string): Promise<unknown> {
    return this.#ask("DELETE", `/api/jobs/${encodeURIComponent(jobId)}`);
  }

  /**
   * What happens, from the state now on, until the signal is aborted. A service that goes away is waited for.
   * @throws Failure when the service does not answer at first
   */
  async *events(signal: AbortSignal): AsyncGenerator<ServiceEvent> {
    let known = false;
    while (!signal.aborted) {
      try {
        for await (const event of this.#stream(signal)) {
          known = true;
          yield event;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ServiceFailure) throw error;
        if (!known) throw this.#unreachable(error);
      }
      if (signal.aborted) return;
      yield { type: "lost" };
      await pause(AGAIN_MS, signal);
    }
  }

  async *#stream(signal: AbortSignal): AsyncGenerator<ServiceEvent> {
    const response = await this.#send("GET", "/api/events", undefined, signal);
    if (response.statusCode !== 200) throw refusal(response, await readJson(response), this.#url);
    let type = "";
    for await (const line of lines(response)) {
      if (line.startsWith("event: ")) type = line.slice(7);
      if (!line.startsWith("data: ")) continue;
      const data = printableData(JSON.parse(line.slice(6)));
      if (type === "state") yield { type, state: data };
      else if (type === "change") yield { type, change: data };
    }
  }

  async #ask<T>(method: string, path: string, body?: Uint8Array): Promise<T> {
    return printableData(await this.#askRaw<T>(method, path, body));
  }

  async #askRaw<T>(method: string, path: string, body?: Uint8Array): Promise<T> {
    let response: IncomingMessage;
    let answer: Answer | undefined;
    try {
      response = await this.#send(method, path, body, AbortSignal.timeout(ANSWER_MS));
      answer = await readJson(response);
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw this.#unreachable(error);
    }
    const { statusCode = 0 } = response;
    if (statusCode >= 200 && statusCode < 300 && answer !== undefined) return answer as T;
    throw refusal(response, answer, this.#url);
  }

  /** Sends a request, with the token and the authority the environment names. @throws Failure */
  #send(
    method: string,
    path: string,
    body: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const url = new URL(this.#url + path);
    const { XS_OTA_TOKEN: token, XS_OTA_CA: authority } = process.env;
    const isPlain = url.protocol === "http:";
    if (token && isPlain && !LOOPBACKS.includes(url.hostname))
      throw new Failure(
        "XS_OTA_TOKEN is not sent over the network as it is: take https and serve --page-tls",
      );
    const ca = authority && !isPlain ? readAuthority(authority) : undefined;
    const headers = {
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...(body ? { "Content-Length": body.length } : {}),
    };
    return new Promise((resolve, reject) => {
      const send = isPlain ? plainRequest : tlsRequest;
      const request = send(url, { method, headers, signal, ca }, resolve);
      request.on("error", reject);
      request.end(body);
    });
  }

  #unreachable(error: unknown): Failure {
    const { code = "", message, name } = error as NodeJS.ErrnoException;
    if (UNTRUSTED.includes(code))
      return new Failure(
        `the certificate of ${this.#url} is not trusted: name its authority in XS_OTA_CA (.xs-ota/ca-cert.pem)`,
        FAILED,
      );
    const isLate = name === "TimeoutError" || name === "AbortError";
    const text = NO_TLS.includes(code) ? "it does not speak TLS" : (systemWords(error) ?? message);
    const why = isLate ? "it takes too long" : code === "ECONNREFUSED" ? "" : text;
    return new Failure(
      `no service answers at ${this.#url}${why && ` (${why})`}: start one with xs-ota serve`,
      FAILED,
    );
  }
}

function refusal({ statusCode }: IncomingMessage, answer: Answer | undefined, url: string): ServiceFailure {
  const text = answer?.error?.message ?? `${url} is no xs-ota service: status ${statusCode}`;
  return new ServiceFailure(printable(text), answer?.error?.code);
}

async function readJson(response: IncomingMessage): Promise<Answer | undefined> {
  const parts: Buffer[] = [];
  for await (const part of response as AsyncIterable<Buffer>) parts.push(part);
  try {
    return JSON.parse(Buffer.concat(parts).toString()) as Answer;
  } catch {
    return undefined;
  }
}

function readAuthority(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Failure(`cannot read ${path}, which XS_OTA_CA names: ${words(error)}`);
  }
}

async function* lines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
