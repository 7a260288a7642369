/**
 * An emulated NOR flash chip over any storage: writes only clear bits, erasing works by 4 KB sector, and every
 * page program and erase command can be made to fail, to do nothing, or to lose power half-way. What it then leaves is
 * not stable: some bits read differently from time to time, until the sector is erased as a whole.
 *
 * What a chip does in one command is one operation here: the programming of up to 256 bytes within a page, and
 * the erasing of a 4 KB sector or of an aligned 64 KB block.
 * @module
 */

import type { Fate, FlashFaults } from "./flash-faults.js";
import { type FlashStorage, MemoryStorage } from "./flash-storage.js";

export { type FlashStorage, MemoryStorage } from "./flash-storage.js";

export const SECTOR_SIZE = 4096;
export const BLOCK_SIZE = 65536;
export const PAGE_SIZE = 256;

/** The power failed; nothing on the chip answers until `restorePower`. */
export class PowerCut extends Error {
  override name = "PowerCut";
}

/** A command the chip reports as failed. */
export class FlashError extends Error {
  override name = "FlashError";
}

type Torn = Extract<Fate, { cut: "middle" }>;

/** Milliseconds a command takes. */
export interface FlashTiming {
  readonly sectorErase: number;
  readonly blockErase: number;
  readonly pageProgram: number;
  readonly readPerKilobyte: number;
}

/** Typical figures of a W25Q32JV-class chip: 45 ms, 150 ms, 0.4 ms; 20 MB/s (two lines at 80 MHz). */
export const TYPICAL_TIMING: FlashTiming = Object.freeze({
  sectorErase: 45,
  blockErase: 150,
  pageProgram: 0.4,
  readPerKilobyte: 0.05,
});

/** Cells an interrupted command leaves unstable in each sector. */
const UNSTABLE_CELLS = 3;

export interface NorFlashOptions {
  readonly faults?: FlashFaults;
  readonly timing?: FlashTiming;
  /** Where an interrupted command leaves cells unstable. Default: everywhere. */
  readonly unstable?: (offset: number) => boolean;
  /** Told after each call how many milliseconds the chip was busy with it. */
  readonly onBusy?: (ms: number) => void;
}

export class NorFlash {
  /** Bytes on the chip. */
  readonly size: number;
  /** Erase cycles of each 4 KB sector. */
  readonly wear: Uint32Array;
  /** May be set at any time. */
  faults: FlashFaults | undefined;
  onBusy: ((ms: number) => void) | undefined;
  /** How often a read found a bit other than it looks, because an interrupted command had left it unstable. */
  disturbed = 0;
  readonly #storage: FlashStorage;
  readonly #timing: FlashTiming;
  readonly #canBeUnstable: (offset: number) => boolean;
  readonly #bits = new Uint8Array(SECTOR_SIZE);
  readonly #sector = new Uint8Array(SECTOR_SIZE);
  #operations = 0;
  #powered = true;
  /** Unstable bits: masks by the offset of their byte. */
  readonly #unstable = new Map<number, number>();
  #noise = 1;

  /**
   * @param storage bits to use, or a size in bytes for an erased chip in memory
   * @throws RangeError unless the size is a positive multiple of 4096
   */
  constructor(storage: FlashStorage | number, options: NorFlashOptions = {}) {
    const size = typeof storage === "number" ? storage : storage.byteLength;
    if (!Number.isInteger(size) || size <= 0 || size % SECTOR_SIZE)
      throw new RangeError(`flash size ${size} is not a positive multiple of ${SECTOR_SIZE}`);
    this.#storage = typeof storage === "number" ? new MemoryStorage(storage) : storage;
    this.size = size;
    this.wear = new Uint32Array(size / SECTOR_SIZE);
    this.faults = options.faults;
    this.#timing = options.timing ?? TYPICAL_TIMING;
    this.onBusy = options.onBusy;
    this.#canBeUnstable = options.unstable ?? (() => true);
  }

  /** Page programs and erase commands issued so far. */
  get operations(): number {
    return this.#operations;
  }
  get powered(): boolean {
    return this.#powered;
  }
  /** Switches the power on again after a `PowerCut`. */
  restorePower(): void {
    this.#powered = true;
  }
  /** Switches the power off between two commands. */
  cutPower(): void {
    this.#powered = false;
  }

