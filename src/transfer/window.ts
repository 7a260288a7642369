/**
 * How many blocks may be on their way, which of them are lost, and when to stop waiting: congestion control in
 * the manner of QUIC (RFC 9002: round-trip estimate §5, loss by packet and time threshold §6.1, probe time-out
 * §6.2), over blocks asked for instead of packets sent. A loss never shrinks the window below what keeps the link busy
 * (as in TCP Westwood), and it stops growing when answers queue up (as in TCP Vegas). Nothing is allocated after
 * construction.
 * @module
 */
import type { Random } from "../ports.js";

/** A loss is proven by this many later blocks (RFC 9002 kPacketThreshold); more once that has proven wrong. */
const REORDERING = 3;
const MAX_REORDERING = 128;
/** … or by one later block and this many round-trips (RFC 9002 kTimeThreshold). */
const TIME_THRESHOLD = 9 / 8;
/** Least spread the probe time-out allows for, milliseconds: collection of garbage, a server's hiccup. */
const GRANULARITY_MS = 100;
/** Round-trip assumed before anything was measured, milliseconds (RFC 9002 kInitialRtt). */
const INITIAL_RTT_MS = 333;
/** The window grows while answers queue for less than this and shrinks from twice as much on, milliseconds. */
const TARGET_QUEUE_MS = 350;
/** After a loss, keep this much more on its way than the way holds: bridges stalls for erasing flash, milliseconds. */
const STALL_MS = 150;
/** So much longer waits outlive an ambiguous answer. */
const KEPT_BACK_OFF = 4;
/** Largest spread blocks that were only late can suggest, unless the way is longer still, milliseconds. */
const MAX_VARIATION_MS = 1_000;
/** Least window, in blocks. */
const MIN_WINDOW = 4;
/** Most blocks given up by one time-out. */
const MAX_PROBES = 16;
/** The shortest round-trip is measured anew this often, milliseconds: the way to the service may change. */
const MIN_RTT_LIFE_MS = 10_000;
const NEVER = Number.POSITIVE_INFINITY;
/** Marks a place in the ring whose block arrived or was lost. */
const NONE = 0xffffffff;

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
  /** Asks in their order: block × 2, plus 1 when it had been asked before. */
  readonly #ring: Uint32Array;
  /** Time of each, whole milliseconds modulo 2^32. */
  readonly #times: Uint32Array;
  /** Number of the oldest ask not resolved, of the next one, and of the latest one whose block is here. */
  #head = 0;
  #tail = 0;
  #largest = -1;
  /** Asks to be given up whatever is known of them. */
  #doomed = 0;
  /** Losses of asks before this number have been answered by shrinking. */
  #recovery = 0;
  #reordering = REORDERING;
  #variation: number;
  #latest = 0;
  #minSince: number;

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
    const places = 2 << (32 - Math.clz32(capacity - 1));
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

  /** Records that a block has been asked for; `again`: 1 when it had been before, so that its round trip is ambiguous. */
  ask(block: number, again: number, now: number): void {
    const place = this.#tail++ & (this.#ring.length - 1);
    this.#ring[place] = block * 2 + again;
    this.#times[place] = now;
    this.repeated += again;
    this.outstanding++;
    this.active = now;
  }

  /** A wanted block is here. */
  arrived(block: number, now: number): void {
    const ring = this.#ring;
    const mask = ring.length - 1;
    const tail = this.#tail;
    let n = this.#head;
    while (n < tail && ring[n & mask] >>> 1 !== block) n++;
    this.active = now;
    // Not on its way: it had been taken for lost.
    if (n === tail) return this.#spurious();
    const again = ring[n & mask] & 1;
    // A block asked for twice says nothing of the wait (Karn): on a slow link all would be asked for again and again.
    if (this.backOff > 1) this.backOff = again ? Math.min(this.backOff, KEPT_BACK_OFF) : 1;
    const rtt = (now - this.#times[n & mask]) | 0;
    if (!again) this.#sample(rtt, now);
    else if (rtt < this.minRtt) this.#spurious();
    // The least it can have taken.
    else if (rtt > this.srtt) this.srtt = rtt;
    // After a guess, an answer to the first request must not prove lost what was asked for along with it.
    if (this.minRtt && n > this.#largest) this.#largest = n;
    this.#resolve(n);
    const queue = this.#latest - this.minRtt;
    if (queue < TARGET_QUEUE_MS) {
      if (this.size < this.#capacity) this.size++;
    } else if (queue > 2 * TARGET_QUEUE_MS) this.#shrink(n, TARGET_QUEUE_MS);
  }

  /** The oldest block that is proven lost, or was waited for too long; it is no longer outstanding then. Or -1. */
  lost(now: number): number {
    const n = this.#head;
    if (this.outstanding === 0) return -1;
    if (this.#doomed > 0) this.#doomed--;
    else if (this.reliable) return -1;
    else if (n < this.#largest && (n + this.#reordering <= this.#largest || now >= this.#lossTime(now))) {
      this.#shrink(n, STALL_MS);
    } else if (now < this.deadline(now)) return -1;
    else this.#expire(now);
    const block = this.#ring[n & (this.#ring.length - 1)] >>> 1;
    this.#resolve(n);
    return block;
  }

  /** When something has to be done about blocks that do not come: a clock time; Infinity when none is outstanding. */
  deadline(now: number): number {
    if (this.outstanding === 0 || this.reliable) return NEVER;
    const { minRtt } = this;
    const wait = Math.min(this.#longest, this.srtt + Math.max(4 * this.#variation, GRANULARITY_MS));
    // What is overdue need not be waited for all over again: silence for the shortest round trip is enough.
    const least = minRtt ? minRtt + GRANULARITY_MS : wait;
    const timeout =
      this.backOff > 1
        ? this.active + Math.min(this.#longest, wait * this.backOff, 2 * least * this.backOff)
        : Math.max(this.#asked(now) + wait, this.active + least);
    return this.#head < this.#largest ? Math.min(timeout, this.#lossTime(now)) : timeout;
  }

  /** Nothing is on its way any more: `lost` returns it all. */
  forget(now: number): void {
    this.#doomed = this.outstanding;
    this.active = now;
  }

  /** Once a round trip: to what keeps the link busy with so long a queue, milliseconds, but no more than to the half. */
  #shrink(n: number, queue: number): void {
    if (n < this.#recovery) return;
    this.#recovery = this.#tail;
    const enough = Math.min(1, (this.minRtt + queue) / this.#latest);
    this.#scale(Math.max(enough, 0.5));
  }

  #scale(factor: number): void {
    this.size = Math.min(Math.max(this.size * factor, MIN_WINDOW), this.#capacity);
  }

  #expire(now: number): void {
    this.active = now;
    this.backOff *= 2 + this.#random() / 2;
    // Before anything was measured the wait was a guess: a slow link may still be busy with all of it.
    let probes = this.minRtt ? Math.min(MAX_PROBES, this.size >> 1) : 1;
    if (this.backOff >= 4) {
      // Persistent congestion, or the service was away: begin again (RFC 9002 §7.6), at last with one block. Waits do
      // not grow for ever, and what a slow link can not carry in one of them would pile up on it.
      this.size = Math.min(this.size, 1 + (6 * MIN_WINDOW) / this.backOff);
      probes = this.outstanding;
    }
    // The oldest of them is given up at once.
    this.#doomed = Math.min(probes, this.outstanding) - 1;
  }

  /** When the oldest block was asked for. */
  #asked(now: number): number {
    return now - ((now - this.#times[this.#head & (this.#ring.length - 1)]) | 0);
  }

  #lossTime(now: number): number {
    const wait = TIME_THRESHOLD * Math.max(this.srtt, this.#latest);
    return this.#asked(now) + Math.max(wait, this.srtt + 1);
  }

  #resolve(n: number): void {
    const ring = this.#ring;
    const mask = ring.length - 1;
    const tail = this.#tail;
    ring[n & mask] = NONE;
    this.outstanding--;
    n = this.#head;
    while (n < tail && ring[n & mask] === NONE) n++;
    this.#head = n;
  }

  /** A block taken for lost was only late. */
  #spurious(): void {
    if (this.#reordering < MAX_REORDERING) this.#reordering *= 2;
    // Samples of blocks asked for twice mean nothing: without this the same mistake would go on for ever.
    // A burst of them is one mistake: it must not make the next loss go unnoticed for half a minute.
    this.#variation = Math.min(this.#variation * 1.5 + 1, Math.max(this.srtt, MAX_VARIATION_MS));
  }

  #sample(rtt: number, now: number): void {
    this.#latest = rtt;
    if (now - this.#minSince >= MIN_RTT_LIFE_MS) {
      // A smaller window for a moment shows how short the way is without a queue.
      this.#minSince = now;
      this.minRtt = 0;
      this.#scale(0.5);
    }
    if (this.minRtt === 0) {
      this.srtt = rtt;
      this.#variation = rtt / 2;
      this.minRtt = rtt || 1;
      return;
    }
    const apart = rtt - this.srtt;
    this.#variation += ((apart < 0 ? -apart : apart) - this.#variation) / 4;
    this.srtt += apart / 8;
    if (rtt < this.minRtt) this.minRtt = rtt || 1;
  }
}
