/**
 * One small request and its answer over the `HttpClient` port, with a deadline and a limit to what is taken.
 * @module
 */
import { decodeUtf8, encodeUtf8 } from "../bytes.js";
import type { Clock, HttpClient, HttpHandler, Timer } from "../ports.js";

/** Longest answer that is taken, bytes: a deployment has about a kilobyte for each artifact. */
const MAX_BODY = 40_960;
/** Bytes put aside for an answer; doubled as needed. */
const FIRST_BUFFER = 1024;
/** Longest time an exchange may take, milliseconds. */
const DEADLINE_MS = 30_000;

export interface ExchangeRequest {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: string;
  /** Sent as JSON. */
  readonly body?: unknown;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** Told once, in a turn of its own. */
export type ExchangeDone = (error: Error | undefined, answer?: ExchangeAnswer) => void;

export class Exchange implements HttpHandler {
  readonly #clock: Clock;
  readonly #ended: ExchangeDone;
  #cancel: (() => void) | undefined;
  #timer: Timer;
  #status = 0;
  #fields: ReadonlyMap<string, string> = new Map();
  #body = new Uint8Array(FIRST_BUFFER);
  #length = 0;
  #fault = "";
  #live = true;

  constructor(http: HttpClient, clock: Clock, { method, url, body }: ExchangeRequest, ended: ExchangeDone) {
    this.#clock = clock;
    this.#ended = ended;
    const headers = new Map([["accept", "application/json"]]);
    this.#timer = clock.set(() => {
      this.#cancel?.();
      this.done(new Error(`no answer within ${DEADLINE_MS} ms`));
    }, DEADLINE_MS);
    try {
      if (method === "GET") this.#cancel = http.get(url, headers, this);
      else {
        if (!http.send) throw new TypeError("this HTTP client sends no bodies");
        headers.set("content-type", "application/json");
        this.#cancel = http.send(method, url, headers, encodeUtf8(JSON.stringify(body)), this);
      }
    } catch (error) {
      clock.clear(this.#timer);
      this.#timer = clock.set(() => this.done(error as Error), 0);
    }
  }

  /** Ends it without a word. */
  stop(): void {
    this.#live = false;
    this.#clock.clear(this.#timer);
    this.#cancel?.();
  }

  headers(status: number, headers: ReadonlyMap<string, string>): boolean {
    if (!this.#live) return false;
    this.#status = status;
    this.#fields = headers;
    // An announced length takes no memory before it comes; one that will not be taken is not read.
    return !(Number(headers.get("content-length")) > MAX_BODY) || this.#give();
  }

  buffer(): Uint8Array {
    if (this.#length === this.#body.length) {
      const larger = new Uint8Array(Math.min(2 * this.#length, MAX_BODY + 1));
      larger.set(this.#body);
      this.#body = larger;
    }
    return this.#body.subarray(this.#length);
  }

  data(length: number): boolean {
    if (!this.#live) return false;
    this.#length += length;
    return this.#length <= MAX_BODY || this.#give();
  }

  done(error?: Error): void {
    if (!this.#live) return;
    this.#live = false;
    this.#clock.clear(this.#timer);
    const fault = this.#fault || (error ? error.message || "failed" : this.#status ? "" : "no answer");
    if (fault) return this.#ended(new Error(fault));
    const body = this.#body.subarray(0, this.#length);
    this.#ended(undefined, { status: this.#status, headers: this.#fields, body });
  }

  #give(): false {
    this.#fault = `an answer of more than ${MAX_BODY} bytes`;
    return false;
  }
}

/** The first words of an answer that is no success, for a log. */
export function wordsOfAnswer({ body }: ExchangeAnswer): string {
  try {
    return decodeUtf8(body.subarray(0, 200)).replace(/[^ -~]+/g, " ");
  } catch {
    return "";
  }
}
