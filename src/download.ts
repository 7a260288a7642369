/**
 * Which blocks of a file are wanted, asked for, and here; when to ask again; when to give up. Knows neither
 * transport nor flash: blocks come from a `DataPlane` and go to an `OtaPal`.
 * @module
 */
import type { BlockSink, DataPlane } from "./data-plane.js";
import { OtaError, type OtaErrorCode } from "./errors.js";
import type { JobFile } from "./job-document.js";
import type { OtaPal, Received } from "./pal.js";
import type { AppDescription, Clock, Random, Timer } from "./ports.js";
import { Window } from "./window.js";

/** Room for the framing of one message around a block: CBOR keys and numbers, a client token. */
const FRAMING = 256;
/** From this round-trip on the first window is asked for together with the head, milliseconds. */
const LONG_WAY_MS = 150;
/** The first window, before anything is known of the link, in bytes; and when the way is known to be long. */
const INITIAL_WINDOW = 131_072;
const LONG_WAY_WINDOW = 196_608;
/** Most blocks in one request that can be lost. */
const REQUEST_BLOCKS = 16;
/** Blocks one request can reach, and the bytes of its bitmap. */
const SPAN = 256;
/** Most blocks on their way: bounds the memory of the window. */
const MAX_OUTSTANDING = 128;
/** First wait after a refusal, and the longest, milliseconds. */
const BACK_OFF_MS = 500;
const MAX_BACK_OFF_MS = 60_000;
/** How long a fresh job document may take until it is asked for again, milliseconds. */
const REFRESH_MS = 30_000;
/** The least rate is judged over this long, milliseconds. */
const RATE_WINDOW_MS = 60_000;
/** A rate limit is kept over about this long, milliseconds. */
const PACE_MS = 100;

/** Hosts count the milliseconds of a timer in 32 bits: a deadline of weeks is looked at now and then. */
const MAX_TIMER_MS = 3_600_000;
const NEVER = Number.POSITIVE_INFINITY;

export interface DownloadOptions {
  file: JobFile;
  plane: DataPlane;
  pal: OtaPal;
  /** What an earlier transfer left on flash. */
  received: Received;
  clock: Clock;
  random: Random;
  /** Bytes in a block. */
  blockSize: number;
  /** Most bytes asked for and not yet here. */
  maxOutstandingBytes: number;
  /** A round-trip to the service measured elsewhere, milliseconds. */
  rttHint?: number;
  /** Without a new block for this long, waits for the connection not counted: "no-progress". Milliseconds. */
  noProgressTimeoutMs: number;
  /** Not complete after this long: "too-slow". Milliseconds. */
  totalDeadlineMs?: number;
  /** Fewer bytes a second over a minute of connection: "too-slow". */
  minRate?: number;
  /** Ask for no more bytes a second than this. */
  rateLimit?: number;
  /** Leave the application this long between two blocks, on the average. Milliseconds. */
  blockIntervalMs?: number;
  /** The image's head was accepted. */
  onHead(app: AppDescription | undefined): void;
  /** A block has been written: blocks here, blocks of the file, bytes here. */
  onProgress(received: number, total: number, bytes: number): void;
  /** Everything is on flash. */
  onComplete(): void;
  /** The transfer has stopped; `switchPlane` may revive it. */
  onFailed(error: OtaError): void;
  /** A fresh job document is needed; `refresh` brings what it says. */
  onRefresh(): void;
}

/** `OTA_GetStatistics`, and what shows how a transfer went. Counts of this life alone. */
export interface DownloadStatistics {
  /** Messages that came for this file. */
  packetsReceived: number;
  /** Messages that were a block of this file. */
  packetsQueued: number;
  /** Blocks written. */
  packetsProcessed: number;
  /** Messages without effect: duplicates, bad ones, blocks that came at the wrong time. */
  packetsDropped: number;
  duplicates: number;
  bad: number;
  /** Requests sent, and blocks asked for more than once. */
  requests: number;
  retransmitted: number;
  /** Times the service said no. */
  refusals: number;
  /** Bytes written, and bytes an earlier life left. */
  bytes: number;
  resumedBytes: number;
  /** Smoothed round-trip, milliseconds; window in blocks. */
  srtt: number;
  window: number;
}