  /** Fills `into`. @throws RangeError, FlashError, PowerCut */
  read(offset: number, into: Uint8Array): void {
    this.#check(offset, into.length, 1);
    const { faults } = this;
    if (faults?.fate) {
      const fate = faults.fate({ kind: "read", offset, length: into.length, index: this.#operations });
      if (fate === "fail") throw new FlashError(`read of ${into.length} bytes at ${offset} failed`);
      if (typeof fate === "object") this.#cut();
    }
    this.#storage.read(offset, into);
    this.#disturb(offset, into);
    this.#busy((into.length / 1024) * this.#timing.readPerKilobyte);
  }

  /** Clears the bits that are 0 in `bytes`. @throws RangeError, FlashError, PowerCut */
  write(offset: number, bytes: Uint8Array): void {
    this.#check(offset, bytes.length, 1);
    if (!this.faults) return this.#programAll(offset, bytes);
    let pages = 0;
    for (let at = 0; at < bytes.length; pages++) {
      const length = Math.min(PAGE_SIZE - ((offset + at) % PAGE_SIZE), bytes.length - at);
      this.#program(offset + at, bytes.subarray(at, at + length), bytes.subarray(at + length));
      at += length;
    }
    this.#busy(pages * this.#timing.pageProgram);
  }

  /**
   * Sets every bit of a range of sectors, by 64 KB block where the range allows it.
   * @throws RangeError unless both are multiples of 4096; FlashError, PowerCut
   */
  erase(offset: number, length: number): void {
    this.#check(offset, length, SECTOR_SIZE);
    let ms = 0;
    for (const end = offset + length; offset < end; ) {
      const whole = offset % BLOCK_SIZE === 0 && end - offset >= BLOCK_SIZE;
      this.#eraseUnit(offset, whole ? BLOCK_SIZE : SECTOR_SIZE);
      ms += whole ? this.#timing.blockErase : this.#timing.sectorErase;
      offset += whole ? BLOCK_SIZE : SECTOR_SIZE;
    }
    this.#busy(ms);
  }

  /** Lets bits rot: inverts those set in `mask`, outside of any command. @throws RangeError */
  flipBits(offset: number, mask: number): void {
    if (!Number.isInteger(offset) || offset < 0 || offset >= this.size)
      throw new RangeError(`offset ${offset} lies outside the flash`);
    const cell = new Uint8Array(1);
    this.#storage.read(offset, cell);
    cell[0] ^= mask;
    this.#storage.write(offset, cell);
  }

  /** Lets unstable bits read as they like. */
  #disturb(offset: number, into: Uint8Array): void {
    for (const [at, mask] of this.#unstable) {
      const index = at - offset;
      if (index < 0 || index >= into.length) continue;
      this.#noise ^= this.#noise << 13;
      this.#noise ^= this.#noise >>> 17;
      this.#noise ^= this.#noise << 5;
      // Three times out of four as it looks: a sector that is not erased often enough seems to be.
      if ((this.#noise & 3) > 0) continue;
      into[index] ^= mask;
      this.disturbed++;
    }
  }

  /** Leaves some of the cells that a command was to change unstable. `mask` gives the bits of a byte it was to change. */
  #weaken(offset: number, length: number, seed: number | undefined, mask: (index: number) => number): void {
    let left = this.#canBeUnstable(offset) ? UNSTABLE_CELLS : 0;
    for (let n = 0; n < length && left > 0; n++) {
      // Every byte once, in an order that the seed gives: 40503 is odd, and lengths are powers of two or short.
      const index = (Math.imul(n, 40_503) + (seed ?? 0) * 97 + 31) % length;
      const bits = mask(index);
      if (!bits) continue;
      this.#unstable.set(offset + index, bits & -bits);
      left--;
    }
  }

  #program(offset: number, bytes: Uint8Array, rest: Uint8Array): void {
    const fate = this.#fate("write", offset, bytes.length);
    if (fate === undefined || (typeof fate === "object" && fate.cut === "after"))
      this.#clearBits(offset, bytes);
    else if (typeof fate === "object" && fate.cut === "middle") this.#tearWrite(offset, bytes, rest, fate);
    if (typeof fate === "object") this.#cut();
  }

  /** All pages at once: nothing can come between them. */
  #programAll(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    const pages = Math.ceil(end / PAGE_SIZE) - Math.floor(offset / PAGE_SIZE);
    this.#operations += pages;
    this.#clearBits(offset, bytes);
    this.#busy(pages * this.#timing.pageProgram);
  }

