/**
 * Who may ask an HTTP server of this service: by the names it has, and from its own pages. Names that resolve here by
 * somebody else's doing (DNS rebinding), and pages of other sites, get nothing.
 * @module
 */
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { hostname } from "node:os";

/** Why a request is refused. */
export interface HostRefusal {
  readonly status: 400 | 403;
  readonly message: string;
}

export class HostCheck {
  readonly #scheme: "http" | "https";
  readonly #names: ReadonlySet<string>;

  /** @param names host names beside "localhost", this machine's own and every address in numbers */
  constructor(scheme: "http" | "https", names: readonly string[] = []) {
    this.#scheme = scheme;
    this.#names = new Set(["localhost", hostname(), ...names].map((name) => name.toLowerCase()));
  }

  /** The URL a request is for, or why it is refused. */
  check({ headers, url = "/" }: IncomingMessage): URL | HostRefusal {
    const { host, origin } = headers;
    if (!host) return { status: 400, message: "The request names no host." };
    let target: URL;
    try {
      target = new URL(url, `${this.#scheme}://${host}`);
    } catch {
      return { status: 400, message: "The request names no URL." };
    }
    const name = target.hostname.replace(/^\[|\]$/g, "").toLowerCase();
    if (isIP(name) === 0 && !this.#names.has(name))
      return { status: 403, message: `"${name}" is not a name of this service.` };
    if (origin !== undefined && origin !== `${this.#scheme}://${host}`)
      return { status: 403, message: "Pages of other sites may not do this." };
    return target;
  }
}
