/**
 * The HTTP data plane: byte ranges (RFC 9110 §14) of the job's `update_data_url`. An entry point of its own, so
 * that a product without HTTP does not pay for it.
 * @module
 */

import type { JobFile } from "../control/job-document.js";
import { OtaError } from "../errors.js";
import type { Clock, HttpClient, HttpHandler, MqttConnection, MqttObserver, Timer } from "../ports.js";
import type { BlockSink, DataPlane } from "./data-plane.js";
import { isPlain, isUrl, parseContentRange, resolveUrl, retryAfter } from "./http-fields.js";

/** Redirects followed for one range. */
const MAX_REDIRECTS = 5;
const RANGE_BYTES = 524_288;
const STALL_MS = 15_000;

type Remedy = "retry" | "refresh" | "final";

export interface HttpPlaneOptions {
  http: HttpClient;
  clock: Clock;
  /** Tells when the network is away. Without it a lost network shows as failed requests. */
  mqtt?: MqttConnection;
  /** Most bytes in one range request. Default 524288. */
  rangeBytes?: number;
  /** A response that stands still for this long is given up, milliseconds. Default 15000. */
  stallTimeoutMs?: number;
}

type CheckedOptions = Required<Omit<HttpPlaneOptions, "mqtt">> & Pick<HttpPlaneOptions, "mqtt">;

/** Everything about the file being delivered; replaced as a whole. */
interface Session {
  readonly sink: BlockSink;
  readonly file: JobFile;
  readonly blockSize: number;
  /** A byte for each block, and a last one that stays 0. 1: asked for and not delivered. */
  readonly asked: Uint8Array;
}

/**
 * One range request and its response. What it delivers follows from what it asked for and the response's own
 * Content-Range: bytes of an earlier request cannot be taken for this one's.
 */
class Range implements HttpHandler {
  readonly #session: Session;
  readonly #options: CheckedOptions;
  readonly #ended: () => void;
  /** Where in the file the next byte of the body belongs, and where the range ends. */
  #at: number;
  #end: number;
  /** Here when a body is wanted. */
  #buffer: Uint8Array | undefined;
  #lastSign: number;
  #timer: Timer | undefined;
  #cancel: (() => void) | undefined;
  #live = true;
  /** Where a redirect leads. */
  location = "";
  /** The server has said something. */
  answered = false;
  /** Blocks delivered that had been asked for. */
  delivered = 0;
  /** Here when it was refused, and what may help. */
  error: OtaError | undefined;
  remedy: Remedy = "retry";
  afterMs = 0;

  /** @param ended called when it is over, unless it was stopped */
  constructor(session: Session, at: number, end: number, options: CheckedOptions, ended: () => void) {
    this.#session = session;
    this.#at = at;
    this.#end = end;
    this.#options = options;
    this.#ended = ended;
    this.#lastSign = options.clock.now();
  }

  start(url: string): void {
    const { http, clock, stallTimeoutMs } = this.#options;
    const watch = () => {
      const left = this.#lastSign + stallTimeoutMs - clock.now();
      if (left > 0) this.#timer = clock.set(watch, left);
      else {
        this.done(new Error(`nothing came for ${stallTimeoutMs} ms`));
        this.#cancel?.();
      }
    };
    watch();
    try {
      const headers = new Map([
        ["range", `bytes=${this.#at}-${this.#end - 1}`],
        ["accept-encoding", "identity"],
      ]);
      this.#cancel = http.get(url, headers, this);
    } catch (error) {
      this.done(error as Error);
    }
  }

  /** Ends it without a word. */
  stop(): void {
    this.#close();
    this.#cancel?.();
  }

