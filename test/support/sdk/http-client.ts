/**
 * `embedded:network/http/client` (examples/io/tcp/httpclient/httpclient.js), as far as GET goes:
 * - One request after the other; a response is complete in a turn after its last byte was read.
 * - Field names in lower case, values without blanks around them; of two fields with one name the last counts; a
 *   line without a colon is taken for a further value of the field before.
 * - A body without Content-Length ends with the connection, which is an error.
 * - Chunks: extensions are not understood beyond the number; any trailer, bytes behind a body and a status line that
 *   is none make it throw out of the socket's callback.
 * - The host is resolved, and sent in the field Host, as it is given.
 * - Any error ends all requests, in the callbacks of each; the client is closed then.
 * @module
 */

import type { Socket } from "../../../hosts/mqtt/socket.js";
import { encodeUtf8 } from "../../../src/bytes.js";
import Timer from "./timer.js";

interface Request {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Map<string, string>;
  readonly onHeaders?: (status: number, headers: Map<string, string>) => void;
  readonly onReadable?: (count: number) => void;
  readonly onDone?: (error: Error | null) => void;
}

interface Options {
  readonly host: string;
  readonly port?: number;
  readonly dns: { readonly io: new (options: never) => { resolve(query: object): void } };
  readonly socket: { readonly io: new (options: never) => Socket };
  readonly onError?: (error?: unknown) => void;
}

type State = "resolving" | "idle" | "sending" | "status" | "fields" | "body" | "trailer" | "ended" | "closed";

export default class HTTPClient {
  readonly #host: string;
  readonly #onError: Options["onError"];
  #socket: Socket | undefined;
  #state: State = "resolving";
  #queue: { request: Request; handle: object }[] = [];
  #current: { request: Request; handle: object } | undefined;
  #timer: object | undefined;
  #out: Uint8Array = new Uint8Array(0);
  #readable = 0;
  #line = "";
  #status = 0;
  #headers = new Map<string, string>();
  #name = "undefined";
  /** Bytes of the body to come; infinite without a length, NaN after a length that is no number. */
  #remaining = Number.POSITIVE_INFINITY;
  /** Bytes of the chunk to come; undefined: no chunks. */
  #chunk: number | undefined;

