/**
 * How many blocks may be on their way, which of them are lost, and when to stop waiting: congestion control in
 * the manner of QUIC (RFC 9002: round-trip estimate §5, loss by packet and time threshold §6.1, probe time-out
 * §6.2), over blocks asked for instead of packets sent. A loss never shrinks the window below what keeps the link busy
 * (as in TCP Westwood), and it stops growing when answers queue up (as in TCP Vegas). Nothing is allocated after
 * construction.
 * @module
 */
import type { Random } from "../ports.js";

/**
 * A loss is proven by this many later blocks: at first as many as the largest request has, since a service may send the
 * blocks of a request in any order; at least as in RFC 9002 kPacketThreshold, and at most.
 */
const REORDERING = 16;
const MIN_REORDERING = 3;
const CALM_REORDERING = 9;
const MAX_REORDERING = 128;
/** Least spread the probe time-out allows for, milliseconds: collection of garbage, a server's hiccup. */
const GRANULARITY_MS = 100;
/** Round-trip assumed before anything was measured, milliseconds (RFC 9002 kInitialRtt). */
const INITIAL_RTT_MS = 333;
/** The window grows while answers queue for less than this and shrinks from twice as much on, milliseconds. */
const TARGET_QUEUE_MS = 350;
/** No more is asked for than queues for this long at the rate blocks came at lately, milliseconds. */
const MOST_QUEUE_MS = 600;
/** What the first window may take on the way when nothing tells the rate but the first block's round trip, milliseconds. */
const FIRST_WINDOW_MS = 1_000;
/** What the first block may take longer than a small message, milliseconds: 4 KB at 8 KB a second. */
const FIRST_WAIT_MS = 500;
/** Longest queue that blocks on their way are believed to stand in, there or here, milliseconds. */
const MAX_QUEUE_MS = 2_000;
/** After a loss, keep this much more on its way than the way holds: bridges stalls for erasing flash, milliseconds. */
const STALL_MS = 150;
/** So much longer waits outlive an ambiguous answer. */
const KEPT_BACK_OFF = 4;
/** Largest spread blocks that were only late can suggest, unless the way is longer still, milliseconds. */
const MAX_VARIATION_MS = 1_000;
/** Least window, in blocks. */
const MIN_WINDOW = 2;
/** Most blocks given up by one time-out (RFC 9002 §6.2.4). */
const MAX_PROBES = 2;
/** The shortest round-trip is measured anew this often, milliseconds: the way to the service may change. */
const MIN_RTT_LIFE_MS = 10_000;
const NEVER = Number.POSITIVE_INFINITY;
/** Most places in the ring for blocks that are here while an older one is missing, beside those on their way. */
const SPARE = 64;
/** After so many answers to repeats without a token, none of them needless, the service is taken to repeat none. */
const PLAIN_ANSWERS = 4;
/** Marks a place in the ring whose block arrived or was lost. */
const NONE = 0xffffffff;
/** Tokens of requests: 1 to 63. */
export const TOKENS = 64;

export class Window {
  /** Blocks that may be on their way; fractional. */
  size: number;
  /** Blocks asked for and neither here nor lost. */
  outstanding = 0;
  /** Smoothed round-trip, milliseconds. */
  srtt: number;
  /** Shortest round-trip lately, milliseconds; 0: nothing measured. */
  minRtt = 0;
  /** Waits are so much longer after time-outs. */
  backOff = 1;
  /** Time of the last sign of life: an ask, a block, or the end of work in which nothing could arrive. */
  active = 0;
  /** Asks for blocks that had been asked for before. */
  repeated = 0;
  /** Somebody else looks after losses and flow: all of the capacity may be used. */
  reliable = false;
  readonly #capacity: number;
  readonly #random: Random;
  /** Longest wait for an answer, milliseconds. */
  readonly #longest: number;
  /** Asks in their order: block × TOKENS, plus the request's token when the block had been asked for before. */
  readonly #ring: Uint32Array;
  /** Time of each, whole milliseconds modulo 2^32. */
  readonly #times: Uint32Array;
  /** Number of the oldest ask not resolved, of the next one, and of the latest one whose block is here. */
  #head = 0;
  #tail = 0;
  #largest = -1;
  /** Asks to be given up whatever is known of them. */
  #doomed = 0;
  /** Losses of asks before this number have been answered by shrinking; mistakes about them by waiting longer. */
  #recovery = 0;
  #mistaken = 0;
  /** The window to go back to when the latest loss proves to be none. */
  #before = 0;
  #reordering = REORDERING;
  /** Blocks have overtaken each other lately. */
  #disorder = false;
  /** The service repeats tokens: an answer without its request's is one to an earlier request. */
  #echo = false;
  /** Answers to repeats that came without a token. */
  #plain = 0;
  #variation: number;
  #latest = 0;
  /** When the shortest round trip was measured last; the window to go back to, while it is measured anew. */
  #minSince: number;
  #kept = 0;
  /** Milliseconds from one block to the next, smoothed and at the best; blocks since. */
  #pace = 0;
  #fastest = 0;
  #since = 0;
  #count = 0;
  /** How long this side was busy with other things lately, milliseconds. */
  #stall = 0;
  /** The window grows up to so many blocks, and while round trips are shorter than this. */
  #most = 0;
  #long = 0;
  /** Shortest round trip of the asks before this number. */
  #least = NEVER;
  #round = 0;