  headers(status: number, headers: ReadonlyMap<string, string>): boolean {
    // A response nobody waits for must not get the buffer another one is using.
    if (!this.#live) return false;
    const { blockSize, file, sink } = this.#session;
    const { fileSize } = file;
    this.#lastSign = this.#options.clock.now();
    this.answered = true;
    if (status > 300 && status < 309 && status !== 304) {
      this.location = headers.get("location") ?? "";
      return this.#give(`redirect to ${this.location}`, this.location && "refresh");
    }
    if (status !== 206 && status !== 200) {
      const gone = status === 400 || status === 403 || status === 404 || status === 410;
      const busy = status === 408 || status === 416 || status === 429 || status >= 500;
      this.afterMs = retryAfter(headers);
      return this.#give(`status ${status}`, gone ? "refresh" : busy ? "retry" : "final");
    }
    const coding = headers.get("content-encoding");
    if (!isPlain(coding)) return this.#give(`content-encoding ${coding}`, "final");
    let total = fileSize;
    if (status === 206) {
      const field = headers.get("content-range");
      const range = parseContentRange(field);
      // A server may send less than it was asked for: whole blocks of it are good.
      const behind = range ? range.last + 1 : 0;
      const end = behind < this.#end ? behind - (behind % blockSize) : behind;
      if (!range || range.first !== this.#at || behind > this.#end || end <= this.#at)
        return this.#give(`content-range ${field} for ${this.#at}-${this.#end - 1}`);
      if (range.total >= 0) total = range.total;
      this.#end = end;
    } else {
      // A server without ranges sends all of it: good enough, as blocks that are here already are ignored.
      total = Number(headers.get("content-length") ?? total);
      this.#at = 0;
      this.#end = fileSize;
    }
    if (total !== fileSize)
      return this.#give(`the file has ${total} bytes, the job says ${fileSize}`, "refresh");
    this.#buffer = sink.buffer(blockSize);
    return this.#buffer !== undefined || this.#give("no buffer");
  }

  /** The rest of a block, even where less should come: what is too much shows in `data`. */
  buffer(): Uint8Array {
    const { blockSize } = this.#session;
    return (this.#buffer as Uint8Array).subarray(this.#at % blockSize, blockSize);
  }

  data(length: number): boolean {
    const buffer = this.#buffer;
    const at = this.#at;
    if (!this.#live || !buffer || this.error) return false;
    this.#lastSign = this.#options.clock.now();
    if (at >= this.#end) return this.#give("the body is longer than its range");
    const { blockSize, asked, sink } = this.#session;
    this.#at += length;
    const first = at - (at % blockSize);
    const size = Math.min(blockSize, this.#end - first);
    if (this.#at < first + size) return true;
    const block = first / blockSize;
    this.delivered += asked[block];
    asked[block] = 0;
    sink.block(block, buffer.subarray(0, size), 0);
    // What the sink does with it may end all this.
    return this.#live;
  }

  done(error?: Error): void {
    if (!this.#live) return;
    this.#close();
    if (!this.error && (error || this.#at < this.#end))
      this.#give(error ? error.message : "the body is shorter than its range");
    this.#ended();
  }

  /** Records why it is refused; the client stops it, `done` follows. */
  #give(message: string, remedy?: Remedy | ""): false {
    if (remedy) this.remedy = remedy;
    this.error = new OtaError("http", `HTTP: ${message}`);
    return false;
  }

  #close(): void {
    this.#live = false;
    this.#options.clock.clear(this.#timer);
  }
}

export class HttpPlane implements DataPlane, MqttObserver {
  readonly protocol = "HTTP";
  readonly reliable = true;
  readonly #options: CheckedOptions;
  #session: Session | undefined;
  #range: Range | undefined;
  /** Where the next range is asked for: the job's URL, or where a redirect led. */
  #url = "";
  #redirects = 0;
  /** Requests in a row that no server answered. */
  #unanswered = 0;
  #timer: Timer | undefined;

  /** @throws TypeError, RangeError naming an option */
  constructor(options: HttpPlaneOptions) {
    for (const name of ["http", "clock"] as const)
      if (typeof options?.[name] !== "object") throw new TypeError(`options: "${name}" is no object`);
    const { rangeBytes = RANGE_BYTES, stallTimeoutMs = STALL_MS } = options;
    if (!(rangeBytes > 0 && rangeBytes % 1 === 0 && stallTimeoutMs > 0 && stallTimeoutMs < 86_400_000))
      throw new RangeError('options: "rangeBytes" or "stallTimeoutMs" is out of range');
    this.#options = { ...options, rangeBytes, stallTimeoutMs };
  }

  get maxBlocks(): number {
    const { blockSize = 0 } = this.#session ?? {};
    return Math.floor(this.#options.rangeBytes / blockSize) || 1;
  }

  usable(file: JobFile): boolean {
    return isUrl(file.url);
  }

  open(file: JobFile, blockSize: number, sink: BlockSink): void {
    this.close();
    const { mqtt } = this.#options;
    const asked = new Uint8Array(Math.ceil(file.fileSize / blockSize) + 1);
    this.#session = { sink, file, blockSize, asked };
    this.#url = file.url;
    this.#redirects = 0;
    mqtt?.addObserver(this);
    if (!mqtt || mqtt.connected) sink.ready();
  }

  request(first: number, bitmap: Uint8Array, _count: number): boolean {
    const { asked } = this.#session as Session;
    for (let bit = 0; bit < bitmap.length * 8; bit++)
      if (bitmap[bit >> 3] & (1 << (bit & 7))) asked[first + bit] = 1;
    // Requests of one turn make one range.
    if (!this.#range) this.#later();
    return true;
  }

  close(): void {
    const { clock, mqtt } = this.#options;
    clock.clear(this.#timer);
    this.#timer = undefined;
    this.#session = undefined;
    mqtt?.removeObserver(this);
    this.#stop();
  }

  online(): void {
    this.#session?.sink.ready();
  }

  offline(): void {
    this.#stop();
    this.#session?.asked.fill(0);
    this.#session?.sink.waiting();
  }

  #stop(): void {
    this.#range?.stop();
    this.#range = undefined;
  }

  #later(): void {
    this.#timer ??= this.#options.clock.set(() => {
      this.#timer = undefined;
      this.#next();
    }, 0);
  }

  /** Asks for the first run of blocks asked for. */
  #next(): void {
    const session = this.#session;
    if (!session || this.#range) return;
    const { asked, blockSize, file } = session;
    const first = asked.indexOf(1);
    if (first < 0) return;
    const behind = Math.min(asked.indexOf(0, first), first + this.maxBlocks);
    const end = Math.min(behind * blockSize, file.fileSize);
    const range = new Range(session, first * blockSize, end, this.#options, () => this.#ended(range));
    this.#range = range;
    range.start(this.#url);
  }

  #ended(range: Range): void {
    const { location, error, delivered } = range;
    let { remedy } = range;
    const { file, sink, asked } = this.#session as Session;
    this.#range = undefined;
    const follow = location && ++this.#redirects <= MAX_REDIRECTS;
    const url = follow ? resolveUrl(this.#url, location) : undefined;
    // The next range begins at the job's URL again: where it leads to may change.
    this.#url = url ?? file.url;
    if (!url) this.#redirects = 0;
    // A response that was cut brought something; the rest is asked for at once.
    if (url || !error || (delivered > 0 && remedy === "retry")) return this.#later();
    // Nobody there a second time: the file may be elsewhere by now.
    this.#unanswered = range.answered ? 0 : this.#unanswered + 1;
    if (this.#unanswered > 1 && remedy === "retry") remedy = "refresh";
    asked.fill(0);
    sink.refused(error, remedy, range.afterMs);
  }
}