  constructor(options: Options) {
    const { host, port = 80, onError } = options;
    if (!host) throw new Error("host required");
    this.#host = host;
    this.#onError = onError;
    const failed = (error: unknown) => this.#fail(error);
    new options.dns.io(options.dns as never).resolve({
      host,
      onResolved: (name: string, address: string) => {
        try {
          const callbacks = {
            onReadable: (count: number) => this.#received(count),
            onWritable: (count: number) => this.#write(count),
            onError: () => this.#fail(),
          };
          const settings = { ...options.socket, address, host: name, port, ...callbacks };
          this.#socket = new options.socket.io(settings as never);
        } catch (error) {
          failed(error);
        }
      },
      onError: failed,
    });
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
    Timer.clear(this.#timer);
    this.#current = undefined;
    this.#queue = [];
    this.#state = "closed";
  }

  request(request: Request): object {
    const handle = { read: (into: Uint8Array) => this.#read(handle, into) };
    this.#queue.push({ request, handle });
    if (this.#state === "idle" && this.#queue.length === 1) {
      this.#next();
      this.#timer = Timer.set(() => this.#write(this.#room));
    }
    return handle;
  }

  #room = 0;

  #next(): void {
    this.#current = this.#queue.shift();
    if (!this.#current) return;
    const { method = "GET", path, headers } = this.#current.request;
    const fields = [...(headers ?? new Map<string, string>()).entries()];
    const lines = [`${method} ${path || "/"} HTTP/1.1`, `host: ${this.#host}`];
    for (const [name, value] of fields) lines.push(`${name}: ${value}`);
    this.#out = encodeUtf8(`${lines.join("\r\n")}\r\n\r\n`);
    this.#state = "sending";
    this.#remaining = Number.POSITIVE_INFINITY;
    this.#chunk = undefined;
  }

  #write(count: number): void {
    this.#room = count;
    if (this.#state === "resolving") {
      this.#state = "idle";
      this.#next();
    }
    if (this.#state !== "sending") return;
    while (this.#out.length && this.#room > 0 && this.#socket) {
      const part = this.#out.subarray(0, this.#room);
      this.#room = this.#socket.write(part) ?? 0;
      this.#out = this.#out.subarray(part.length);
    }
    if (this.#out.length) return;
    this.#state = "status";
    this.#line = "";
  }

  #read(handle: object, into: Uint8Array): number | undefined {
    if (this.#current?.handle !== handle) throw new Error("bad state");
    if (this.#state !== "body") return undefined;
    const left =
      this.#chunk ?? (this.#remaining === Number.POSITIVE_INFINITY ? this.#readable : this.#remaining);
    const count = Math.min(into.length, this.#readable, left);
    this.#readable -= count;
    if (this.#chunk === undefined) this.#remaining -= count;
    else this.#chunk -= count;
    this.#socket?.read(into.subarray(0, count));
    if (this.#chunk === 0) {
      this.#line = "";
      if (this.#readable) this.#timer = Timer.set(() => this.#received(this.#readable));
    } else if (this.#remaining === 0) {
      this.#state = "ended";
      this.#timer = Timer.set(() => this.#done());
    }
    return count;
  }

  #received(count: number): void {
    this.#readable = count;
    while (this.#readable > 0) {
      const lines = this.#state !== "body" || this.#chunk === 0;
      if (lines && (this.#state === "idle" || this.#state === "ended" || this.#state === "sending"))
        throw new Error("unexpected bytes");
      if (lines && !this.#takeLine()) return;
      if (!this.#socket) throw new TypeError("the socket is closed");
      if (this.#state === "body" && !lines) return this.#offer();
      if (!this.#handle(this.#line)) return;
    }
  }

  /** @returns false when the line has not ended yet */
  #takeLine(): boolean {
    const socket = this.#socket;
    if (!socket) throw new TypeError("the socket is closed");
    socket.format = "number";
    let last = 0;
    while (this.#readable > 0 && last !== 10) {
      this.#readable--;
      last = socket.read() as number;
      this.#line += String.fromCharCode(last);
    }
    socket.format = "buffer";
    return this.#line.endsWith("\r\n");
  }

  /** @returns false when nothing more is to be read now */
  #handle(line: string): boolean {
    this.#line = "";
    switch (this.#state) {
      case "status": {
        const parts = line.split(" ");
        if (parts.length < 3) this.#fail(new Error("bad response"));
        this.#status = Number.parseInt(parts[1], 10);
        this.#headers = new Map();
        this.#name = "undefined";
        this.#state = "fields";
        return true;
      }
      case "fields":
        if (line === "\r\n") return this.#begin();
        this.#field(line);
        return true;
      case "body":
        if (line === "\r\n") return true;
        this.#chunk = Number.parseInt(line.trim(), 16);
        if (this.#chunk === 0) this.#state = "trailer";
        else if (this.#readable) this.#offer();
        return this.#chunk === 0;
      case "trailer":
        if (line !== "\r\n") throw new Error("trailer");
        this.#done();
        return false;
      default:
        throw new Error("unexpected bytes");
    }
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    if (colon >= 0) this.#name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    this.#headers.set(this.#name, value);
    if (this.#name === "content-length") this.#remaining = Number.parseInt(value, 10);
    if (this.#name === "transfer-encoding" && value.toLowerCase() === "chunked") this.#chunk = 0;
  }

  #begin(): boolean {
    if (this.#status === 204 || this.#status === 205) this.#remaining = 0;
    else if (this.#chunk !== undefined) this.#remaining = Number.NaN;
    this.#current?.request.onHeaders?.(this.#status, this.#headers);
    if (!this.#current) return false;
    this.#state = "body";
    if (this.#remaining !== 0) return true;
    this.#done();
    return false;
  }

  #offer(): void {
    const most = this.#chunk ?? (Number.isFinite(this.#remaining) ? this.#remaining : this.#readable);
    const count = Math.min(this.#readable, most);
    if (count) this.#current?.request.onReadable?.(count);
  }

  #done(): void {
    this.#state = "ended";
    this.#current?.request.onDone?.(null);
    if ((this.#state as State) === "closed") return;
    this.#state = "idle";
    this.#next();
    if (this.#current) this.#write(this.#room);
  }

  #fail(error?: unknown): void {
    if (this.#state === "ended" && this.#timer) {
      Timer.clear(this.#timer);
      this.#done();
    }
    const all = this.#current ? [this.#current, ...this.#queue] : this.#queue;
    this.#current = undefined;
    this.#queue = [];
    try {
      for (const { request } of all) request.onDone?.(new Error());
      this.#onError?.(error);
    } catch {
      // nobody hears of it
    }
    this.close();
  }
}
