/**
 * Serves images over HTTP or HTTPS the way Amazon S3 does: pre-signed URLs that expire, single byte ranges
 * (RFC 9110 §14), persistent connections, errors in XML.
 * @module
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { HostCheck } from "./hosts.js";
import { type Credentials, UrlSigner } from "./presign.js";

export interface ImageServerOptions {
  /** Address to listen on; default: loopback. */
  host?: string;
  /** Default: one that is free. */
  port?: number;
  /** Host name or address in the URLs; default: the address listened on. */
  advertise?: string;
  /** Serves HTTPS: server certificate (with its chain) and key in PEM. */
  tls?: { cert: string; key: string };
  /** Seconds after which a URL expires; default 1800, as AWS gives an OTA update 60 to 3600. */
  expiresIn?: number;
  /** URLs have at least so many characters. */
  urlLength?: number;
  /** What signs the URLs; default: random. */
  credentials?: Credentials;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** What a server was asked for and has given. */
export interface Served {
  /** Requests of every kind, refused ones included. */
  requests: number;
  /** Bytes of images. */
  bytes: number;
}

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly lastModified: string;
}

/** A range of bytes, both ends included. */
interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** Longer than a device pauses between two ranges, ms. */
const KEEP_ALIVE = 60_000;
/** Node's own limit is 16 KB for all headers; a pre-signed URL with its token stays below. */
const HEADER_LIMIT = 65_536;

export class ImageServer {
  readonly #options: ImageServerOptions;
  readonly #signer: UrlSigner;
  readonly #hosts: HostCheck;
  readonly #objects = new Map<string, StoredObject>();
  readonly #server: Server;
  readonly served: Served = { requests: 0, bytes: 0 };
  #origin = "";

  /** @throws Error when the address cannot be used */
  static async start(options: ImageServerOptions = {}): Promise<ImageServer> {
    const server = new ImageServer(options);
    await server.#listen();
    return server;
  }

  private constructor(options: ImageServerOptions) {
    this.#options = options;
    this.#signer = new UrlSigner(options.credentials);
    const settings = { keepAliveTimeout: KEEP_ALIVE, maxHeaderSize: HEADER_LIMIT, noDelay: true };
    this.#hosts = new HostCheck(options.tls ? "https" : "http", options.advertise ? [options.advertise] : []);
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      try {
        this.#answer(request, response);
      } catch (error) {
        // Whatever a stranger sends, the service goes on for the others.
        if (response.headersSent) response.destroy();
        else fail(response, 500, "InternalError", (error as Error).message);
      }
    };
    this.#server = options.tls
      ? createTlsServer({ ...settings, ...options.tls }, answer)
      : createServer(settings, answer);
  }

  async #listen(): Promise<void> {
    const { host = "127.0.0.1", port = 0, advertise = host, tls } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.removeListener("error", reject);
        resolve();
      });
    });
    const { port: bound } = this.#server.address() as AddressInfo;
    const name = advertise.includes(":") ? `[${advertise}]` : advertise;
    this.#origin = `${tls ? "https" : "http"}://${name}:${bound}`;
  }

  /** `http://host:port` or `https://host:port` */
  get origin(): string {
    return this.#origin;
  }

  /** Serves `bytes` as /`key`. Replaces what was there. */
  put(key: string, bytes: Uint8Array): void {
    const etag = `"${createHash("md5").update(bytes).digest("hex")}"`;
    this.#objects.set(key, { bytes, etag, lastModified: new Date(this.#now()).toUTCString() });
  }

  /** What is served as /`key`. */
  get(key: string): Uint8Array | undefined {
    return this.#objects.get(key)?.bytes;
  }

  delete(key: string): void {
    this.#objects.delete(key);
  }

  /** A fresh URL for /`key`. */
  url(key: string): string {
    const { expiresIn = 1800, urlLength: length } = this.#options;
    return this.#signer.sign(new URL(key, `${this.#origin}/`).href, { expiresIn, now: this.#now(), length });
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    this.served.requests++;
    const url = this.#hosts.check(request);
    if (!(url instanceof URL)) {
      fail(response, url.status, url.status === 400 ? "InvalidURI" : "AccessDenied", url.message);
      return;
    }
    if (request.method !== "GET") {
      response.setHeader("Allow", "GET");
      fail(response, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
      return;
    }
    const refusal = this.#signer.check(url, this.#now());
    if (refusal) {
      fail(response, refusal.status, refusal.code, refusal.message, refusal.details);
      return;
    }
    const object = this.#objects.get(decodePath(url.pathname));
    if (!object) fail(response, 404, "NoSuchKey", "The specified key does not exist.");
    else this.served.bytes += deliver(request, response, object);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path.slice(1));
  } catch {
    return path.slice(1);
  }
}

/** @returns how many bytes of the object are sent */
function deliver(request: IncomingMessage, response: ServerResponse, object: StoredObject): number {
  const { bytes, etag, lastModified } = object;
  const { "if-match": ifMatch, "if-range": ifRange, range: header } = request.headers;
  if (ifMatch !== undefined && ifMatch !== "*" && !ifMatch.split(/\s*,\s*/).includes(etag)) {
    fail(response, 412, "PreconditionFailed", "The object is not the one the request is made for.");
    return 0;
  }
  response.setHeaders(
    new Map([
      ["Accept-Ranges", "bytes"],
      ["Content-Type", "application/octet-stream"],
      ["ETag", etag],
      ["Last-Modified", lastModified],
    ]),
  );
  const current = ifRange === undefined || ifRange === etag || ifRange === lastModified;
  const range = header !== undefined && current ? parseRange(header, bytes.length) : undefined;
  if (range === "unsatisfiable") {
    response.setHeader("Content-Range", `bytes */${bytes.length}`);
    fail(response, 416, "InvalidRange", "The requested range is not satisfiable");
    return 0;
  }
  const body = range ? bytes.subarray(range.first, range.last + 1) : bytes;
  if (range) response.setHeader("Content-Range", `bytes ${range.first}-${range.last}/${bytes.length}`);
  response.setHeader("Content-Length", body.length);
  response.writeHead(range ? 206 : 200);
  response.end(body);
  return body.length;
}

/**
 * Reads a Range header (RFC 9110 §14.1.2) for an object of `size` bytes.
 * @returns undefined when the header is to be ignored: another unit, several ranges, bad syntax
 */
export function parseRange(header: string, size: number): ByteRange | "unsatisfiable" | undefined {
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(header);
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  if (match[1] === "") {
    const length = Math.min(Number(match[2]), size);
    return length === 0 ? "unsatisfiable" : { first: size - length, last: size - 1 };
  }
  const first = Number(match[1]);
  const last = match[2] === "" ? size - 1 : Number(match[2]);
  if (match[2] !== "" && last < first) return undefined;
  return first >= size ? "unsatisfiable" : { first, last: Math.min(last, size - 1) };
}

function fail(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  details: Readonly<Record<string, string>> = {},
): void {
  const fields = Object.entries({ Code: code, Message: message, ...details });
  const text = fields.map(([name, value]) => `<${name}>${escapeXml(value)}</${name}>`).join("");
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${text}</Error>`;
  response.setHeader("Content-Type", "application/xml");
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.writeHead(status);
  response.end(body);
}

function escapeXml(text: string): string {
  return text.replace(/[<>&]/g, (character) => `&#${character.charCodeAt(0)};`);
}
