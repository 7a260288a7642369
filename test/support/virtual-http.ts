/**
 * HTTP in virtual time: a client port over one link, and a server the test writes as a function. Pure: runs on
 * Node and on XS.
 * @module
 */
import { deliverBody } from "../../hosts/mqtt/delivery.js";
import type { HttpClient, HttpHandler } from "../../src/ports.js";
import type { VirtualClock } from "./virtual-clock.js";

export interface HttpRequest {
  readonly url: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly method: "GET" | "POST" | "PUT";
  /** Of a request that carries one; otherwise empty. */
  readonly body: Uint8Array;
  /** From the Range field; the whole object when there is none. */
  readonly first: number;
  readonly last: number;
}

export interface HttpResponse {
  /** No connection is made. */
  refused?: boolean;
  /** Nothing is ever answered. */
  silent?: boolean;
  /** Milliseconds from the server to the client, beside half of the round trip. */
  delay?: number;
  status: number;
  headers?: Record<string, string>;
  body?: Uint8Array;
  /** The body stops here and no end follows. */
  stall?: number;
  /** The connection breaks after this many bytes. */
  reset?: number;
  /** Bytes of one piece, and milliseconds between two of them. */
  piece?: number;
  interval?: number;
}

export type HttpServer = (request: HttpRequest) => HttpResponse;

/** Serves one object with ranges, as S3 does. */
export function objectServer(content: Uint8Array): HttpServer {
  return ({ headers, first, last }): HttpResponse => {
    if (!headers.has("range"))
      return { status: 200, headers: { "content-length": String(content.length) }, body: content };
    if (first >= content.length) return { status: 416 };
    const end = Math.min(last, content.length - 1);
    return {
      status: 206,
      headers: {
        "content-range": `bytes ${first}-${end}/${content.length}`,
        "content-length": String(end - first + 1),
      },
      body: content.subarray(first, end + 1),
    };
  };
}

export class VirtualHttp implements HttpClient {
  readonly requests: HttpRequest[] = [];
  /** Requests the client has cancelled or stopped. */
  stopped = 0;
  /** Most requests open at a time. */
  most = 0;
  #open = 0;
  readonly #clock: VirtualClock;
  readonly #rtt: number;
  readonly #bandwidth: number;
  #free = 0;
  server: HttpServer;

  /** @param bandwidth bytes a second; 0: unlimited */
  constructor(clock: VirtualClock, server: HttpServer, rtt = 20, bandwidth = 0) {
    this.#clock = clock;
    this.server = server;
    this.#rtt = rtt;
    this.#bandwidth = bandwidth;
  }

  get(url: string, headers: ReadonlyMap<string, string>, handler: HttpHandler): () => void {
    return this.#request("GET", url, headers, new Uint8Array(0), handler);
  }

  send(
    method: "POST" | "PUT",
    url: string,
    headers: ReadonlyMap<string, string>,
    body: Uint8Array,
    handler: HttpHandler,
  ): () => void {
    return this.#request(method, url, headers, body.slice(), handler);
  }

  #request(
    method: HttpRequest["method"],
    url: string,
    headers: ReadonlyMap<string, string>,
    content: Uint8Array,
    handler: HttpHandler,
  ): () => void {
    const clock = this.#clock;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.get("range") ?? "") ?? [];
    const request: HttpRequest = {
      method,
      url,
      body: content,
      headers: new Map(headers),
      first: Number(from ?? 0),
      last: Number(to ?? Number.MAX_SAFE_INTEGER),
    };
    this.requests.push(request);
    this.most = Math.max(this.most, ++this.#open);
    let over = false;
    const close = () => {
      if (!over) this.#open--;
      over = true;
    };
    const finish = (error?: Error) => {
      if (over) return;
      close();
      handler.done(error);
    };
    const post = (at: number, action: () => void) =>
      clock.post(at, () => {
        if (!over) action();
      });
    const stop = () => {
      this.stopped++;
      post(clock.now(), () => finish());
    };
    const deliver = (response: HttpResponse) => {
      if (over) return;
      const {
        refused,
        status,
        headers: fields = {},
        body = new Uint8Array(0),
        stall,
        reset,
        piece = 1460,
        interval = 0,
      } = response;
      if (refused) return finish(new Error("connection refused"));
      if (!handler.headers(status, new Map(Object.entries(fields)))) return stop();
      const end = Math.min(body.length, stall ?? body.length, reset ?? body.length);
      let at = 0;
      let wanted = true;
      const next = () => {
        if (at >= end) {
          if (stall !== undefined) return;
          post(clock.now(), () => finish(reset === undefined ? undefined : new Error("connection reset")));
          return;
        }
        const chunk = body.slice(at, Math.min(at + piece, end));
        at += chunk.length;
        this.#free =
          Math.max(clock.now(), this.#free) + (this.#bandwidth ? (chunk.length * 1000) / this.#bandwidth : 0);
        post(this.#free + interval, () => {
          wanted = deliverBody(handler, chunk, () => over);
          if (!wanted) stop();
          else next();
        });
      };
      next();
    };
    clock.post(clock.now() + this.#rtt, () => {
      // The server may hear of what the client has given up meanwhile.
      if (over && method === "GET") return;
      const response = this.server(request);
      if (response.silent) return;
      if (response.delay) clock.post(clock.now() + response.delay, () => deliver(response));
      else deliver(response);
    });
    return () => {
      if (!over) this.stopped++;
      close();
    };
  }

  close(): void {}
}
