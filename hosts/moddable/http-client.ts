/**
 * The `HttpClient` port over an ECMA-419 HTTP client, whose class is injected: `HttpConnection`, or the SDK's
 * (`embedded:network/http/client`), with which bodies in chunks are refused: it throws out of a timer over what it does not
 * expect in them. One connection is kept, to the origin asked last. A response that is given up ends its connection.
 * @module
 */
import type { Clock, HttpClient, HttpHandler } from "../../src/ports.js";
import type { NetworkOptions } from "../mqtt/socket.js";

/** A request of an ECMA-419 HTTP client. */
export interface EcmaHttpRequest {
  read(into: Uint8Array): unknown;
}

export interface EcmaHttpClient {
  request(options: {
    readonly method: string;
    readonly path: string;
    readonly headers: Map<string, string>;
    /** Sent with its length: `HttpConnection` alone, the SDK's client asks for bodies piece by piece. */
    readonly body?: Uint8Array | undefined;
    readonly onHeaders: (status: number, headers: Map<string, string>) => void;
    readonly onReadable: (count: number) => void;
    readonly onDone: (error: Error | null) => void;
  }): EcmaHttpRequest;
  close(): void;
}

export interface EcmaHttpClientConstructor {
  new (
    options: NetworkOptions & {
      readonly host: string;
      readonly port: number;
      readonly onError: (error?: unknown) => void;
    },
  ): EcmaHttpClient;
  /** Bodies in chunks are safe with it, and it sends bodies: `HttpConnection`. */
  readonly readsChunks?: boolean;
}

export interface ModdableHttpOptions {
  readonly Client: EcmaHttpClientConstructor;
  readonly clock: Clock;
  /**
   * Sockets and resolver for a connection. The resolver is asked for a host with its port, as in the header field
   * Host: the SDK's client makes both from one option.
   */
  readonly network: (secure: boolean, host: string) => NetworkOptions;
}

/** One request and its response. */
class Exchange {
  readonly handler: HttpHandler;
  request: EcmaHttpRequest | undefined;
  over = false;

  constructor(handler: HttpHandler) {
    this.handler = handler;
  }

  /** Hands over `count` bytes of the body. @returns false when the handler has had enough */
  pour(count: number): boolean {
    while (count > 0 && !this.over) {
      const buffer = this.handler.buffer();
      const length = Math.min(count, buffer.length);
      if (length === 0) throw new RangeError("the handler of a response gave an empty buffer");
      this.request?.read(length === buffer.length ? buffer : buffer.subarray(0, length));
      count -= length;
      if (!this.handler.data(length)) return false;
    }
    return true;
  }
}

export class ModdableHttpClient implements HttpClient {
  readonly #options: ModdableHttpOptions;
  #client: EcmaHttpClient | undefined;
  #origin = "";

  constructor(options: ModdableHttpOptions) {
    this.#options = options;
  }

  get(url: string, headers: ReadonlyMap<string, string>, handler: HttpHandler): () => void {
    return this.#request("GET", url, headers, undefined, handler);
  }

  send(
    method: "POST" | "PUT",
    url: string,
    headers: ReadonlyMap<string, string>,
    body: Uint8Array,
    handler: HttpHandler,
  ): () => void {
    return this.#request(method, url, headers, body, handler);
  }

  #request(
    method: string,
    url: string,
    headers: ReadonlyMap<string, string>,
    body: Uint8Array | undefined,
    handler: HttpHandler,
  ): () => void {
    const exchange = new Exchange(handler);
    const { clock } = this.#options;
    const done = (error?: Error) => {
      if (exchange.over) return;
      exchange.over = true;
      handler.done(error);
    };
    // Scheme, host, port and path of an absolute URL without user information (RFC 3986). Hosts of S3 buckets may have
    // underscores; an address of IPv6 stands in brackets. Made here: a regular expression in ROM throws at every use.
    const parts = /^(https?):\/\/([\w.~-]+|\[[\w:.%~-]+\])(?::(\d{1,5}))?(\/[^#]*|\?[^#]*|)(?:#.*)?$/i.exec(
      url,
    );
    let client: EcmaHttpClient | undefined;
    /** Nothing more of this response is wanted: its connection cannot be used again. */
    const stop = (error?: Error) => {
      if (exchange.over) return;
      if (client) this.#drop(client);
      done(error);
    };
    try {
      if (!parts) throw new TypeError("no HTTP URL");
      if (body && !this.#options.Client.readsChunks) throw new TypeError("this HTTP client sends no bodies");
      client = this.#connect(parts[1].toLowerCase(), parts[2], parts[3]);
      const path = parts[4].startsWith("/") ? parts[4] : `/${parts[4]}`;
      exchange.request = client.request({
        method,
        path,
        body,
        headers: new Map(headers),
        onHeaders: (status, received) => {
          if (exchange.over) return;
          if (!handler.headers(status, received)) stop();
          else if (!this.#options.Client.readsChunks && received.get("transfer-encoding"))
            stop(new Error("HTTP body in chunks"));
        },
        onReadable: (count) => {
          if (exchange.over) return;
          try {
            if (!exchange.pour(count)) stop();
          } catch (error) {
            stop(error as Error);
          }
        },
        onDone: (error) => done(error ? new Error(error.message || "the connection was closed") : undefined),
      });
    } catch (error) {
      clock.set(() => done(error as Error), 0);
    }
    return () => {
      if (exchange.over) return;
      exchange.over = true;
      if (client) this.#drop(client);
    };
  }

  close(): void {
    if (this.#client) this.#drop(this.#client);
  }

  #connect(scheme: string, host: string, port: string | undefined): EcmaHttpClient {
    const secure = scheme === "https";
    const origin = `${scheme}://${host}:${port ?? ""}`;
    if (this.#client && this.#origin === origin) return this.#client;
    this.close();
    const { Client, network } = this.#options;
    const client: EcmaHttpClient = new Client({
      ...network(secure, host),
      host: port === undefined ? host : `${host}:${port}`,
      port: port === undefined ? (secure ? 443 : 80) : Number(port),
      onError: () => {
        // Between two requests as well, when the server has waited long enough.
        if (this.#client === client) this.#client = undefined;
      },
    });
    this.#client = client;
    this.#origin = origin;
    return client;
  }

  /** Closes a connection, not within its own callbacks: the client goes on using its socket there. */
  #drop(client: EcmaHttpClient): void {
    if (this.#client === client) this.#client = undefined;
    this.#options.clock.set(() => client.close(), 0);
  }
}