  /**
   * @param capacity most blocks on their way
   * @param initial window to begin with, in blocks
   * @param now clock time, milliseconds
   * @param random spreads time-outs, so that a fleet does not ask in step
   * @param longest wait for an answer, milliseconds
   * @param rttHint a round-trip measured elsewhere, milliseconds
   */
  constructor(
    capacity: number,
    initial: number,
    now: number,
    random: Random,
    longest: number,
    rttHint = INITIAL_RTT_MS,
  ) {
    const places = capacity + Math.min(capacity, SPARE);
    this.#capacity = capacity;
    this.#random = random;
    this.#longest = longest;
    this.size = Math.min(capacity, initial);
    this.#ring = new Uint32Array(places);
    this.#times = new Uint32Array(places);
    this.#minSince = now;
    this.srtt = rttHint;
    this.#variation = rttHint / 2;
  }

  /** Blocks that may be asked for now. */
  get room(): number {
    const size = this.reliable ? this.#capacity : this.size;
    return Math.min(size - this.outstanding, this.#ring.length - this.#tail + this.#head) | 0;
  }

  /** True when there is nothing to do before more arrives: no gap to judge, and no room for `batch` more blocks. */
  calm(batch: number): boolean {
    if (this.reliable) return this.#capacity - this.outstanding < batch;
    return this.#head > this.#largest && this.size - this.outstanding < batch;
  }

  /**
   * Records that a block is asked for; `sent` follows with the last one of a request.
   * @param token 0; for a block that had been asked for before its request's token, 1 to 63
   */
  ask(block: number, token: number, now: number): void {
    const place = this.#tail++ % this.#ring.length;
    this.#ring[place] = block * TOKENS + token;
    this.#times[place] = now;
    if (token) this.repeated++;
  }

  /** `count` blocks have been asked for. */
  sent(count: number, now: number): void {
    if (count === 0) return;
    this.outstanding += count;
    this.active = now;
  }

  /**
   * A wanted block is here.
   * @param token of the request it answers, where the service repeats it; otherwise 0
   */
  arrived(block: number, token: number, now: number): void {
    const ring = this.#ring;
    const { length } = ring;
    const tail = this.#tail;
    let n = this.#head;
    while (n < tail && ring[n % length] >>> 6 !== block) n++;
    this.active = now;
    if (token) this.#echo = true;
    // Not on its way: it had been taken for lost.
    if (n === tail) return this.needless();
    const asked = ring[n % length] & 63;
    const rtt = (now - this.#times[n % length]) | 0;
    this.#resolve(n);
    if (
      asked !== token &&
      asked &&
      (this.#echo || this.#mistaken || rtt < this.minRtt || this.#plain++ < PLAIN_ANSWERS)
    ) {
      // Its first request may have brought it (Karn): no round trip, and no proof that others are lost.
      if (this.backOff > KEPT_BACK_OFF) this.backOff = KEPT_BACK_OFF;
      if (this.#echo || rtt < this.minRtt) this.needless();
      else if (rtt > this.srtt) this.srtt = rtt;
      if (this.#pace === 0) this.size = Math.min(this.size, 2 * MIN_WINDOW);
      return;
    }
    if (this.backOff > 1) {
      // Silence says nothing of how fast blocks come.
      this.backOff = 1;
      this.#since = now;
      this.#count = -1;
    }
    if (asked) {
      // It had been lost indeed.
      this.#before = 0;
      if (this.#reordering > MIN_REORDERING) this.#reordering -= (this.#reordering - MIN_REORDERING) / 4;
    }
    this.#latest = rtt;
    this.#count++;
    if (rtt < this.#least) this.#least = rtt;
    if (n >= this.#round) this.#measure(rtt, now);
    if (n > this.#largest) this.#largest = n;
    else {
      this.#disorder = true;
      if ((this.#largest - n) * 1.5 >= this.#reordering)
        this.#reordering = Math.min(MAX_REORDERING, (this.#largest - n) * 1.5 + 1);
    }
    if (this.size < this.#most && rtt < this.#long) this.size++;
  }

  /**
   * A block taken for lost was only late: the window is what it was, and more patience is needed. A burst of these is
   * one mistake: it must not make the next loss go unnoticed for half a minute.
   */
  needless(): void {
    if (this.#before > this.size) this.size = this.#before;
    this.#before = 0;
    if (this.#head < this.#mistaken) return;
    this.#mistaken = this.#tail;
    this.#reordering = Math.min(MAX_REORDERING, this.#reordering * 2);
    this.#variation = Math.min(this.#variation * 1.5 + 1, Math.max(this.srtt, MAX_VARIATION_MS));
  }

  /**
   * The oldest block that is proven lost, or was waited for too long; it is no longer outstanding then. Or -1.
   * @param now 0: what later blocks prove alone, however late it is
   */
  lost(now: number): number {
    const n = this.#head;
    if (this.outstanding === 0) return -1;
    if (this.#doomed > 0) this.#doomed--;
    else if (this.reliable) return -1;
    else if (n < this.#largest && (n + this.#reordering <= this.#largest || now >= this.#lossTime(now))) {
      if (n >= this.#recovery) {
        this.#before = this.size;
        this.#shrink(STALL_MS, this.#latest);
      }
    } else if (now < this.deadline(now)) return -1;
    else this.#expire(now);
    const block = this.#ring[n % this.#ring.length] >>> 6;
    this.#resolve(n);
    return block;
  }

  /** When something has to be done about blocks that do not come: a clock time; Infinity when none is outstanding. */
  deadline(now: number): number {
    if (this.outstanding === 0 || this.reliable) return NEVER;
    const { minRtt } = this;
    // What is on its way may take twice as long as lately. Where little is, the waits of a full window say too much.
    const queue = Math.min(2 * this.outstanding * this.#pace, MAX_QUEUE_MS);
    const spread = this.srtt + Math.max(4 * this.#variation, minRtt ? GRANULARITY_MS : FIRST_WAIT_MS);
    const usual = minRtt ? Math.max(this.srtt, this.#latest) * 1.25 + GRANULARITY_MS + queue : spread;
    const wait = Math.min(this.#longest, Math.max(minRtt + queue, Math.min(spread, usual)));
    // What is overdue need not be waited for all over again: silence for the shortest round trip is enough.
    const least = minRtt ? minRtt + GRANULARITY_MS : wait;
    const timeout =
      this.backOff > 1
        ? this.active + Math.min(this.#longest, wait * this.backOff, 2 * least * this.backOff)
        : Math.max(this.#asked(now) + wait, this.active + least);
    return this.#head < this.#largest ? Math.min(timeout, this.#lossTime(now)) : timeout;
  }

  /** A timer came `ms` milliseconds late: so long this side has read nothing, and what waits here is not in the way. */
  stalled(ms: number): void {
    if (ms > this.#stall) this.#stall = Math.min(ms, MAX_QUEUE_MS);
    else this.#stall -= this.#stall / 64;
  }

  /** Nothing is on its way any more: `lost` returns it all. */
  forget(now: number): void {
    this.#doomed = this.outstanding;
    this.active = now;
  }

  /** Once a round trip: to what keeps the link busy with so long a queue, milliseconds, but no more than to the half. */
  #shrink(queue: number, rtt: number): void {
    this.#recovery = this.#tail;
    this.#kept = 0;
    this.#scale(Math.max(Math.min(1, (this.minRtt + queue) / rtt), 0.5));
  }

  #scale(factor: number): void {
    this.size = Math.min(Math.max(this.size * factor, MIN_WINDOW), this.#capacity);
  }

  #expire(now: number): void {
    this.active = now;
    this.backOff *= 2 + this.#random() / 2;
    // Before anything was measured the wait was a guess: a slow link may still be busy with all of it.
    let probes = this.minRtt ? MAX_PROBES : 1;
    if (this.backOff >= 4) {
      // Persistent congestion, or the service was away: begin again (RFC 9002 §7.6), at last with one block. Waits do
      // not grow for ever, and what a slow link cannot carry in one of them would pile up on it.
      if (this.#before < this.size) this.#before = this.size;
      this.#kept = 0;
      this.size = Math.min(this.size, 1 + 24 / this.backOff);
      probes = this.outstanding;
    }
    // The oldest of them is given up at once.
    this.#doomed = Math.min(probes, this.outstanding) - 1;
  }

  /** When the oldest block was asked for. */
  #asked(now: number): number {
    return now - ((now - this.#times[this.#head % this.#ring.length]) | 0);
  }

  #lossTime(now: number): number {
    return (
      this.#asked(now) +
      this.#latest +
      Math.max(this.srtt / 8, 1, Math.min(this.#reordering, this.size / 2) * this.#pace)
    );
  }

  #resolve(n: number): void {
    const ring = this.#ring;
    const { length } = ring;
    const tail = this.#tail;
    ring[n % length] = NONE;
    this.outstanding--;
    if (n !== this.#head) return;
    do n++;
    while (n < tail && ring[n % length] === NONE);
    this.#head = n;
  }

  /** Once in a round trip: how long it is, how fast blocks come, and whether they queued all the time. */
  #measure(rtt: number, now: number): void {
    this.#round = this.#tail;
    if (this.minRtt === 0) return this.#begin(rtt, now);
    const apart = rtt - this.srtt;
    this.#variation += (Math.abs(apart) - this.#variation) / 2;
    this.srtt += apart / 2;
    if (this.#kept) {
      this.minRtt = rtt || 1;
      if (this.#kept > this.size) this.size = this.#kept;
      this.#kept = 0;
    }
    if (this.#least < this.minRtt) this.minRtt = this.#least || 1;
    const queue = TARGET_QUEUE_MS + this.#stall;
    this.#long = this.minRtt + queue;
    if (this.#count > 0) {
      const pace = (now - this.#since) / this.#count;
      this.#pace = (this.#pace + pace) / 2;
      this.#fastest += (pace - this.#fastest) / (pace < this.#fastest ? 1 : 8);
    }
    this.#limit();
    // Lumps are as late as a queue, but bring as much.
    if (this.#least - this.minRtt > 2 * queue && this.size > this.#most) this.#shrink(queue, this.#least);
    this.#least = NEVER;
    if (this.#reordering > CALM_REORDERING && !this.#disorder && this.#count >= REORDERING)
      this.#reordering -= (this.#reordering - CALM_REORDERING) / 2;
    this.#disorder = false;
    this.#since = now;
    this.#count = 0;
    if (now - this.#minSince >= MIN_RTT_LIFE_MS) {
      // No more than the way holds, for a round trip, shows how short it is without a queue.
      this.#minSince = now;
      this.#kept = this.size;
      this.#scale(this.minRtt / this.#pace / this.size);
      this.#most = 0;
    }
  }

  /** The first block: what it took tells how much the way may be given at first. */
  #begin(rtt: number, now: number): void {
    const own = rtt - this.srtt;
    this.minRtt = rtt || 1;
    this.#pace = this.#fastest = own > 0 ? own : this.minRtt;
    this.#since = now;
    this.#count = 0;
    this.srtt = rtt;
    this.#variation = rtt / 2;
    this.#long = rtt + TARGET_QUEUE_MS;
    this.#limit();
    const first = Math.max(MIN_WINDOW, own > 0 ? this.#most : FIRST_WINDOW_MS / this.minRtt);
    if (first < this.size) this.size = Math.ceil(first);
  }

  /** Blocks that keep the way busy with a queue as long as it may be; less than the capacity, as the window grows by one. */
  #limit(): void {
    this.#most = Math.min(this.#capacity - 0.01, (this.minRtt + MOST_QUEUE_MS + this.#stall) / this.#fastest);
  }
}
