/**
 * The HTTP data plane: byte ranges (RFC 9110 §14) of the job's `update_data_url`. An entry point of its own, so
 * that a product without HTTP does not pay for it.
 * @module
 */
import type { BlockSink, DataPlane } from "./data-plane.js";
import { OtaError } from "./errors.js";
import { parseContentRange, resolveUrl, retryAfter } from "./http-fields.js";
import type { JobFile } from "./job-document.js";
import type { Clock, HttpClient, HttpHandler, MqttConnection, MqttObserver, Timer } from "./ports.js";

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

/** Everything about the file being delivered; replaced as a whole. */
interface Session {
  readonly sink: BlockSink;
  readonly file: JobFile;
  readonly blockSize: number;
  readonly blocks: number;
  /** Bit set: asked for and not delivered. */
  readonly asked: Uint8Array;
}

/**
 * One range request and its response. What it delivers follows from what it asked for and the response's own
 * Content-Range: bytes of an earlier request can not be taken for this one's.
 */
class Range implements HttpHandler {
  readonly #session: Session;
  readonly #clock: Clock;
  readonly #ended: (range: Range) => void;
  /** The block being received, and the last one. */
  #block: number;
  #last: number;
  /** Bytes of the block that are here. */
  #filled = 0;
  #buffer: Uint8Array | undefined;
  #body = false;
  #lastSign: number;
  #timer: Timer | undefined;
  #cancel: (() => void) | undefined;
  /** Where a redirect leads. */
  location = "";
  /** Blocks delivered that had been asked for. */
  delivered = 0;
  /** Set when it was refused. */
  remedy: Remedy = "retry";
  error: OtaError | undefined;
  afterMs = 0;

  constructor(session: Session, first: number, last: number, clock: Clock, ended: (range: Range) => void) {
    this.#session = session;
    this.#block = first;
    this.#last = last;
    this.#clock = clock;
    this.#ended = ended;
    this.#lastSign = clock.now();
  }

