/**
 * Which blocks of a file are wanted, asked for, and here; when to ask again; when to give up. Knows neither
 * transport nor flash: blocks come from a `DataPlane` and go to an `OtaPal`.
 * @module
 */

import type { JobFile } from "../control/job-document.js";
import { asOtaError, OtaError, type OtaErrorCode } from "../errors.js";
import * as Event from "../events.js";
import type { AppDescription, Clock, Random, Timer } from "../ports.js";
import type { OtaPal, Received } from "../slot/pal.js";
import type { BlockSink, DataPlane } from "./data-plane.js";
import { TOKENS, Window } from "./window.js";

/** Room for the framing of one message around a block: CBOR keys and numbers, a client token. */
const FRAMING = 256;
/** From this round-trip on the first window is asked for together with the head, milliseconds. */
const LONG_WAY_MS = 150;
/** The first window, in bytes; and when it is asked for together with the head: at most, and for this long, milliseconds. */
const INITIAL_WINDOW = 131_072;
const LONG_WAY_WINDOW = 262_144;
const LONG_WAY_QUEUE_MS = 500;
/** Most blocks in one request that can be lost. */
const REQUEST_BLOCKS = 16;
/** Smallest block that is chosen, bytes (AWS IoT: least `l` of GetStream). */
const MIN_BLOCK = 256;
/** So many sizes are tried, each a quarter of the one before, while not one block comes. */
const SIZES = 3;
/** Blocks one request can reach, and the bytes of its bitmap. */
const SPAN = 256;
/** Most blocks on their way: bounds the memory of the window. */
const MAX_OUTSTANDING = 128;
/** Longest wait for a block, milliseconds, and how often it is asked for at least before the transfer is given up. */
const MAX_WAIT_MS = 30_000;
const ATTEMPTS = 6;
/** First wait after a refusal, and the longest, milliseconds. */
const BACK_OFF_MS = 500;
const MAX_BACK_OFF_MS = 60_000;
/** Refusals in a row after which another plane is tried, when there is one. */
const PATIENCE = 3;
/** So many blocks that do not fit the file, over so long and with no good one between, end the transfer, milliseconds. */
const MISFITS = 3;
const MISFIT_MS = 20_000;
/** How long a fresh job document may take until it is asked for again, milliseconds. */
const REFRESH_MS = 30_000;
/** The least rate is judged over this long, milliseconds. */
const RATE_WINDOW_MS = 60_000;
/** How long to look whether something came, before a wait counts as over, milliseconds. */
const LOOK_MS = 10;
/** A rate limit is kept over about this long, milliseconds. */
const PACE_MS = 100;

/** Hosts count the milliseconds of a timer in 32 bits: a deadline of weeks is looked at now and then. */
const MAX_TIMER_MS = 3_600_000;
const NEVER = Number.POSITIVE_INFINITY;

/** State of a block, as bits: asked for before; not on flash yet; on its way; asked for more than once. */
const BEFORE = 1;
const WANTED = 2;
const ASKED = 4;
const AGAIN = 8;

/** How any transfer is to go: the agent's own options, shared rather than copied, since each member takes heap. */
export interface DownloadOptions {
  clock: Clock;
  random: Random;
  /** Bytes in a block; undefined: chosen, within `maxBlockSize`. */
  blockSize?: number | undefined;
  maxBlockSize: number;
  /** Most bytes asked for and not yet here. */
  maxOutstandingBytes: number;
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
  /** Told what goes wrong. */
  failureLog?: TransferLog;
}

