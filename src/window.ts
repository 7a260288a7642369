/**
 * How many blocks may be on their way, which of them are lost, and when to stop waiting: congestion control in
 * the manner of QUIC (RFC 9002: round-trip estimate §5, loss by packet and time threshold §6.1, probe time-out
 * §6.2), over blocks asked for instead of packets sent. A loss never shrinks the window below what the measured
 * delivery rate needs (as in TCP Westwood), and it stops growing when answers queue up (as in TCP Vegas). Pure
 * numbers; nothing is allocated after construction.
 * @module
 */

/** A loss is proven by this many later blocks (RFC 9002 kPacketThreshold); more once that has proven wrong. */
const REORDERING = 3;
const MAX_REORDERING = 128;
/** … or by one later block and this many round-trips (RFC 9002 kTimeThreshold). */
const TIME_THRESHOLD = 9 / 8;
/** Least spread the probe time-out allows for, milliseconds: collection of garbage, a server's hiccup. */
const GRANULARITY_MS = 100;
/** Longest wait for an answer, milliseconds. */
const MAX_TIMEOUT_MS = 30_000;
/** Round-trip assumed before anything was measured, milliseconds (RFC 9002 kInitialRtt). */
const INITIAL_RTT_MS = 333;
/** The window grows while answers queue for less than this and shrinks from twice as much on, milliseconds. */
const TARGET_QUEUE_MS = 400;
/** Rates are measured over at least this long, milliseconds. */
const RATE_INTERVAL_MS = 50;
/** Beyond the bandwidth-delay product, keep this much on its way: bridges stalls for erasing flash, milliseconds. */
const STALL_MS = 100;
/** So many doublings of the wait outlive an ambiguous answer. */
const KEPT_TIMEOUTS = 2;
/** Largest spread blocks that were only late can suggest, unless the way is longer still, milliseconds. */
const MAX_VARIATION_MS = 1_000;
/** Least window, in blocks. */
const MIN_WINDOW = 4;
/** The shortest round-trip is measured anew this often, milliseconds: the way to the service may change. */
const MIN_RTT_LIFE_MS = 10_000;
const NEVER = Number.NEGATIVE_INFINITY;
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
  /** Consecutive time-outs. */
  timeouts = 0;
  /** Time of the last sign of life: an ask, a block, or the end of work in which nothing could arrive. */
  active = 0;
  /** Asks for blocks that had been asked for before. */
  repeated = 0;
  /** Somebody else looks after losses and flow: all of the capacity may be used. */
  reliable = false;
  readonly #capacity: number;
  /** Asks in their order: block × 2, plus 1 when it had been asked before. */
  readonly #ring: Uint32Array;
  /** Time of each, milliseconds since `#epoch`. */
  readonly #times: Uint32Array;
  readonly #mask: number;
  readonly #epoch: number;
  /** Number of the oldest ask not resolved, of the next one, and of the latest one whose block is here. */
  #head = 0;
  #tail = 0;
  #largest = -1;
  /** Losses of asks before this number have been answered by shrinking. */
  #recovery = 0;
  #reordering = REORDERING;
  #variation: number;
  #latest = 0;
  #nextMin = 0;
  #minSince: number;
  #jitter = 1;
  /** Grows by half as much as arrives until the first loss; carefully afterwards. */
  #gain = 1;
  /** Blocks counted since `#rateSince`; the last three rates, blocks per millisecond. */
  #count = 0;
  #rateSince = NEVER;
  readonly #rates = new Float32Array(3);

  /**
   * @param capacity most blocks on their way
   * @param initial window to begin with, in blocks
   * @param now clock time, milliseconds
   * @param rttHint a round-trip measured elsewhere, milliseconds
   */
  constructor(capacity: number, initial: number, now: number, rttHint = INITIAL_RTT_MS) {
    this.#capacity = capacity;
    this.size = Math.min(capacity, initial);
    let places = 2;
    while (places < 2 * capacity) places *= 2;
    this.#ring = new Uint32Array(places);
    this.#times = new Uint32Array(places);
    this.#mask = places - 1;
    this.#epoch = this.#minSince = now;
    this.srtt = rttHint;
    this.#variation = rttHint / 2;
  }

  /** Blocks that may be asked for now. */
  get room(): number {
    const size = this.reliable ? this.#capacity : Math.min(Math.floor(this.size), this.#capacity);
    const room = size - this.outstanding;
    return Math.min(room, this.#mask + 1 - (this.#tail - this.#head));
  }

  /** True when there is nothing to do before more arrives: no gap to judge, and no room for `batch` more blocks. */
  calm(batch: number): boolean {
    if (this.#head < this.#largest && !this.reliable) return false;
    return (this.reliable ? this.#capacity : this.size) - this.outstanding < batch && this.outstanding > 0;
  }

  /** Delivery rate, blocks per millisecond; 0: not measured. */
  get rate(): number {
    const rates = this.#rates;
    return Math.max(rates[0], rates[1], rates[2]);
  }

  /**
   * Records that blocks have been asked for.
   * @param base a block
   * @param bits bit k is set: block `base` + k
   * @param again those of them that had been asked for before, so that their round trip is ambiguous
   * @returns how many
   */
  ask(base: number, bits: number, again: number, now: number): number {
    const ring = this.#ring;
    const times = this.#times;
    const mask = this.#mask;
    const time = now - this.#epoch;
    const tail = this.#tail;
    let n = tail;
    for (let entry = base * 2; bits !== 0; entry += 2) {
      if (bits & 1) {
        times[n & mask] = time;
        ring[n++ & mask] = entry;
      }
      bits >>>= 1;
    }
    for (let k = tail; again !== 0 && k < n; k++) {
      const bit = 1 << ((ring[k & mask] >> 1) - base);
      if (!(again & bit)) continue;
      ring[k & mask]++;
      this.repeated++;
    }
    this.#tail = n;
    this.outstanding += n - tail;
    this.active = now;
    return n - tail;
  }

  /** A wanted block is here. @returns false when it was not on its way: it had been taken for lost */
  arrived(block: number, now: number): boolean {
    const ring = this.#ring;
    const mask = this.#mask;
    const tail = this.#tail;
    let n = this.#head;
    while (n < tail && ring[n & mask] >>> 1 !== block) n++;
    this.active = now;
    if (this.timeouts > 0) {
      // A block asked for twice says nothing of the wait (Karn): on a slow link all would be asked for again and again.
      this.timeouts = n < tail && ring[n & mask] & 1 ? Math.min(this.timeouts, KEPT_TIMEOUTS) : 0;
      this.#jitter = 1;
    }
    if (n === tail) {
      this.#spurious();
      return false;
    }
    const rtt = now - this.#epoch - this.#times[n & mask];
    if (!(ring[n & mask] & 1)) this.#sample(rtt, now);
    else if (rtt < this.minRtt) this.#spurious();
    // The least it can have taken.
    else if (rtt > this.srtt) this.srtt = rtt;
    ring[n & mask] = NONE;
    this.outstanding--;
    if (n > this.#largest) this.#largest = n;
    if (n === this.#head) {
      while (++n < tail && ring[n & mask] === NONE);
      this.#head = n;
    }
    this.#count++;
    if (now - this.#rateSince >= RATE_INTERVAL_MS) this.#measure(now);
    const queue = this.#latest - this.minRtt;
    if (queue < TARGET_QUEUE_MS) {
      if (this.size < this.#capacity) this.size += this.#gain;
    } else if (queue > 2 * TARGET_QUEUE_MS) {
      const enough = this.rate * (this.minRtt + TARGET_QUEUE_MS);
      if (this.size > Math.max(enough, MIN_WINDOW)) this.size--;
    }
    return true;
  }

  /** The oldest block that is proven lost, which is no longer outstanding then; or -1. */
  lost(now: number): number {
    const n = this.#head;
    if (n >= this.#largest || this.reliable) return -1;
    if (n + this.#reordering > this.#largest && now < this.#lossTime()) return -1;
    if (n >= this.#recovery) {
      this.#recovery = this.#tail;
      this.#gain = 0.25;
      if (this.rate) this.size = Math.max(this.size / 2, this.#floor, MIN_WINDOW);
    }
    return this.oldest();
  }

  /** Gives up the oldest outstanding block and returns it; or -1. */
  oldest(): number {
    if (this.outstanding === 0) return -1;
    const place = this.#head & this.#mask;
    const block = this.#ring[place] >>> 1;
    this.#ring[place] = NONE;
    this.outstanding--;
    this.#advance();
    return block;
  }

  /** When something has to be done about blocks that do not come: a clock time; Infinity when none is outstanding. */
  get deadline(): number {
    if (this.outstanding === 0 || this.reliable) return Number.POSITIVE_INFINITY;
    const { minRtt } = this;
    let wait = this.srtt + Math.max(4 * this.#variation, GRANULARITY_MS);
    let since = this.active;
    if (minRtt > 0 && this.timeouts === 0) {
      // What is overdue need not be waited for all over again: silence for the shortest round trip is enough.
      const asked = this.#epoch + this.#times[this.#head & this.#mask];
      const quiet = since + minRtt + GRANULARITY_MS;
      since = Math.min(since, Math.max(asked, quiet - wait));
    } else if (minRtt > 0) wait = Math.min(wait, 3 * minRtt + GRANULARITY_MS);
    wait = Math.min(MAX_TIMEOUT_MS, wait * 2 ** Math.min(this.timeouts, 16));
    const timeout = since + wait * this.#jitter;
    return this.#head < this.#largest ? Math.min(timeout, this.#lossTime()) : timeout;
  }

  /**
   * The deadline passed although nothing is proven lost.
   * @param random in [0, 1): spreads the next time-out, so that a fleet does not ask in step
   */
  expire(random: number): void {
    this.#jitter = 1 + random / 4;
    if (++this.timeouts < 2) return;
    // Persistent congestion, or the service was away: begin again (RFC 9002 §7.6).
    this.size = Math.min(this.size, 2 * MIN_WINDOW);
    this.#gain = 1;
    this.#rates.fill(0);
  }

  /** Nothing is on its way any more. */
  clear(now: number): void {
    this.#head = this.#tail;
    this.#largest = this.#tail - 1;
    this.outstanding = 0;
    this.#rateSince = NEVER;
    this.active = now;
  }

  /** Window that keeps the link busy at the measured rate. */
  get #floor(): number {
    return this.rate * (1.25 * this.minRtt + STALL_MS);
  }

  #lossTime(): number {
    const wait = TIME_THRESHOLD * Math.max(this.srtt, this.#latest);
    return this.#epoch + this.#times[this.#head & this.#mask] + Math.max(wait, this.srtt + 1);
  }

  #advance(): void {
    const tail = this.#tail;
    let n = this.#head;
    while (n < tail && this.#ring[n & this.#mask] === NONE) n++;
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
    if (this.minRtt === 0) {
      this.srtt = rtt;
      this.#variation = rtt / 2;
      this.minRtt = this.#nextMin = Math.max(rtt, 1);
      return;
    }
    const apart = rtt - this.srtt;
    this.#variation += ((apart < 0 ? -apart : apart) - this.#variation) / 4;
    this.srtt += apart / 8;
    if (rtt < this.minRtt) this.minRtt = Math.max(rtt, 1);
    if (rtt < this.#nextMin) this.#nextMin = Math.max(rtt, 1);
    if (now - this.#minSince < MIN_RTT_LIFE_MS) return;
    // A smaller window for a moment shows how short the way is without a queue.
    this.#minSince = now;
    this.minRtt = this.#nextMin;
    this.#nextMin = rtt;
    this.size = Math.max(this.size / 2, MIN_WINDOW);
  }

  /** The rate of an interval that has ended. */
  #measure(now: number): void {
    const since = this.#rateSince;
    const count = this.#count;
    this.#count = 0;
    this.#rateSince = now;
    if (since === NEVER) return;
    const rates = this.#rates;
    rates[2] = rates[1];
    rates[1] = rates[0];
    rates[0] = count / (now - since);
    const floor = Math.min(this.#floor, this.#capacity);
    if (this.size < floor && this.#latest - this.minRtt < TARGET_QUEUE_MS) this.size = floor;
  }
}
