/**
 * The `HttpClient` port over `node:http` and `node:https`.
 * @module
 */
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { type AgentOptions, Agent as HttpsAgent, request as requestHttps } from "node:https";
import type { HttpClient, HttpHandler } from "../../src/ports.js";
import { deliverBody } from "../mqtt/delivery.js";

export class NodeHttpClient implements HttpClient {
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  /** @param tls certificates to trust and the like, as `node:https` takes them */
  constructor(tls: Pick<AgentOptions, "ca" | "cert" | "key" | "servername"> = {}) {
    this.#http = new HttpAgent({ keepAlive: true });
    this.#https = new HttpsAgent({ keepAlive: true, ...tls });
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
    let over = false;
    const done = (error?: Error) => {
      if (over) return;
      over = true;
      handler.done(error);
    };
    let target: URL;
    try {
      target = new URL(url);
      if (target.protocol !== "http:" && target.protocol !== "https:")
        throw new TypeError(`no HTTP URL: ${target.protocol}`);
    } catch (error) {
      setImmediate(done, error as Error);
      return () => {
        over = true;
      };
    }
    const secure = target.protocol === "https:";
    const request = (secure ? requestHttps : requestHttp)(target, {
      method,
      agent: secure ? this.#https : this.#http,
      headers: { ...Object.fromEntries(headers), ...(body && { "content-length": body.length }) },
    });
    const stop = () => {
      done();
      request.destroy();
    };
    request.on("error", done);
    request.on("response", (response) => {
      if (over) return;
      if (!handler.headers(response.statusCode ?? 0, lowerCase(response))) return stop();
      response.on("data", (chunk: Buffer) => {
        if (!over && !deliverBody(handler, chunk, () => over)) stop();
      });
      response.on("end", () => done());
      response.on("error", done);
      response.on("close", () => done(new Error("the connection was closed inside a response")));
    });
    request.end(body);
    return () => {
      over = true;
      request.destroy();
    };
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

function lowerCase(response: IncomingMessage): Map<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(response.headers))
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  return headers;
}
