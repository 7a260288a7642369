/**
 * An HTTP client that says who asks, to the one server that is to know.
 * @module
 */
import type { HttpClient } from "../ports.js";

/** Scheme, host and port of a URL, in one way of writing; empty when it is none. */
function originOf(url: string): string {
  const [, scheme = "", host = ""] = /^(https?):\/\/([^/?#]+)/i.exec(url) ?? [];
  const origin = `${scheme}://${host}`.toLowerCase();
  return origin.replace(/^(http:.*):80$|^(https:.*):443$/, "$1$2");
}

/**
 * Adds an Authorization field to requests to the origin of `url`, and to no others: artifacts may lie elsewhere, and redirects
 * lead where they like.
 * @param authorization "TargetToken …" or "GatewayToken …"; empty: none
 */
export function authorized(http: HttpClient, url: string, authorization: string): HttpClient {
  const origin = originOf(url);
  const add = (target: string, headers: ReadonlyMap<string, string>) =>
    authorization && originOf(target) === origin
      ? new Map([...Array.from(headers), ["authorization", authorization]])
      : headers;
  return {
    get: (target, headers, handler) => http.get(target, add(target, headers), handler),
    send: (method, target, headers, body, handler) => {
      if (!http.send) throw new TypeError("this HTTP client sends no bodies");
      return http.send(method, target, add(target, headers), body, handler);
    },
    close: () => http.close(),
  };
}
