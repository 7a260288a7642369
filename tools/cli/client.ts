/**
 * Talks to `xs-ota serve`: the API of service/api.ts.
 * @module
 */
import type { StatusView } from "../../service/api.js";
import type { DeskChange, DeskState } from "../../service/desk.js";
import type { DeviceView, ExecutionView, HistoryView, ImageLabel, JobView } from "../../service/views.js";
import { FAILED, Failure } from "./failure.js";
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
        if (!known) throw this.#unreachable(error);
      }
      if (signal.aborted) return;
      yield { type: "lost" };
      await pause(AGAIN_MS, signal);
    }
  }

  async *#stream(signal: AbortSignal): AsyncGenerator<ServiceEvent> {
    const response = await fetch(`${this.#url}/api/events`, { signal });
    if (!response.ok || !response.body) throw new Error(`it answers with status ${response.status}`);
    let type = "";
    for await (const line of lines(response.body)) {
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
    let response: Response;
    try {
      response = await fetch(this.#url + path, { method, body, signal: AbortSignal.timeout(ANSWER_MS) });
    } catch (error) {
      throw this.#unreachable(error);
    }
    const answer = (await response.json().catch(() => undefined)) as
      | { error?: { message: string; code?: string } }
      | undefined;
    if (response.ok && answer !== undefined) return answer as T;
    const text = answer?.error?.message ?? `${this.#url} is no xs-ota service: status ${response.status}`;
    throw new ServiceFailure(printable(text), answer?.error?.code);
  }

  #unreachable(error: unknown): Failure {
    const { cause, message } = error as Error;
    const code = (cause as NodeJS.ErrnoException | undefined)?.code;
    const why = code === "ECONNREFUSED" ? "" : ` (${code ?? message})`;
    return new Failure(`no service answers at ${this.#url}${why}: start one with xs-ota serve`, FAILED);
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