/** What one transfer is about, and who is told of it. */
export interface DownloadTask {
  file: JobFile;
  /** What it can be fetched with, the best first. */
  planes: readonly DataPlane[];
  pal: OtaPal;
  /** What an earlier transfer left on flash. */
  received: Received;
  /** A round-trip to the service measured elsewhere, milliseconds, and the least rate seen there, bytes a second. */
  rttHint?: number;
  rateHint?: number;
  /** The image's head was accepted. */
  onHead(app: AppDescription | undefined): void;
  /** A block has been written: blocks here, blocks of the file, bytes here. */
  onProgress(received: number, total: number, bytes: number): void;
  /**
   * Told the rest as events of the agent (`events.ts`): FileComplete when everything is on flash; TransferFailed with an
   * `OtaError` when the transfer has stopped, which `switchPlanes` may revive; RequestJobDocument when a fresh job document
   * is needed, and `renew` brings what it says.
   */
  tell(event: number, error?: OtaError): void;
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

/** Told of what goes wrong with a transfer. Its methods do not throw. */
export interface TransferLog {
  /** Something went wrong that need not end the update. */
  cause(text: string): void;
  /** A transfer begins; its `statistics` are those of the moment. */
  transfer(download: { readonly statistics: DownloadStatistics }): void;
}

export class Download implements BlockSink {
  readonly #options: DownloadOptions;
  readonly #task: DownloadTask;
  #file: JobFile;
  #planes: readonly DataPlane[];
  /** What earlier lives left on flash. */
  #received: Received;
  #blockSize = 0;
  /** Sizes that have been tried. */
  #sizes = 0;
  #blocks = 0;
  #window!: Window;
  /** State of each block. */
  #state!: Uint8Array;
  readonly #bitmap = new Uint8Array(SPAN / 8);
  /** Bytes of the head, and blocks that hold it. */
  readonly #headLength: number;
  #headBlocks = 0;
  /** Head blocks not judged yet, when one block does not hold the head. */
  #head: Uint8Array | undefined;
  /** Head blocks still missing. */
  #headMissing = 0;
  #judged = false;
  /** Ask for more behind the head although it is not judged yet: the way is long. */
  #eager: boolean;
  /** The one message being received. */
  #buffer: Uint8Array | undefined;
  /** Bytes not on flash. */
  #left = 0;
  /** No wanted block below this one is unasked. */
  #low = 0;
  /** Blocks worth a request. */
  #batch = 1;
  #running = false;
  #opened = false;
  #online = false;
  #paused = false;
  #refreshing = false;
  #refused = 0;
  /** Blocks that did not fit since the last good one, the first one's time, and what is said of the last one. */
  #misfits = 0;
  #misfitAt = 0;
  #misfit = "";
  #lastRefusal = "";
  /** Milliseconds each block costs under the rate limit. */
  #pace = 0;
  /** Requests, for blocks or for a fresh document, wait until this time. */
  #askAt = 0;
  /** When the transfer has to be complete, when to have made progress, when to have this many bytes written. */
  readonly #endAt: number;
  #silentAt = 0;
  #rateAt = 0;
  #rateBytes = 0;
  /** When time began to count, or ceased to. */
  #turnedAt = 0;
  #timer: Timer | undefined;
  #timerAt = NEVER;
  /** Messages there were when a wait was over. */
  #looked = -1;
  // Counts for the statistics.
  #messages = 0;
  #duplicates = 0;
  #bad = 0;
  #written = 0;
  #bytes = 0;
  readonly #resumedBytes: number;
  #requests = 0;
  #refusals = 0;

  constructor(options: DownloadOptions, task: DownloadTask) {
    const { blockSize, maxBlockSize, rateLimit = maxBlockSize, totalDeadlineMs } = options;
    const { file, rttHint = 0, rateHint = 0 } = task;
    this.#options = options;
    this.#task = task;
    this.#file = file;
    this.#planes = task.planes;
    this.#received = task.received;
    this.#headLength = Math.min(task.pal.headLength, file.fileSize);
    // Where nothing is known of the rate, a first window might lie in the way of the application's messages.
    this.#eager = rttHint >= LONG_WAY_MS && rateHint > 0;
    this.#endAt = options.clock.now() + (totalDeadlineMs ?? NEVER);
    // Powers of two fill sectors. Under a rate limit a block is what a second may bring, no more.
    const most = 2 ** (31 - Math.clz32(Math.min(maxBlockSize, rateLimit)));
    this.#divide(blockSize ?? most);
    this.#resumedBytes = file.fileSize - this.#left;
    options.failureLog?.transfer(this);
  }

  /** A snapshot. */
  get statistics(): DownloadStatistics {
    const window = this.#window;
    const received = this.#messages + this.#bad;
    return {
      packetsReceived: received,
      packetsQueued: this.#messages,
      packetsProcessed: this.#written,
      packetsDropped: received - this.#written,
      duplicates: this.#duplicates,
      bad: this.#bad,
      requests: this.#requests,
      retransmitted: window.repeated,
      refusals: this.#refusals,
      bytes: this.#bytes,
      resumedBytes: this.#resumedBytes,
      srtt: window.srtt,
      window: window.size,
    };
  }