  #eraseUnit(offset: number, length: number): void {
    const fate = this.#fate("erase", offset, length);
    if (fate === undefined || (typeof fate === "object" && fate.cut !== "before")) {
      for (let at = offset; at < offset + length; at += SECTOR_SIZE) this.wear[at / SECTOR_SIZE]++;
      if (typeof fate === "object" && fate.cut === "middle") this.#tearErase(offset, length, fate);
      else this.#setBits(offset, length);
    }
    if (typeof fate === "object") this.#cut();
  }

  /** Counts the command; the fate "fail" is carried out here. */
  #fate(kind: "write" | "erase", offset: number, length: number): Exclude<Fate, "fail"> | undefined {
    const index = this.#operations++;
    const fate = this.faults?.fate?.({ kind, offset, length, index });
    if (fate === "fail") throw new FlashError(`${kind} of ${length} bytes at ${offset} failed`);
    return fate;
  }

  #clearBits(offset: number, bytes: Uint8Array): void {
    const bits =
      bytes.length <= SECTOR_SIZE ? this.#bits.subarray(0, bytes.length) : new Uint8Array(bytes.length);
    this.#storage.read(offset, bits);
    andBytes(bits, bytes);
    this.#store(offset, bits);
  }

  #setBits(offset: number, length: number): void {
    for (const at of this.#unstable.keys())
      if (at >= offset && at < offset + length) this.#unstable.delete(at);
    // A fault that alters what is stored looks at a sector at a time.
    const step = this.faults ? SECTOR_SIZE : length;
    for (const end = offset + length; offset < end; offset += step)
      this.#store(offset, new Uint8Array(Math.min(step, end - offset)).fill(0xff));
  }

  #tearWrite(offset: number, bytes: Uint8Array, rest: Uint8Array, { tear, seed }: Torn): void {
    const before = new Uint8Array(bytes.length);
    this.#storage.read(offset, before);
    this.#weaken(offset, bytes.length, seed, (index) => before[index] & ~bytes[index]);
    if (tear === "weak") {
      this.#clearBits(offset, bytes);
      return;
    }
    if (tear === "bits") {
      this.#clearBits(
        offset,
        bytes.map((byte, i) => byte | scatter(offset + i, seed)),
      );
      return;
    }
    this.#clearBits(offset, bytes.subarray(0, bytes.length >> 1));
    if (tear === "prefix") return;
    offset += bytes.length;
    for (let at = 0; at < rest.length; at += PAGE_SIZE)
      this.#clearBits(offset + at, rest.subarray(at, at + Math.min(PAGE_SIZE, rest.length - at) / 2));
  }

  #tearErase(offset: number, length: number, { tear, seed }: Torn): void {
    const before = new Uint8Array(SECTOR_SIZE);
    const changing = (index: number) => ~before[index] & 0xff;
    const weak: number[] = [];
    for (let at = offset; at < offset + length; at += SECTOR_SIZE) {
      this.#storage.read(at, before);
      this.#weaken(at, SECTOR_SIZE, seed, changing);
    }
    for (const [at, mask] of this.#unstable) if (at >= offset && at < offset + length) weak.push(at, mask);
    if (tear !== "bits") {
      this.#setBits(offset, tear === "weak" ? length : length >> 1);
      // What looks erased is not, there.
      for (let n = 0; n < weak.length; n += 2) this.#unstable.set(weak[n], weak[n + 1]);
      return;
    }
    const sector = this.#sector;
    for (const end = offset + length; offset < end; offset += SECTOR_SIZE) {
      this.#storage.read(offset, sector);
      for (let i = 0; i < SECTOR_SIZE; i++) sector[i] |= scatter(offset + i, seed);
      this.#store(offset, sector);
    }
  }

  #store(offset: number, bits: Uint8Array): void {
    this.faults?.alter?.(offset, bits);
    this.#storage.write(offset, bits);
  }

  #check(offset: number, length: number, unit: number): void {
    if (!this.#powered) throw new PowerCut("the flash has no power");
    if (!Number.isInteger(offset) || offset < 0 || offset + length > this.size)
      throw new RangeError(`range ${offset}+${length} lies outside the flash of ${this.size} bytes`);
    if (offset % unit || length % unit)
      throw new RangeError(`range ${offset}+${length} is not a multiple of ${unit} bytes`);
  }

  #cut(): never {
    this.#powered = false;
    throw new PowerCut(`power cut at flash operation ${this.#operations - 1}`);
  }

  #busy(ms: number): void {
    if (ms) this.onBusy?.(ms);
  }
}

/** Four at a time where they lie so: on XS this is most of what writing takes. */
function andBytes(bits: Uint8Array, mask: Uint8Array): void {
  const { length } = mask;
  let at = 0;
  if ((bits.byteOffset | mask.byteOffset) % 4 === 0) {
    at = length & -4;
    const into = new Uint32Array(bits.buffer, bits.byteOffset, at / 4);
    const from = new Uint32Array(mask.buffer, mask.byteOffset, at / 4);
    for (let i = 0; i < into.length; i++) into[i] &= from[i];
  }
  for (; at < length; at++) bits[at] &= mask[at];
}

/** About half of the bits of a byte, the same ones each time for the same place and seed. */
function scatter(offset: number, seed = 0): number {
  return (Math.imul(Math.imul(offset + 1, 0x9e3779b1) ^ seed, 0x85ebca6b) >>> 17) & 0xff;
}
