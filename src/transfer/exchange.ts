/**
 * One small request and its answer over the `HttpClient` port, with a deadline and a limit to what is taken; redirects of a GET
 * are followed.
 * @module
 */
import { decodeUtf8, encodeUtf8 } from "../bytes.js";
import type { Clock, HttpClient, HttpHandler, Timer } from "../ports.js";
import { isPlain, resolveUrl } from "./http-fields.js";

/** Bytes put aside for an answer; doubled as needed. */
const FIRST_BUFFER = 1024;
/** Longest time an exchange may take, milliseconds. */
const DEADLINE_MS = 30_000;
const MAX_REDIRECTS = 5;

export interface ExchangeRequest {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Longest answer that is taken, bytes. */
  readonly most: number;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** Where it was found in the end. */
  readonly url: string;
}

/** Told once, in a turn of its own. */
export type ExchangeDone = (error: Error | undefined, answer?: ExchangeAnswer) => void;

export class Exchange implements HttpHandler {
  readonly #http: HttpClient;
  readonly #clock: Clock;
  readonly #request: ExchangeRequest;
  readonly #ended: ExchangeDone;
  readonly #deadline: Timer;
  #url: string;
  #redirects = 0;
  #cancel: (() => void) | undefined;
  #status = 0;
  #fields: ReadonlyMap<string, string> = new Map();
  #body = new Uint8Array(FIRST_BUFFER);
  #length = 0;
  #fault = "";
  #live = true;

  constructor(http: HttpClient, clock: Clock, request: ExchangeRequest, ended: ExchangeDone) {
    this.#http = http;
    this.#clock = clock;
    this.#request = request;
    this.#ended = ended;
    this.#url = request.url;
    this.#deadline = clock.set(() => {
      this.#cancel?.();
      this.#end(`no answer within ${DEADLINE_MS} ms`);
    }, DEADLINE_MS);
    this.#start();
  }

  /** Ends it without a word. */
  stop(): void {
    this.#live = false;
    this.#clock.clear(this.#deadline);
    this.#cancel?.();
  }

  headers(status: number, headers: ReadonlyMap<string, string>): boolean {
    if (!this.#live) return false;
    this.#status = status;
    this.#fields = headers;
    const coding = headers.get("content-encoding");
    if (!isPlain(coding)) return this.#give(`content-encoding ${coding}`);
    // An announced length takes no memory before it comes; one that will not be taken is not read.
    return !(Number(headers.get("content-length")) > this.#request.most) || this.#give();
  }

  buffer(): Uint8Array {
    if (this.#length === this.#body.length) {
      const larger = new Uint8Array(Math.min(2 * this.#length, this.#request.most + 1));
      larger.set(this.#body);
      this.#body = larger;
    }
    return this.#body.subarray(this.#length);
  }

  data(length: number): boolean {
    if (!this.#live) return false;
    this.#length += length;
    return this.#length <= this.#request.most || this.#give();
  }

  done(error?: Error): void {
    if (!this.#live) return;
    const status = this.#status;
    const location = this.#fields.get("location");
    const moved = this.#request.method === "GET" && status > 300 && status < 309 && status !== 304;
    if (this.#fault || error || !status)
      return this.#end(this.#fault || (error ? error.message || "failed" : "no answer"));
    if (!moved || location === undefined) return this.#end("");
    const next = this.#redirects++ < MAX_REDIRECTS ? resolveUrl(this.#url, location) : undefined;
    if (!next) return this.#end(`redirect to ${location}`);
    this.#url = next;
    this.#length = this.#status = 0;
    this.#start();
  }

  #start(): void {
    const { method, body } = this.#request;
    const headers = new Map([
      ["accept", "application/json, */*;q=0.5"],
      ["accept-encoding", "identity"],
    ]);
    try {
      if (method === "GET") this.#cancel = this.#http.get(this.#url, headers, this);
      else {
        if (!this.#http.send) throw new TypeError("this HTTP client sends no bodies");
        headers.set("content-type", "application/json");
        this.#cancel = this.#http.send(method, this.#url, headers, encodeUtf8(JSON.stringify(body)), this);
      }
    } catch (error) {
      this.#clock.set(() => this.done(error as Error), 0);
    }
  }

  #end(fault: string): void {
    this.#live = false;
    this.#clock.clear(this.#deadline);
    if (fault) return this.#ended(new Error(fault));
    const body = this.#body.subarray(0, this.#length);
    this.#ended(undefined, { status: this.#status, headers: this.#fields, body, url: this.#url });
  }

  #give(fault = `an answer of more than ${this.#request.most} bytes`): false {
    this.#fault = fault;
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
