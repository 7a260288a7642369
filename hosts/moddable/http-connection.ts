/**
 * An HTTP/1.1 client for one origin (RFC 9112) in the shape of ECMA-419's (`embedded:network/http/client`): it may take
 * that one's place. It differs where the SDK's is known to fail: bodies in chunks, with extensions and trailers; heads
 * of any length, which are read in linear time up to a limit; what is no HTTP ends the connection, and never
 * throws out of a timer.
 * @module
 */
import { type NetworkOptions, openSocket, type Socket } from "../mqtt/socket.js";
import type { EcmaHttpClient, EcmaHttpRequest } from "./http-client.js";

type RequestOptions = Parameters<EcmaHttpClient["request"]>[0];

/** Longest head of a response, and longest line of a chunk's size, in bytes; most fields in a head. */
const MAX_HEAD = 8_192;
const MAX_FIELDS = 64;
const MAX_CHUNK_LINE = 256;
/** Bytes turned into text at a time: bounds the stack a call takes. */
const RUN = 64;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** Steps of the parser. */
const IDLE = 0;
const STATUS = 1;
const FIELD = 2;
const BODY = 3;
const CHUNK = 4;
const CHUNK_END = 5;
const TRAILER = 6;

export class HttpConnection implements EcmaHttpClient {
  static readonly readsChunks = true;
  readonly #host: string;
  readonly #onError: (error?: unknown) => void;
  #socket: Socket | undefined;
  #open = true;
  readonly #queue: RequestOptions[] = [];
  #current: RequestOptions | undefined;
  /** What is still to be written, and how much the socket takes; −1: not connected yet. */
  #out = new Uint8Array(0);
  #writable = -1;
  /** Bytes announced by the socket and not yet read. */
  #readable = 0;

  #step = IDLE;
  #pumping = false;
  /** The last bytes of the line being read; how many more bytes lines may have. */
  readonly #line = new Uint8Array(RUN);
  #filled = 0;
  /** A carriage return has come, and is not in the line yet. */
  #returned = false;
  /** Parts of it, and all of it. */
  readonly #pieces: string[] = [];
  #text = "";
  #room = 0;
  #status = 0;
  #keep = true;
  #headers = new Map<string, string>();
  /** Of the body, or of the chunk being read. */
  #remaining = 0;
  #chunked = false;
  /** Bytes offered to the owner and not yet read by it. */
  #offered = 0;