  /** Begins. Callbacks come in later turns. */
  start(): void {
    const { clock, noProgressTimeoutMs } = this.#options;
    this.#turnedAt = clock.now();
    this.#silentAt = this.#turnedAt + noProgressTimeoutMs;
    this.#refused = 0;
    this.#running = true;
    this.#reopen();
  }

  /** Goes on with other planes, or with the same ones after they failed; what is here is kept. */
  switchPlanes(planes: readonly DataPlane[], file: JobFile): void {
    this.#plane.close();
    this.#planes = planes;
    this.#file = file;
    this.start();
  }

  /** Goes on with what a fresh job document says of the same file: a new URL, a new stream. */
  renew(file: JobFile): void {
    const old = this.#file;
    this.#file = file;
    const moved = this.#plane.protocol === "HTTP" ? old.url !== file.url : old.streamName !== file.streamName;
    if (this.#running && (moved || this.#refreshing)) this.#reopen();
  }

  /** Flash lost something: what `received` lacks is fetched again. */
  missing(received: Received): void {
    this.#received = received;
    this.#want();
    this.start();
  }

  /** Asks for nothing and writes nothing until `resume`. */
  pause(): void {
    this.#turn(this.#online, true);
  }

  resume(): void {
    if (this.#paused) this.#turn(this.#online, false);
  }

  /** Stops for good and frees the plane. */
  close(): void {
    this.#stop();
    this.#plane.close();
    this.#buffer = undefined;
  }

  // BlockSink

  ready(): void {
    this.#turn(true, this.#paused);
  }

  waiting(): void {
    if (this.#online) this.#cause("the connection was lost");
    this.#turn(false, this.#paused);
  }

  buffer(byteLength: number): Uint8Array | undefined {
    const buffer = this.#buffer;
    if (buffer && byteLength <= buffer.length) return buffer;
    this.bad(`message of ${byteLength} bytes`);
    return undefined;
  }

  bad(reason: string, misfit = false): void {
    this.#bad++;
    this.#cause(`bad block: ${reason}`);
    if (!misfit || !this.#running) return;
    const now = this.#options.clock.now();
    this.#misfit = reason;
    if (this.#misfits++ === 0) this.#misfitAt = now;
    // One may be a leftover of other requests. Again and again, with nothing good between: no block will ever fit.
    if (this.#misfits >= MISFITS && now - this.#misfitAt >= MISFIT_MS)
      this.#fail(new OtaError("stream-refused", `the stream is not the file the job describes: ${reason}`));
  }

  refused(error: OtaError, remedy: "retry" | "refresh" | "final", afterMs = 0): void {
    if (!this.#running) return;
    const { clock, random } = this.#options;
    this.#refusals++;
    this.#lastRefusal = error.message;
    this.#cause(`refused: ${error.message}`);
    if (remedy === "final" || (this.#refused + 1 >= PATIENCE && this.#planes.length > 1))
      return this.#fail(error);
    const now = clock.now();
    const wait = Math.max(afterMs, Math.min(MAX_BACK_OFF_MS, BACK_OFF_MS * 2 ** this.#refused++));
    this.#forget(now);
    if (this.#refreshing) return;
    this.#refreshing = remedy === "refresh";
    // The first time a fresh document is asked for at once, later with a back-off as well.
    this.#askAt = now + (this.#refreshing && this.#refused === 1 ? 0 : wait * (1 + random() / 4));
    this.#next(now, 0);
  }

  block(index: number, payload: Uint8Array, token: number): void {
    const window = this.#window;
    const now = this.#options.clock.now();
    this.#messages++;
    if (!(this.#state[index] & WANTED)) {
      this.#duplicates++;
      window.active = now;
      // Its first answer was on the way when it was asked for again. One with a token has shown that before.
      if (this.#state[index] && !token) window.needless();
      this.#state[index] = 0;
      return;
    }
    if (!this.#running || this.#paused) return;
    window.arrived(index, token, now);
    try {
      if (this.#judged) this.#write(index, payload);
      else this.#collect(index, payload);
    } catch (error) {
      this.#unask(index);
      return this.#fail(error);
    }
    if (!this.#running) return;
    if (this.#left === 0) return this.#ended();
    // Most of the time all is as it should be: nothing lost, enough on its way, and the timer armed.
    if (!window.calm(this.#batch)) this.#next(window.active, 0);
  }

  /** A block before the head was judged. */
  #collect(index: number, payload: Uint8Array): void {
    const headBlocks = this.#headBlocks;
    const blockSize = this.#blockSize;
    if (index >= headBlocks) {
      // Nothing is written before the head was accepted: the block has to come again.
      this.#unask(index);
      this.#eager = false;
      return;
    }
    let head = payload;
    if (headBlocks > 1) {
      head = this.#head ??= new Uint8Array(Math.min(headBlocks * blockSize, this.#file.fileSize));
      head.set(payload, index * blockSize);
      this.#state[index] = 0;
      if (--this.#headMissing > 0) {
        const { clock, noProgressTimeoutMs } = this.#options;
        this.#silentAt = clock.now() + noProgressTimeoutMs;
        return;
      }
      this.#head = undefined;
    }
    this.#judge(head);
    for (let block = 0; block < headBlocks && this.#running; block++)
      this.#write(block, head.subarray(block * blockSize, (block + 1) * blockSize));
  }

  #judge(head: Uint8Array): void {
    const task = this.#task;
    const app = task.pal.inspect(this.#file, head);
    this.#judged = true;
    task.onHead(app);
  }

  #write(index: number, payload: Uint8Array): void {
    const options = this.#options;
    const task = this.#task;
    const blockSize = this.#blockSize;
    const { length } = payload;
    task.pal.writeBlock(index * blockSize, payload);
    this.#state[index] &= AGAIN;
    const left = this.#left - length;
    this.#left = left;
    this.#bytes += length;
    this.#written++;
    this.#refused = this.#misfits = 0;
    // Writing may have taken a while, in which nothing could arrive.
    const now = options.clock.now();
    this.#window.active = now;
    this.#silentAt = now + options.noProgressTimeoutMs;
    const blocks = this.#blocks;
    const missing = ((left + blockSize - 1) / blockSize) | 0;
    task.onProgress(blocks - missing, blocks, this.#file.fileSize - left);
  }

  /** Makes blocks of `blockSize` bytes of the file, none of which has come in this life. */
  #divide(blockSize: number): void {
    const {
      clock,
      random,
      rateLimit,
      blockIntervalMs = 0,
      maxOutstandingBytes,
      noProgressTimeoutMs,
    } = this.#options;
    const { rttHint, rateHint = 0 } = this.#task;
    const { fileSize } = this.#file;
    const capacity = Math.max(1, Math.min(MAX_OUTSTANDING, maxOutstandingBytes / blockSize) | 0);
    const first = this.#eager
      ? Math.min(LONG_WAY_WINDOW, (rateHint / 1000) * ((rttHint as number) + LONG_WAY_QUEUE_MS))
      : INITIAL_WINDOW;
    const initial = Math.max(1, first / blockSize);
    this.#blockSize = blockSize;
    this.#sizes++;
    this.#blocks = Math.ceil(fileSize / blockSize);
    this.#state = new Uint8Array(this.#blocks);
    this.#buffer = undefined;
    this.#headBlocks = Math.ceil(this.#headLength / blockSize);
    const longest = noProgressTimeoutMs / ATTEMPTS;
    // Without a rate limit the quotient is NaN. However little a second may bring, one lost block must not end it all.
    this.#pace = Math.min(longest, Math.max((blockSize * 1000) / rateLimit! || 0, blockIntervalMs));
    this.#window = new Window(
      capacity,
      initial,
      clock.now(),
      random,
      Math.min(MAX_WAIT_MS, longest),
      rttHint,
    );
    this.#want();
  }

  #ended(): void {
    this.#stop();
    this.#task.tell(Event.FileComplete);
  }

  // What to do next

  /**
   * Deadlines, losses, requests, and the time of the next look.
   * @param late until when waits are judged; 0: not at all
   */
  #next(now: number, late: number): void {
    if (this.#running && !this.#opened) this.#open();
    if (!this.#running) return;
    const { noProgressTimeoutMs, totalDeadlineMs, minRate } = this.#options;
    const window = this.#window;
    // The sums are those the timer was armed with: rounded otherwise, it would never find this very moment come.
    if (now >= this.#endAt) return this.#give("too-slow", `not complete after ${totalDeadlineMs} ms`);
    let due = this.#endAt;
    if (this.#active) {
      if (now >= this.#silentAt) return this.#give("no-progress", `no block for ${noProgressTimeoutMs} ms`);
      if (now >= this.#rateAt && !this.#measure(now))
        return this.#give("too-slow", `less than ${minRate} bytes a second`);
      if (now >= this.#askAt && this.#refreshing) {
        this.#askAt = now + REFRESH_MS;
        this.#task.tell(Event.RequestJobDocument);
      }
      const probes = this.#losses(late);
      if (late && probes) this.#cause("no answer in time");
      if (now >= this.#smallerAt) {
        this.#divide(Math.max(MIN_BLOCK, this.#blockSize / 4));
        return this.#reopen();
      }
      this.#fill(now, late && probes);
      due = Math.min(
        due,
        this.#silentAt,
        this.#rateAt,
        this.#smallerAt,
        window.deadline(now),
        this.#askAt > now ? this.#askAt : NEVER,
      );
    }
    this.#arm(due, now);
  }

  /**
   * When to try smaller blocks: not one has come for a third of the time there is, and nobody said no. Something on the
   * way may let no message of this length pass (a broker's limit, a smaller MTU than both ends believe), but shorter ones.
   */
  get #smallerAt(): number {
    const { blockSize, noProgressTimeoutMs } = this.#options;
    const isSettled =
      blockSize || this.#messages + this.#refused + this.#misfits > 0 || this.#blockSize === MIN_BLOCK;
    return isSettled ? NEVER : this.#silentAt - noProgressTimeoutMs * (1 - this.#sizes / SIZES);
  }

  /** @returns how many blocks were given up */
  #losses(now: number): number {
    const window = this.#window;
    let count = 0;
    for (let block = window.lost(now); block >= 0; block = window.lost(now), count++) this.#unask(block);
    return count;
  }

  #unask(block: number): void {
    this.#state[block] &= ~ASKED;
    if (block < this.#low) this.#low = block;
    this.#batch = 1;
  }

  /** Nothing counts as asked for any more. */
  #forget(now: number): void {
    this.#window.forget(now);
    this.#losses(now);
  }

  /** @param probes blocks that were waited for too long: asked for at once, be they fewer than is worth a request */
  #fill(now: number, probes: number): void {
    if (this.#refreshing || now < this.#askAt) return;
    const window = this.#window;
    const { maxBlocks, reliable } = this.#plane;
    const most = Math.min(maxBlocks, reliable ? SPAN : REQUEST_BLOCKS);
    // A part of the window at a time: the more in one request the fewer are needed, the less the link idles.
    const batch = Math.max(
      1,
      Math.min(most, Math.max(4, window.size * 0.3), window.size >> 1, PACE_MS / this.#pace) | 0,
    );
    this.#batch = batch;
    if (!this.#judged) {
      // Heads of payloads have many blocks: no more of them than the window remembers.
      this.#ask(window.room, this.#headBlocks, now);
      if (!this.#eager) return;
    }
    for (
      let room = window.room;
      room > 0 && (probes || room >= batch) && now >= this.#askAt;
      room = window.room, probes = 0
    )
      if (!this.#ask(Math.min(room, this.#pace ? batch : most), this.#blocks, now)) return;
  }

  /** Asks for up to `max` blocks below `end`, the first ones. @returns how many */
  #ask(max: number, end: number, now: number): number {
    const state = this.#state;
    const bitmap = this.#bitmap;
    const window = this.#window;
    let block = this.#low;
    let first = -1;
    let place = 0;
    let count = 0;
    let repeats = 0;
    const token = (this.#requests % (TOKENS - 1)) + 1;
    for (; block < end && count < max; block++) {
      const before = state[block];
      if ((before & (WANTED | ASKED)) !== WANTED) continue;
      if (count === 0) {
        first = block;
        if (end > first + SPAN) end = first + SPAN;
        bitmap.fill(0);
      }
      place = block - first;
      bitmap[place >> 3] |= 1 << (place & 7);
      if (before & BEFORE) {
        repeats = token;
        window.ask(block, token, now);
        state[block] = WANTED | ASKED | BEFORE | AGAIN;
      } else {
        window.ask(block, 0, now);
        state[block] = WANTED | ASKED | BEFORE;
      }
      count++;
    }
    window.sent(count, now);
    this.#low = block;
    // Until one is lost there is nothing more worth a request.
    if (block === this.#blocks) this.#batch = NEVER;
    if (count === 0) return 0;
    this.#askAt = Math.max(this.#askAt, now - PACE_MS) + count * this.#pace;
    this.#requests++;
    // When it cannot be sent it counts as lost: the connection's end, or a time-out, brings it back.
    this.#plane.request(first, bitmap.subarray(0, (place >> 3) + 1), count, repeats);
    return count;
  }

  get #plane(): DataPlane {
    return this.#planes[0];
  }

  get #active(): boolean {
    return this.#online && !this.#paused;
  }

  /** Arms the timer; one that is due earlier anyway is left alone. */
  #arm(due: number, now: number): void {
    const { clock } = this.#options;
    if (!this.#running || due >= this.#timerAt) return;
    clock.clear(this.#timer);
    this.#timerAt = due;
    this.#timer = clock.set(
      () => {
        const now = clock.now();
        this.#window.stalled(now - this.#timerAt);
        this.#timerAt = NEVER;
        // Whatever kept this side from running may have kept it from reading, too: that comes first.
        const looked = this.#looked === this.#messages;
        this.#looked = looked ? -1 : this.#messages;
        if (looked || now < this.#window.deadline(now)) this.#next(now, now);
        else this.#arm(now + LOOK_MS, now);
      },
      Math.max(0, Math.ceil(Math.min(due - now, MAX_TIMER_MS))),
    );
  }

  // Beginnings and ends

  /** Opens the plane in a later turn. */
  #reopen(): void {
    const now = this.#options.clock.now();
    this.#opened = false;
    this.#arm(now, now);
  }

  #open(): void {
    const { pal } = this.#task;
    const blockSize = this.#blockSize;
    this.#opened = true;
    this.#turn(false, this.#paused);
    this.#refreshing = false;
    this.#askAt = 0;
    try {
      if (!this.#judged && this.#headMissing === 0) {
        // An earlier life left the head on flash.
        const head = new Uint8Array(this.#headLength);
        pal.readBack(0, head);
        this.#judge(head);
      }
    } catch (error) {
      return this.#fail(error);
    }
    if (!this.#running) return;
    if (this.#left === 0) return this.#ended();
    this.#window.reliable = this.#plane.reliable;
    this.#buffer ??= new Uint8Array(blockSize + FRAMING);
    this.#plane.close();
    this.#plane.open(this.#file, blockSize, this);
  }

  /** Sets what is wanted from what is here. */
  #want(): void {
    const received = this.#received;
    const blockSize = this.#blockSize;
    const { fileSize } = this.#file;
    this.#headMissing = this.#judged || received.has(0, this.#headLength) ? 0 : this.#headBlocks;
    this.#left = this.#low = 0;
    for (let block = 0; block < this.#blocks; block++) {
      const offset = block * blockSize;
      const length = Math.min(blockSize, fileSize - offset);
      this.#state[block] = 0;
      if (block >= this.#headMissing && received.has(offset, length)) continue;
      this.#state[block] = WANTED;
      this.#left += length;
    }
  }

  /** Time counts, and blocks are asked for, while there is a connection and the application allows it. */
  #turn(online: boolean, paused: boolean): void {
    const now = this.#options.clock.now();
    if (!this.#active) this.#silentAt += now - this.#turnedAt;
    this.#turnedAt = now;
    this.#online = online;
    this.#paused = paused;
    if (!this.#active) return;
    this.#measure(now);
    this.#forget(now);
    this.#next(now, 0);
  }

  /**
   * Begins a minute over which the least rate is judged.
   * @returns whether enough has come in the one before
   */
  #measure(now: number): boolean {
    // Of a head that waits for the rest of it, too.
    const missing = this.#headMissing;
    const here = this.#bytes + (missing && this.#headBlocks - missing) * this.#blockSize;
    const isEnough = here >= this.#rateBytes;
    this.#rateAt = now + RATE_WINDOW_MS;
    this.#rateBytes = here + ((this.#options.minRate ?? 0) * RATE_WINDOW_MS) / 1000;
    return isEnough;
  }

  #stop(): void {
    this.#running = false;
    this.#options.clock.clear(this.#timer);
    this.#timerAt = NEVER;
    this.#askAt = NEVER;
  }

  #give(code: OtaErrorCode, message: string): void {
    const said = this.#refused ? `; the service said: ${this.#lastRefusal}` : "";
    this.#fail(new OtaError(code, message + (this.#misfits ? `; ${this.#misfit}` : said)));
  }

  #cause(text: string): void {
    this.#options.failureLog?.cause(text);
  }

  #fail(error: unknown): void {
    this.#stop();
    this.#task.tell(Event.TransferFailed, asOtaError(error, "flash-write"));
  }
}