export class Download implements BlockSink {
  readonly statistics: DownloadStatistics;
  readonly #options: DownloadOptions;
  #file: JobFile;
  #plane: DataPlane;
  readonly #blocks: number;
  readonly #window: Window;
  /** Blocks that hold the head. */
  readonly #headBlocks: number;
  /** Bit set: not on flash yet. */
  readonly #wanted: Uint8Array;
  /** Bit set: on its way. */
  readonly #asked: Uint8Array;
  /** Bit set: has been asked for at least once. */
  readonly #before: Uint8Array;
  readonly #bitmap = new Uint8Array(SPAN / 8);
  /** The one message being received. */
  #buffer: Uint8Array | undefined;
  /** Head blocks not judged yet, when one block does not hold the head. */
  #head: Uint8Array | undefined;
  /** Head blocks still missing. */
  #headMissing: number;
  #judged = false;
  /** Ask for more behind the head although it is not judged yet: the way is long. */
  #eager = false;
  /** Whether the head is on flash from an earlier life. */
  #headHere: boolean;
  #remaining = 0;
  /** No wanted block below this one is unasked. */
  #low = 0;
  /** Blocks worth a request. */
  #batch = 1;
  /** Bytes on flash. */
  #bytesHere = 0;
  #running = false;
  #online = false;
  #paused = false;
  #refreshing = false;
  /** Requests wait until this time. */
  #holdUntil = 0;
  #refused = 0;
  #lastRefusal = "";
  /** Milliseconds without progress before `#silentSince`, and since when they are counted. */
  #silence = 0;
  #silentSince = 0;
  readonly #startedAt: number;
  /** Begin of the interval the least rate is judged over, and bytes written until then. */
  #judgedSince = 0;
  #judgedBytes = 0;
  /** Milliseconds each block costs under the rate limit, and when the next may be asked for. */
  readonly #pace: number;
  #paceAt = 0;
  #timer: Timer | undefined;
  #timerAt = NEVER;