  /** Connects. @param options as ECMA-419's; `host` is what the header field Host says */
  constructor(
    options: NetworkOptions & {
      readonly host: string;
      readonly port: number;
      readonly onError: (error?: unknown) => void;
    },
  ) {
    const { host, port, onError } = options;
    this.#host = host;
    this.#onError = onError;
    openSocket(
      options,
      {
        host,
        port,
        onReadable: (count) => {
          if (!this.#open) return;
          this.#readable = count;
          this.#pump();
        },
        onWritable: (count) => {
          if (!this.#open) return;
          this.#writable = count;
          this.#write();
        },
        onError: (error) => this.#lost(error ?? new Error("connection lost")),
      },
      (socket) => {
        if (this.#open) this.#socket = socket;
        else socket.close();
      },
    );
  }

  /** Asks; requests are answered one after the other. */
  request(options: RequestOptions): EcmaHttpRequest {
    this.#queue.push(options);
    this.#next();
    return { read: (into) => this.#read(into) };
  }

  close(): void {
    this.#open = false;
    this.#current = undefined;
    this.#queue.length = 0;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #next(): void {
    if (this.#current || !this.#open) return;
    const next = this.#queue.shift();
    if (!next) return;
    this.#current = next;
    let head = `${next.method} ${next.path} HTTP/1.1\r\nhost: ${this.#host}\r\n`;
    for (const [name, value] of Array.from(next.headers)) head += `${name}: ${value}\r\n`;
    const { body } = next;
    head += body ? `content-length: ${body.length}\r\n\r\n` : "\r\n";
    const bytes = new Uint8Array(head.length + (body ? body.length : 0));
    // In runs, since XS counts the characters of a text from its first.
    for (let at = 0; at < head.length; at += RUN) {
      const run = head.slice(at, at + RUN);
      for (let n = 0; n < run.length; n++) bytes[at + n] = run.charCodeAt(n);
    }
    if (body) bytes.set(body, head.length);
    this.#out = bytes;
    this.#step = STATUS;
    this.#room = MAX_HEAD;
    this.#write();
  }

  #write(): void {
    const length = Math.min(this.#writable, this.#out.length);
    if (length <= 0 || !this.#socket) return;
    const part = this.#out.subarray(0, length);
    this.#out = this.#out.subarray(length);
    try {
      this.#socket.format = "buffer";
      this.#writable = this.#socket.write(part) ?? this.#writable - length;
    } catch (error) {
      this.#lost(error);
    }
  }

  /** The connection is over: of a body without a length that is its end. */
  #lost(error: unknown): void {
    if (!this.#open) return;
    const whole = this.#step === BODY && !this.#chunked && this.#remaining === Number.POSITIVE_INFINITY;
    const requests = this.#current ? [this.#current, ...this.#queue] : this.#queue.slice();
    const failure = error instanceof Error ? error : new Error("connection lost");
    this.close();
    this.#onError(error);
    for (let n = 0; n < requests.length; n++) requests[n].onDone(whole && n === 0 ? null : failure);
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#open && this.#offered === 0 && this.#advance());
    } catch (error) {
      this.#lost(error);
    } finally {
      this.#pumping = false;
    }
  }

  /** One step of the parser. @returns false when more bytes have to come first */
  #advance(): boolean {
    const current = this.#current;
    if (!current) {
      if (this.#readable) throw new Error("HTTP: bytes nobody asked for");
      return false;
    }
    if (this.#step === BODY) {
      if (this.#remaining === 0) {
        if (!this.#chunked) return this.#end(current);
        this.#step = CHUNK_END;
        this.#room = MAX_CHUNK_LINE;
        return true;
      }
      if (!this.#readable) return false;
      this.#offered = Math.min(this.#readable, this.#remaining);
      current.onReadable(this.#offered);
      return true;
    }
    if (!this.#readLine()) return false;
    const line = this.#text;
    switch (this.#step) {
      case STATUS: {
        const match = /^HTTP\/1\.([01]) (\d{3})( |$)/.exec(line);
        if (!match) throw new Error("HTTP: not a status line");
        this.#keep = match[1] === "1";
        this.#status = Number(match[2]);
        this.#headers = new Map();
        this.#step = FIELD;
        return true;
      }
      case FIELD: {
        if (line === "") return this.#begin(current);
        const colon = line.indexOf(":");
        const name = line.slice(0, Math.max(0, colon)).toLowerCase();
        if (!/^[^\s]+$/.test(name)) throw new Error("HTTP: not a header field");
        let start = colon + 1;
        while (line[start] === " " || line[start] === "\t") start++;
        let value = line.slice(start);
        // Not always: it would be one copy more of a long one.
        if (/[ \t]$/.test(value)) value = value.trim();
        if (this.#headers.size >= MAX_FIELDS) throw new Error("HTTP: too many header fields");
        const before = this.#headers.get(name);
        this.#headers.set(name, before === undefined ? value : `${before}, ${value}`);
        return true;
      }
      case CHUNK: {
        const match = /^([\da-f]{1,8})[ \t]*(;|$)/i.exec(line);
        if (!match) throw new Error("HTTP: not the size of a chunk");
        this.#remaining = Number.parseInt(match[1], 16);
        this.#step = this.#remaining ? BODY : TRAILER;
        if (!this.#remaining) this.#room = MAX_HEAD;
        return true;
      }
      case CHUNK_END:
        if (line !== "") throw new Error("HTTP: a chunk longer than its size");
        this.#step = CHUNK;
        return true;
      default:
        return line !== "" || this.#end(current);
    }
  }

  /** Reads on until a line is complete in `#text`. */
  #readLine(): boolean {
    const socket = this.#socket as Socket;
    socket.format = "number";
    while (this.#readable > 0) {
      const byte = socket.read() as number;
      this.#readable--;
      if (--this.#room < 0) throw new Error("HTTP: head too long");
      if (byte !== LINE_FEED) {
        // The one in front of a line feed is no part of the line.
        if (this.#returned) this.#push(CARRIAGE_RETURN);
        this.#returned = byte === CARRIAGE_RETURN;
        if (!this.#returned) this.#push(byte);
        continue;
      }
      this.#flush();
      this.#returned = false;
      this.#text = this.#pieces.join("");
      this.#pieces.length = 0;
      if (this.#step >= CHUNK && this.#step < TRAILER) this.#room = MAX_CHUNK_LINE;
      return true;
    }
    return false;
  }

  #push(byte: number): void {
    this.#line[this.#filled++] = byte;
    if (this.#filled === RUN) this.#flush();
  }

  #flush(): void {
    const bytes = this.#line.subarray(0, this.#filled);
    this.#pieces.push(String.fromCharCode.apply(null, bytes as unknown as number[]));
    this.#filled = 0;
  }

  /** The head is complete. */
  #begin(current: RequestOptions): boolean {
    const headers = this.#headers;
    const status = this.#status;
    if (status < 200) {
      // An interim response; the answer follows.
      this.#step = STATUS;
      return true;
    }
    const coding = headers.get("transfer-encoding");
    const length = headers.get("content-length");
    const connection = headers.get("connection")?.toLowerCase() ?? "";
    this.#keep = connection.includes("close") ? false : this.#keep || connection.includes("keep-alive");
    this.#chunked = coding !== undefined;
    if (coding !== undefined && coding.toLowerCase() !== "chunked")
      throw new Error(`HTTP: transfer-encoding ${coding.slice(0, RUN)}`);
    if (!this.#chunked && length !== undefined && !/^\d{1,15}$/.test(length))
      throw new Error(`HTTP: content-length ${length.slice(0, RUN)}`);
    this.#remaining = length === undefined ? Number.POSITIVE_INFINITY : Number(length);
    if (status === 204 || status === 304) {
      this.#remaining = 0;
      this.#chunked = false;
    }
    this.#step = this.#chunked ? CHUNK : BODY;
    this.#room = MAX_CHUNK_LINE;
    if (!this.#chunked && this.#remaining === Number.POSITIVE_INFINITY) this.#keep = false;
    current.onHeaders(status, headers);
    if (this.#current !== current) return false;
    return true;
  }

  #read(into: Uint8Array): number {
    const socket = this.#socket;
    if (!socket || into.length > this.#offered) throw new RangeError("more than was offered");
    if (into.length) {
      socket.format = "buffer";
      socket.read(into);
      this.#readable -= into.length;
      this.#offered -= into.length;
      this.#remaining -= into.length;
    }
    if (this.#offered === 0) this.#pump();
    return into.length;
  }

  /** A response is complete. */
  #end(current: RequestOptions): boolean {
    this.#current = undefined;
    this.#step = IDLE;
    if (!this.#keep || this.#readable > 0) {
      // Whoever asks again makes a new connection.
      const left = this.#queue.slice();
      this.close();
      this.#onError();
      for (const request of left) request.onDone(new Error("connection lost"));
    }
    current.onDone(null);
    this.#next();
    return this.#open;
  }
}