  start(http: HttpClient, url: string, stallMs: number): void {
    const { blockSize, file } = this.#session;
    const end = Math.min((this.#last + 1) * blockSize, file.fileSize) - 1;
    const headers = new Map([
      ["range", `bytes=${this.#block * blockSize}-${end}`],
      ["accept-encoding", "identity"],
    ]);
    const watch = () => {
      const left = this.#lastSign + stallMs - this.#clock.now();
      if (left > 0) this.#timer = this.#clock.set(watch, left);
      else {
        const cancel = this.#cancel;
        this.#give("retry", `nothing came for ${stallMs} ms`);
        this.#end();
        cancel?.();
      }
    };
    this.#timer = this.#clock.set(watch, stallMs);
    try {
      this.#cancel = http.get(url, headers, this);
    } catch (error) {
      this.#cancel = () => {};
      this.#give("retry", (error as Error).message);
      this.#end();
    }
  }

  /** Ends it without a word. */
  stop(): void {
    this.#clock.clear(this.#timer);
    const cancel = this.#cancel;
    this.#cancel = undefined;
    cancel?.();
  }

  headers(status: number, headers: ReadonlyMap<string, string>): boolean {
    // A response nobody waits for must not get the buffer another one is using.
    if (!this.#cancel) return false;
    const { blockSize, blocks, file, sink } = this.#session;
    this.#lastSign = this.#clock.now();
    if (status > 300 && status < 309 && status !== 304) {
      this.location = headers.get("location") ?? "";
      return this.location ? false : this.#give("retry", "redirect to nowhere");
    }
    if (status === 206 || status === 200) {
      const coding = headers.get("content-encoding");
      if (coding && coding !== "identity") return this.#give("final", `content-encoding ${coding}`);
    }
    if (status === 206) {
      const range = parseContentRange(headers.get("content-range"));
      const first = this.#block * blockSize;
      const end = Math.min((this.#last + 1) * blockSize, file.fileSize) - 1;
      if (!range || range.first !== first || range.last > end)
        return this.#give("retry", `content-range ${headers.get("content-range")} for ${first}-${end}`);
      if (range.total >= 0 && range.total !== file.fileSize)
        return this.#give("refresh", `the file has ${range.total} bytes, the job says ${file.fileSize}`);
      // A server may send less than it was asked for: whole blocks of it are good.
      if (range.last < end) this.#last = Math.floor((range.last + 1) / blockSize) - 1;
      if (this.#last < this.#block) return this.#give("retry", "the range is shorter than a block");
    } else if (status === 200) {
      // A server without ranges sends all of it: good enough, as blocks that are here already are ignored.
      const length = headers.get("content-length");
      if (length !== undefined && Number(length) !== file.fileSize)
        return this.#give("refresh", `the file has ${length} bytes, the job says ${file.fileSize}`);
      this.#block = 0;
      this.#last = blocks - 1;
    } else {
      const gone = status === 400 || status === 403 || status === 404 || status === 410;
      const busy = status === 408 || status === 416 || status === 429 || status >= 500;
      this.afterMs = retryAfter(headers);
      return this.#give(gone ? "refresh" : busy ? "retry" : "final", `status ${status}`);
    }
    this.#body = true;
    this.#buffer = sink.buffer(blockSize);
    return this.#buffer !== undefined || this.#give("retry", "no buffer");
  }

  buffer(): Uint8Array {
    const buffer = this.#buffer as Uint8Array;
    // Behind the last block nothing should come; if it does, one byte shows it.
    return buffer.subarray(this.#filled, this.#block > this.#last ? 1 : this.#length);
  }

  data(length: number): boolean {
    if (!this.#cancel || !this.#body || this.error) return false;
    this.#lastSign = this.#clock.now();
    if (this.#block > this.#last) return this.#give("retry", "the body is longer than its range");
    this.#filled += length;
    const size = this.#length;
    if (this.#filled < size) return true;
    const { asked, sink } = this.#session;
    const block = this.#block++;
    this.#filled = 0;
    const bit = 1 << (block & 7);
    if (asked[block >> 3] & bit) this.delivered++;
    asked[block >> 3] &= ~bit;
    sink.block(block, (this.#buffer as Uint8Array).subarray(0, size));
    // What the sink does with it may end all this.
    return this.#cancel !== undefined;
  }

  done(error?: Error): void {
    if (!this.#cancel) return;
    if (!this.error && !this.location) {
      if (error) this.#give("retry", error.message);
      else if (this.#block <= this.#last) this.#give("retry", "the body is shorter than its range");
    }
    this.#end();
  }

  get #length(): number {
    const { blockSize, file } = this.#session;
    return Math.min(blockSize, file.fileSize - this.#block * blockSize);
  }

  /** Records why it is refused; the client stops it, `done` follows. */
  #give(remedy: Remedy, message: string): false {
    this.remedy = remedy;
    this.error = new OtaError("http", `HTTP: ${message}`);
    return false;
  }

  #end(): void {
    this.#clock.clear(this.#timer);
    const live = this.#cancel;
    this.#cancel = undefined;
    if (live) this.#ended(this);
  }
}

export class HttpPlane implements DataPlane, MqttObserver {
  readonly protocol = "HTTP";
  readonly reliable = true;
  readonly #options: HttpPlaneOptions;
  readonly #rangeBytes: number;
  #session: Session | undefined;
  #range: Range | undefined;
  /** Where the next range is asked for: the job's URL, or where a redirect led. */
  #url = "";
  #redirects = 0;
  #timer: Timer | undefined;

  /** @throws TypeError, RangeError naming an option */
  constructor(options: HttpPlaneOptions) {
    for (const name of ["http", "clock"] as const)
      if (typeof options?.[name] !== "object") throw new TypeError(`option "${name}" must be an object`);
    const { rangeBytes = RANGE_BYTES, stallTimeoutMs = STALL_MS } = options;
    if (!(Number.isInteger(rangeBytes) && rangeBytes > 0))
      throw new RangeError(`option "rangeBytes" must be a positive integer, got ${rangeBytes}`);
    if (!(stallTimeoutMs > 0 && stallTimeoutMs < 86_400_000))
      throw new RangeError(`option "stallTimeoutMs" must be positive, got ${stallTimeoutMs}`);
    this.#options = options;
    this.#rangeBytes = rangeBytes;
  }

  get maxBlocks(): number {
    return Math.max(1, Math.floor(this.#rangeBytes / (this.#session?.blockSize ?? this.#rangeBytes)));
  }

  usable(file: JobFile): boolean {
    return /^https?:\/\/[\x21-\x7e]+$/i.test(file.url);
  }

  open(file: JobFile, blockSize: number, sink: BlockSink): void {
    this.close();
    const { mqtt } = this.#options;
    const blocks = Math.ceil(file.fileSize / blockSize);
    this.#session = { sink, file, blockSize, blocks, asked: new Uint8Array((blocks + 7) >> 3) };
    this.#url = file.url;
    this.#redirects = 0;
    mqtt?.addObserver(this);
    if (!mqtt || mqtt.connected) sink.ready();
  }

  request(first: number, bitmap: Uint8Array, _count: number): boolean {
    const { asked } = this.#session as Session;
    for (let bit = 0; bit < bitmap.length * 8; bit++) {
      const block = first + bit;
      if (bitmap[bit >> 3] & (1 << (bit & 7))) asked[block >> 3] |= 1 << (block & 7);
    }
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
    const { asked, blocks } = session;
    let first = 0;
    while (first < blocks && !(asked[first >> 3] & (1 << (first & 7))))
      first += asked[first >> 3] ? 1 : 8 - (first & 7);
    if (first >= blocks) return;
    let last = first;
    const limit = Math.min(blocks, first + this.maxBlocks) - 1;
    while (last < limit && asked[(last + 1) >> 3] & (1 << ((last + 1) & 7))) last++;
    const { http, clock, stallTimeoutMs = STALL_MS } = this.#options;
    const range = new Range(session, first, last, clock, (ended) => this.#ended(session, ended));
    this.#range = range;
    range.start(http, this.#url, stallTimeoutMs);
  }

  #ended(session: Session, range: Range): void {
    if (this.#range !== range) return;
    this.#range = undefined;
    const { file, sink, asked } = session;
    const { location, error } = range;
    if (location && ++this.#redirects <= MAX_REDIRECTS) {
      const url = resolveUrl(this.#url, location);
      if (url) {
        this.#url = url;
        return this.#later();
      }
    }
    const circle = location
      ? new OtaError("http", `HTTP: can not follow the redirect to ${location}`)
      : error;
    // The next range begins at the job's URL again: where it leads to may change.
    this.#url = file.url;
    this.#redirects = 0;
    // A response that was cut brought something; the rest is asked for at once.
    if (!circle || (range.delivered > 0 && range.remedy === "retry")) return this.#later();
    asked.fill(0);
    sink.refused(circle, location ? "refresh" : range.remedy, range.afterMs);
  }
}
