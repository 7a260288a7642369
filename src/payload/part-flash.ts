/**
 * A part of a partition as a partition of its own. The first sector of a staged payload stands behind its others: what is
 * made overwrites the payload from its start, and header and tables are needed to the end.
 * @module
 */
import type { Flash } from "../ports.js";

export class PartFlash implements Flash {
  readonly #flash: Flash;
  readonly #first: number;
  readonly #count: number;
  readonly #turned: number;
  readonly #length: number;

  /**
   * @param first its first sector in `flash`
   * @param count sectors it has
   * @param turned of so many sectors the first one stands behind the others
   */
  constructor(flash: Flash, first: number, count: number, turned = 1) {
    this.#flash = flash;
    this.#first = first;
    this.#count = count;
    this.#turned = turned;
    this.#length = flash.status().blockLength;
  }

  /** The sector of the partition where `sector` stands. */
  place(sector: number): number {
    const turned = this.#turned;
    return this.#first + (sector >= turned ? sector : sector > 0 ? sector - 1 : turned - 1);
  }

  eraseBlock(start: number, end = start + 1): void {
    this.#check(start * this.#length, (end - start) * this.#length);
    if (start === 0 && end > 0) this.#flash.eraseBlock(this.place(start++));
    // Behind the first one they are in their order, up to the end of what is turned.
    for (; start < end; start++) {
      const from = this.place(start);
      const first = start;
      while (start + 1 < end && this.place(start + 1) === from + start + 1 - first) start++;
      this.#flash.eraseBlock(from, from + start + 1 - first);
    }
  }

  read(buffer: Uint8Array, offset: number): void {
    this.#each(buffer, offset, (part, at) => this.#flash.read(part, at));
  }

  write(buffer: Uint8Array, offset: number): void {
    this.#each(buffer, offset, (part, at) => this.#flash.write(part, at));
  }

  /** Sector by sector. */
  #each(buffer: Uint8Array, offset: number, action: (part: Uint8Array, at: number) => void): void {
    const length = this.#length;
    this.#check(offset, buffer.length);
    for (let n = 0; n < buffer.length; ) {
      const within = (offset + n) % length;
      const end = Math.min(buffer.length, n + length - within);
      action(buffer.subarray(n, end), this.place((offset + n - within) / length) * length + within);
      n = end;
    }
  }

  #check(offset: number, length: number): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.#count * this.#length))
      throw new RangeError(`range ${offset}+${length} outside of the part`);
  }

  status(): { size: number; blocks: number; blockLength: number } {
    const blockLength = this.#length;
    return { size: this.#count * blockLength, blocks: this.#count, blockLength };
  }

  /** Nothing: the partition belongs to somebody else. */
  close(): void {}
}