  constructor(options: DownloadOptions) {
    const { file, pal, blockSize, received, clock, rttHint, rateLimit, blockIntervalMs = 0 } = options;
    this.#options = options;
    this.#file = file;
    this.#plane = options.plane;
    const blocks = (this.#blocks = Math.ceil(file.fileSize / blockSize));
    const bytes = (blocks + 7) >> 3;
    this.#wanted = new Uint8Array(bytes);
    this.#asked = new Uint8Array(bytes);
    this.#before = new Uint8Array(bytes);
    this.statistics = {
      packetsReceived: 0,
      packetsQueued: 0,
      packetsProcessed: 0,
      packetsDropped: 0,
      duplicates: 0,
      bad: 0,
      requests: 0,
      retransmitted: 0,
      refusals: 0,
      bytes: 0,
      resumedBytes: 0,
      srtt: 0,
      window: 0,
    };
    const headLength = Math.min(pal.headLength, file.fileSize);
    this.#headBlocks = Math.ceil(headLength / blockSize);
    this.#headMissing = this.#headBlocks;
    this.#headHere = received.has(0, headLength);
    this.#want(received);
    this.statistics.resumedBytes = this.#bytesHere;
    const capacity = Math.max(1, Math.min(MAX_OUTSTANDING, options.maxOutstandingBytes / blockSize) | 0);
    const initial = this.#longWay ? LONG_WAY_WINDOW : INITIAL_WINDOW;
    const now = (this.#startedAt = clock.now());
    this.#window = new Window(capacity, Math.max(1, initial / blockSize), now, rttHint);
    this.#pace = Math.max(rateLimit ? (blockSize * 1000) / rateLimit : 0, blockIntervalMs);
  }

  /** Begins. Callbacks come in later turns. */
  start(): void {
    this.#running = true;
    this.#timer = this.#options.clock.set(() => (this.#remaining ? this.#open() : this.#ended()), 0);
  }

  /** Goes on with another plane, or with the same one after it failed; what is here is kept. */
  switchPlane(plane: DataPlane, file: JobFile): void {
    this.#plane.close();
    this.#plane = plane;
    this.#file = file;
    this.#running = true;
    this.waiting();
    this.#silence = this.#refused = 0;
    this.#open();
  }

  /** Goes on with what a fresh job document says of the same file: a new URL, a new stream. */
  refresh(file: JobFile): void {
    const old = this.#file;
    this.#file = file;
    const moved = this.#plane.protocol === "HTTP" ? old.url !== file.url : old.streamName !== file.streamName;
    if (!this.#running || (!moved && !this.#refreshing)) return;
    this.#plane.close();
    this.#open();
  }

  /** Flash lost something: what `received` lacks is fetched again. */
  missing(received: Received): void {
    this.#headHere = true;
    this.#forget();
    this.#want(received);
    this.#running = true;
    const now = this.#options.clock.now();
    this.#silence = 0;
    this.#silentSince = now;
    if (this.#remaining === 0) this.#timer = this.#options.clock.set(() => this.#ended(), 0);
    // When an earlier life had left everything, the plane was never needed.
    else if (!this.#buffer) this.#open();
    else this.#next(now);
  }

  /** Asks for nothing and writes nothing until `resume`. */
  pause(): void {
    this.#freeze();
    this.#paused = true;
    this.#schedule(this.#options.clock.now());
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#thaw();
  }

  /** Stops for good and frees the plane. */
  close(): void {
    this.#stop();
    this.#plane.close();
    this.#buffer = undefined;
  }

  // BlockSink

  ready(): void {
    if (!this.#running) return;
    this.#online = true;
    this.#thaw();
  }

  waiting(): void {
    this.#freeze();
    this.#online = false;
    this.#schedule(this.#options.clock.now());
  }

  buffer(byteLength: number): Uint8Array | undefined {
    const buffer = this.#buffer;
    if (buffer && byteLength <= buffer.length) return buffer;
    this.bad();
    return undefined;
  }

  bad(): void {
    const { statistics } = this;
    statistics.packetsReceived++;
    statistics.packetsDropped++;
    statistics.bad++;
  }

  refused(error: OtaError, remedy: "retry" | "refresh" | "final", afterMs = 0): void {
    if (!this.#running) return;
    const { clock, random } = this.#options;
    this.statistics.refusals++;
    this.#lastRefusal = error.message;
    if (remedy === "final") return this.#fail(error);
    const now = clock.now();
    const first = this.#refused === 0;
    const backOff = Math.min(MAX_BACK_OFF_MS, BACK_OFF_MS * 2 ** Math.min(this.#refused++, 16));
    this.#forget();
    if (this.#refreshing) return;
    this.#refreshing = remedy === "refresh";
    // The first time a fresh document is asked for at once, later with a back-off as well.
    this.#holdUntil = this.#refreshing && first ? now : now + Math.max(afterMs, backOff) * (1 + random() / 4);
    this.#schedule(now);
  }

  block(index: number, payload: Uint8Array): void {
    const statistics = this.statistics;
    const window = this.#window;
    const at = index >> 3;
    const bit = 1 << (index & 7);
    const now = this.#options.clock.now();
    statistics.packetsReceived++;
    statistics.packetsQueued++;
    if (!(this.#wanted[at] & bit)) {
      statistics.duplicates++;
      statistics.packetsDropped++;
      window.active = now;
      return;
    }
    if (!this.#running || this.#paused) {
      statistics.packetsDropped++;
      return;
    }
    window.arrived(index, now);
    this.#asked[at] &= ~bit;
    if (this.#judged) {
      if (!this.#write(index, payload)) return;
    } else if (!this.#collect(index, payload)) return;
    if (this.#remaining === 0) return this.#ended();
    // Most of the time all is as it should be: nothing lost, enough on its way, and the timer armed.
    if (!window.calm(this.#batch)) this.#next(this.#options.clock.now());
  }

  /** A block before the head was judged. @returns false when the transfer has ended by it */
  #collect(index: number, payload: Uint8Array): boolean {
    const headBlocks = this.#headBlocks;
    if (index >= headBlocks) {
      // Nothing is written before the head was accepted: the block has to come again.
      if (index < this.#low) this.#low = index;
      this.#eager = false;
      this.statistics.packetsDropped++;
      return true;
    }
    if (headBlocks === 1) return this.#judge(payload) && this.#write(index, payload);
    const { blockSize } = this.#options;
    this.#head ??= new Uint8Array(Math.min(headBlocks * blockSize, this.#file.fileSize));
    this.#head.set(payload, index * blockSize);
    this.#wanted[index >> 3] &= ~(1 << (index & 7));
    if (--this.#headMissing > 0) return true;
    const head = this.#head;
    this.#head = undefined;
    if (!this.#judge(head)) return false;
    for (let block = 0; block < headBlocks; block++)
      if (!this.#write(block, head.subarray(block * blockSize, (block + 1) * blockSize))) return false;
    return true;
  }

  #judge(head: Uint8Array): boolean {
    const { pal, onHead } = this.#options;
    let app: AppDescription | undefined;
    try {
      app = pal.inspect(this.#file, head);
    } catch (error) {
      this.#fail(error);
      return false;
    }
    this.#judged = true;
    onHead(app);
    return this.#running;
  }

  /** The head an earlier life left on flash. */
  #judgeFlash(): boolean {
    const head = new Uint8Array(Math.min(this.#options.pal.headLength, this.#file.fileSize));
    try {
      this.#options.pal.readBack(0, head);
    } catch (error) {
      this.#fail(error);
      return false;
    }
    return this.#judge(head);
  }

  #write(index: number, payload: Uint8Array): boolean {
    const statistics = this.statistics;
    const options = this.#options;
    try {
      options.pal.writeBlock(index * options.blockSize, payload);
    } catch (error) {
      this.#fail(error);
      return false;
    }
    this.#wanted[index >> 3] &= ~(1 << (index & 7));
    this.#remaining--;
    this.#bytesHere += payload.length;
    statistics.bytes += payload.length;
    statistics.packetsProcessed++;
    this.#refused = 0;
    this.#silence = 0;
    // Writing may have taken a while, in which nothing could arrive.
    this.#window.active = this.#silentSince = options.clock.now();
    options.onProgress(this.#blocks - this.#remaining, this.#blocks, this.#bytesHere);
    return this.#running;
  }

  #ended(): void {
    if (!this.#running || (!this.#judged && !this.#judgeFlash())) return;
    this.#stop();
    this.#options.onComplete();
  }

  // What to do next

  /** Losses, requests, and the time of the next look. */
  #next(now: number): void {
    this.#losses(now);
    this.#fill(now);
    this.#schedule(now);
  }

  #losses(now: number): boolean {
    const window = this.#window;
    let block = window.lost(now);
    if (block < 0) return false;
    for (; block >= 0; block = window.lost(now)) this.#unask(block);
    return true;
  }

  #unask(block: number): void {
    this.#asked[block >> 3] &= ~(1 << (block & 7));
    if (block < this.#low) this.#low = block;
  }

  #fill(now: number): void {
    if (!this.#active || this.#refreshing || now < this.#holdUntil) return;
    const window = this.#window;
    const { maxBlocks, reliable } = this.#plane;
    const most = Math.min(maxBlocks, reliable ? SPAN : REQUEST_BLOCKS);
    // A quarter of the window at a time: the more in one request the fewer are needed, the less the link idles.
    let batch = Math.max(1, Math.min(most, Math.max(4, window.size >> 2), window.size >> 1));
    if (this.#pace > 0) batch = Math.max(1, Math.min(batch, (PACE_MS / this.#pace) | 0));
    this.#batch = batch;
    if (!this.#judged) {
      if (this.#ask(this.#headBlocks, this.#headBlocks, now)) this.#eager = this.#longWay;
      if (!this.#eager) return;
    }
    while (this.#running) {
      let room = window.room;
      // A batch at a time while enough is on its way: fewer requests for the same blocks.
      if (room < batch && window.outstanding > 0 && this.#judged) return;
      if (this.#pace > 0) {
        if (now < this.#paceAt) return;
        room = Math.min(room, batch);
      }
      if (this.#ask(Math.min(room, most), this.#blocks, now) === 0) return;
    }
  }

  /** Asks for up to `max` blocks below `end`, the first ones. @returns how many */
  #ask(max: number, end: number, now: number): number {
    const asked = this.#asked;
    const bitmap = this.#bitmap;
    let at = this.#low >> 3;
    let first = -1;
    let count = 0;
    let length = 0;
    for (; at << 3 < end && count < max; at++) {
      let take = this.#wanted[at] & ~asked[at];
      if (take === 0) continue;
      const base = at << 3;
      take = lowest(take, Math.min(end - base, 8), max - count);
      if (take === 0) break;
      if (first < 0) {
        first = base;
        while (!(take & (1 << (first - base)))) first++;
        bitmap.fill(0);
      }
      const offset = base - first;
      if (offset + 8 > SPAN) break;
      if (offset < 0) bitmap[0] = take >> -offset;
      else {
        bitmap[offset >> 3] |= take << (offset & 7);
        bitmap[(offset >> 3) + 1] = take >> (8 - (offset & 7));
      }
      count += this.#window.ask(base, take, this.#before[at] & take, now);
      asked[at] |= take;
      this.#before[at] |= take;
      length = (base + 7 - Math.clz32(take << 24) - first) >> 3;
    }
    // Some of the last byte's blocks may have been left.
    this.#low = Math.min(count < max ? at << 3 : (at - 1) << 3, end);
    if (count === 0) return 0;
    this.#paceAt = Math.max(this.#paceAt, now - PACE_MS) + count * this.#pace;
    this.statistics.requests++;
    this.statistics.retransmitted = this.#window.repeated;
    // When it can not be sent it counts as lost: the connection's end, or a time-out, brings it back.
    this.#plane.request(first, bitmap.subarray(0, length + 1), count);
    return count;
  }

  #tick(): void {
    this.#timer = undefined;
    this.#timerAt = NEVER;
    if (!this.#running) return;
    const { clock, random, noProgressTimeoutMs, totalDeadlineMs, minRate, onRefresh } = this.#options;
    const { statistics } = this;
    const now = clock.now();
    // The same sums as in #schedule: rounded otherwise, a timer for this very moment would never find it come.
    if (totalDeadlineMs && now >= this.#startedAt + totalDeadlineMs)
      return this.#give("too-slow", `not complete after ${totalDeadlineMs} ms`);
    if (this.#active) {
      if (now >= this.#silentSince - this.#silence + noProgressTimeoutMs)
        return this.#give("no-progress", `no block for ${noProgressTimeoutMs} ms`);
      if (minRate && now >= this.#judgedSince + RATE_WINDOW_MS) {
        const got = ((statistics.bytes - this.#judgedBytes) * 1000) / (now - this.#judgedSince);
        if (got < minRate) return this.#give("too-slow", `${Math.floor(got)} bytes a second`);
        this.#judgedSince = now;
        this.#judgedBytes = statistics.bytes;
      }
      const window = this.#window;
      if (this.#refreshing) {
        if (now >= this.#holdUntil) {
          this.#holdUntil = now + REFRESH_MS;
          onRefresh();
        }
      } else if (!this.#losses(now) && now >= window.deadline) {
        window.expire(random());
        let probes = 0;
        for (; probes < REQUEST_BLOCKS && (probes < window.size >> 1 || probes === 0); probes++) {
          const block = window.oldest();
          if (block < 0) break;
          this.#unask(block);
        }
        // Whatever the window says: an answer shows which of the others are lost.
        this.#ask(Math.min(probes, this.#plane.maxBlocks), this.#blocks, now);
      }
    }
    this.#next(now);
  }

  get #active(): boolean {
    return this.#online && !this.#paused;
  }

  get #longWay(): boolean {
    return (this.#options.rttHint ?? 0) >= LONG_WAY_MS;
  }

  /** Arms the timer for the earliest thing to look after; one that is due earlier anyway is left alone. */
  #schedule(now: number): void {
    if (!this.#running) return;
    const { clock, noProgressTimeoutMs, totalDeadlineMs, minRate } = this.#options;
    let due = totalDeadlineMs ? Math.min(this.#startedAt + totalDeadlineMs, now + MAX_TIMER_MS) : NEVER;
    if (this.#active) {
      due = Math.min(due, this.#silentSince - this.#silence + noProgressTimeoutMs, this.#window.deadline);
      if (minRate) due = Math.min(due, this.#judgedSince + RATE_WINDOW_MS);
      if (this.#holdUntil > now || this.#refreshing) due = Math.min(due, this.#holdUntil);
      if (this.#paceAt > now) due = Math.min(due, this.#paceAt);
    }
    if (due >= this.#timerAt) return;
    clock.clear(this.#timer);
    this.#timerAt = due;
    this.#timer =
      due === NEVER ? undefined : clock.set(() => this.#tick(), Math.max(0, Math.ceil(due - now)));
  }

  // Beginnings and ends

  #open(): void {
    const { blockSize } = this.#options;
    this.waiting();
    this.#forget();
    this.#refreshing = false;
    this.#holdUntil = 0;
    this.#window.reliable = this.#plane.reliable;
    this.#buffer ??= new Uint8Array(blockSize + FRAMING);
    this.#schedule(this.#options.clock.now());
    this.#plane.open(this.#file, blockSize, this);
  }

  /** Sets what is wanted from what is here. */
  #want(received: Received): void {
    const { blockSize } = this.#options;
    const { fileSize } = this.#file;
    this.#remaining = this.#bytesHere = 0;
    for (let block = 0; block < this.#blocks; block++) {
      const offset = block * blockSize;
      const length = Math.min(blockSize, fileSize - offset);
      const bit = 1 << (block & 7);
      if (received.has(offset, length) && (this.#headHere || block >= this.#headBlocks)) {
        this.#wanted[block >> 3] &= ~bit;
        this.#bytesHere += length;
      } else {
        this.#wanted[block >> 3] |= bit;
        this.#remaining++;
      }
    }
  }

  /** Nothing counts as asked for any more. */
  #forget(): void {
    this.#asked.fill(0);
    this.#low = 0;
    this.#window.clear(this.#options.clock.now());
  }

  /** Time stops counting. */
  #freeze(): void {
    if (!this.#active) return;
    const { clock } = this.#options;
    this.#silence += clock.now() - this.#silentSince;
    this.#silentSince = clock.now();
    clock.clear(this.#timer);
    this.#timer = undefined;
    this.#timerAt = NEVER;
  }

  /** Time counts again, if nothing else is in the way. */
  #thaw(): void {
    if (!this.#running || !this.#active) return;
    const now = this.#options.clock.now();
    this.#silentSince = this.#judgedSince = now;
    this.#judgedBytes = this.statistics.bytes;
    this.#forget();
    if (this.#headHere && !this.#judged && !this.#judgeFlash()) return;
    this.#next(now);
  }

  #stop(): void {
    const { statistics } = this;
    statistics.srtt = this.#window.srtt;
    statistics.window = this.#window.size;
    this.#running = false;
    this.#options.clock.clear(this.#timer);
    this.#timer = undefined;
    this.#timerAt = NEVER;
  }

  #give(code: OtaErrorCode, message: string): void {
    const because =
      this.#lastRefusal && this.#refused ? `${message}; the service said: ${this.#lastRefusal}` : message;
    this.#fail(new OtaError(code, because));
  }

  #fail(error: unknown): void {
    this.#stop();
    const known = error instanceof OtaError ? error : new OtaError("flash-write", (error as Error).message);
    this.#options.onFailed(known);
  }
}

/** The lowest `count` bits that are set among the lowest `width` of a byte. */
function lowest(byte: number, width: number, count: number): number {
  if (width >= 8 && count >= 8) return byte;
  let found = 0;
  for (let bit = 1; bit < 1 << width && count > 0; bit <<= 1)
    if (byte & bit) {
      found |= bit;
      count--;
    }
  return found;
}
