/**
 * What the bytes of the base would be in the new image, had only addresses moved: pointers and PC-relative operands
 * are rewritten through the payload's map. A pure function of base, map and shift. Rules in docs/SPEC.md, "Prediction".
 * @module
 */
import { badPayload, MAX_SEGMENTS, type PayloadHeader } from "./header.js";

/** Gives bytes of the base. */
export type ReadBase = (into: Uint8Array, offset: number) => void;

/** Bytes predicted at a time, at multiples of it; and how many before and behind are looked at. */
const BLOCK = 1024;
const MARGIN = 64;
/** ESP32 application images: magic, bytes of the header and of a segment's (`esp_app_format.h`). */
const MAGIC = 0xe9;
const IMAGE_HEADER = 24;
const SEGMENT_HEADER = 8;
/** So many instructions behind `lui` may hold the low part. */
const LUI_REACH = 10;

const XTENSA = 1;

// Operation codes of RISC-V, bits 0 to 6.
const LOAD = 0x03;
const ADDI = 0x13;
const AUIPC = 0x17;
const STORE = 0x23;
const LUI = 0x37;
const BRANCH = 0x63;
const JALR = 0x67;
const JAL = 0x6f;

/** Whether an address is one of memory that code is in: 0x40000000 to 0x4fffffff. */
function isCode(address: number): boolean {
  return address >> 28 === 4;
}

/** Whether the top byte of `word` is one that pointers into mapped flash and into RAM have. */
function isPointer(word: number): boolean {
  const top = word >>> 24;
  return top === 0x3f || top === 0x40 || top === 0x3c || top === 0x42;
}

export class Predictor {
  readonly #read: ReadBase;
  readonly #kind: number;
  readonly #steps: Int32Array;
  readonly #baseLength: number;
  /** Rows of file offset, address, length: of the new image, and of the base. */
  readonly #newSegments: Int32Array;
  readonly #oldSegments: Int32Array;
  /** The base as it is from offset `#from` on, and what becomes of it. */
  readonly #raw: Uint8Array;
  readonly #bytes: Uint8Array;
  #from = 0;
  /** What `#bytes` is of: start of the block, and shift. */
  #start = -1;
  #shift = 0;
  /** The step of the map that was used last: addresses are near each other. */
  #step = 0;

  /** @throws OtaError "bad-payload" for a base whose segments cannot be found; whatever `read` throws */
  constructor(header: PayloadHeader, read: ReadBase) {
    const { predictor, baseLength } = header;
    const raw = new Uint8Array(BLOCK + 2 * MARGIN);
    const view = new DataView(raw.buffer);
    this.#read = read;
    this.#kind = predictor;
    this.#steps = header.steps;
    this.#baseLength = baseLength;
    this.#newSegments = header.imageSegments;
    this.#raw = raw;
    this.#bytes = predictor ? new Uint8Array(raw.length) : raw;
    let count = 0;
    if (predictor) {
      const head = raw.subarray(0, IMAGE_HEADER);
      if (baseLength >= IMAGE_HEADER) read(head, 0);
      count = head[1];
      if (head[0] !== MAGIC || count > MAX_SEGMENTS) badPayload("the base is no application image");
    }
    const rows = new Int32Array(3 * count);
    let at = IMAGE_HEADER;
    for (let n = 0; n < rows.length; n += 3) {
      let length = baseLength;
      const data = at + SEGMENT_HEADER;
      if (data <= baseLength) {
        read(raw.subarray(0, SEGMENT_HEADER), at);
        rows[n + 1] = view.getInt32(0, true);
        length = view.getUint32(4, true);
      }
      at = data + length;
      if (at > baseLength) badPayload("the base's segments end behind it");
      rows[n] = data;
      rows[n + 2] = length;
    }
    this.#oldSegments = rows;
  }

  /** Puts predicted bytes of the base from `at` on, which are moved by −`shift`, into `out` from `n` up to `end`. */
  copy(at: number, shift: number, out: Uint8Array, n: number, end: number): void {
    while (n < end) {
      const byte = this.#block(at, shift);
      const bytes = this.#bytes;
      const start = this.#start;
      let rest = start + BLOCK - at;
      if (rest > end - n) rest = end - n;
      out.set(bytes.subarray(byte, byte + rest), n);
      n += rest;
      at += rest;
    }
  }

  /** The predicted byte of the base at `at`. */
  byte(at: number, shift: number): number {
    return this.#bytes[this.#block(at, shift)];
  }

  /** Predicts the block with the byte at `at`. @returns where in `#bytes` that byte is */
  #block(at: number, shift: number): number {
    const start = at - (at % BLOCK);
    if (start === this.#start && shift === this.#shift) return at - this.#from;
    const raw = this.#raw;
    const baseLength = this.#baseLength;
    const margin = this.#kind ? MARGIN : 0;
    const from = start > margin ? start - margin : 0;
    let end = start + BLOCK + margin;
    if (end > baseLength) end = baseLength;
    this.#start = -1;
    this.#read(raw.subarray(0, end - from), from);
    this.#from = from;
    if (margin) {
      this.#bytes.set(raw);
      const rows = this.#oldSegments;
      let stop = start + BLOCK - from;
      if (stop > end - from) stop = end - from;
      for (let n = 0; n < rows.length; n += 3) {
        // Offsets in `raw` from here on.
        const first = rows[n] - from;
        const last = first + rows[n + 2];
        const low = first > 0 ? first : 0;
        const high = last < end - from ? last : end - from;
        if (low >= high) continue;
        const address = rows[n + 1];
        if (!isCode(address)) this.#data(first, low, high, stop, address - first, shift);
        else if (this.#kind === XTENSA) this.#xtensa(first, low, high, stop, address - first, shift);
        else this.#riscv(low, high, stop, address - first, shift);
      }
    }
    this.#start = start;
    this.#shift = shift;
    return at - from;
  }

  /** Where what stands at address `a` of the base is in the new image; 0: nowhere. */
  #map(a: number): number {
    const old = this.#oldSegments;
    for (let n = 0; n < old.length; n += 3) {
      const distance = (a - old[n + 1]) | 0;
      if (distance >= 0 && distance <= old[n + 2]) return this.#moved(old[n] + distance);
    }
    return 0;
  }

  /** Where what stands at `offset` in the base is in the new image. */
  #moved(offset: number): number {
    const steps = this.#steps;
    if (steps.length === 0) return this.#located(offset);
    let step = this.#step;
    if (steps[step] > offset || (step + 2 < steps.length && steps[step + 2] <= offset)) {
      // The last step at or below; the first when there is none.
      let low = 0;
      let high = steps.length >> 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (steps[2 * middle] <= offset) low = middle;
        else high = middle;
      }
      this.#step = step = 2 * low;
    }
    return this.#located(offset + steps[step + 1]);
  }

  /** The address of `offset` in the new image; 0: none. */
  #located(offset: number): number {
    const rows = this.#newSegments;
    for (let n = 0; n < rows.length; n += 3) {
      const distance = offset - rows[n];
      if (distance >= 0 && distance <= rows[n + 2]) return (rows[n + 1] + distance) | 0;
    }
    return 0;
  }

  /** New address of what is at `p` in `raw`. */
  #here(p: number, shift: number): number {
    return this.#located(this.#from + p - shift);
  }

  #word(p: number): number {
    const raw = this.#raw;
    return raw[p] | (raw[p + 1] << 8) | (raw[p + 2] << 16) | (raw[p + 3] << 24);
  }

  #put(p: number, word: number): void {
    const bytes = this.#bytes;
    bytes[p] = word;
    bytes[p + 1] = word >> 8;
    bytes[p + 2] = word >> 16;
    bytes[p + 3] = word >> 24;
  }

  /** Pointers in data; for RISC-V also distances to code (`.eh_frame`). */
  #data(first: number, low: number, high: number, stop: number, address: number, shift: number): void {
    const relative = this.#kind !== XTENSA;
    for (let p = low + ((first - low) & 3); p + 4 <= high && p < stop; p += 4) {
      const word = this.#word(p);
      const mapped = isPointer(word) ? this.#map(word) : 0;
      if (mapped) this.#put(p, mapped);
      else if (relative && (word + 0x10000000) >>> 0 > 0x100000) {
        const target = (address + p + word) | 0;
        const here = isCode(target) ? this.#here(p, shift) : 0;
        const there = here && this.#map(target);
        if (there) this.#put(p, there - here);
      }
    }
  }

  #xtensa(first: number, low: number, high: number, stop: number, address: number, shift: number): void {
    const raw = this.#raw;
    const phase = first & 3;
    let p = low;
    while (p < stop) {
      if ((p & 3) === phase && p + 4 <= high) {
        const word = this.#word(p);
        const mapped = isPointer(word) ? this.#map(word) : 0;
        if (mapped) {
          this.#put(p, mapped);
          p += 4;
          continue;
        }
      }
      const code = raw[p] & 15;
      let length = code < 8 ? 3 : 2;
      const relative = (code === 5 || code === 1) && p + 3 <= high;
      // The `entry` that a function begins with, aligned, shows where the sweep was out of step.
      const aligned = p + 1 + ((phase - p - 1) & 3);
      if (
        aligned < p + length &&
        aligned + 1 < high &&
        raw[aligned] === 0x36 &&
        (raw[aligned + 1] & 15) === 1
      )
        length = aligned - p;
      if (relative) {
        const pc = address + p;
        const low8 = raw[p];
        const operand = (raw[p + 1] << 8) | (raw[p + 2] << 16);
        const here = this.#here(p, shift);
        if (code === 5) {
          const target = (pc & ~3) + 4 + 4 * (((operand | low8) << 8) >> 14);
          const there = here && this.#map(target);
          const far = (there - (here & ~3) - 4) | 0;
          if (there && !(far & 3) && far >= -0x80000 && far < 0x80000) {
            const bits = (far << 4) | (low8 & 63);
            this.#bytes[p] = bits;
            this.#bytes[p + 1] = bits >> 8;
            this.#bytes[p + 2] = bits >> 16;
          }
        } else {
          const target = ((pc + 3) & ~3) + 4 * ((operand >> 8) - 65536);
          const there = here && this.#map(target);
          const far = (there - ((here + 3) & ~3)) | 0;
          if (there && !(far & 3) && far >= -0x40000 && far < 0) {
            this.#bytes[p + 1] = far >> 2;
            this.#bytes[p + 2] = far >> 10;
          }
        }
      }
      p += length;
    }
  }

  #riscv(low: number, high: number, stop: number, address: number, shift: number): void {
    const raw = this.#raw;
    let p = low;
    while (p < stop && p + 2 <= high) {
      if ((raw[p] & 3) !== 3) {
        p += 2;
        continue;
      }
      if (p + 4 > high) return;
      const code = raw[p] & 127;
      if (code === JAL || code === AUIPC || code === LUI) {
        const word = this.#word(p);
        const rd = (word >> 7) & 31;
        if (code === JAL) {
          if (rd) this.#jal(p, word, address, shift);
        } else if (code === AUIPC) this.#auipc(p, word, rd, high, address, shift);
        else this.#lui(p, word, rd, high);
      }
      p += 4;
    }
  }

  #jal(p: number, word: number, address: number, shift: number): void {
    const offset = ((word >> 31) << 20) | (word & 0xff000) | ((word >> 9) & 0x800) | ((word >> 20) & 0x7fe);
    const there = this.#map((address + p + offset) | 0);
    const here = there && this.#here(p, shift);
    const far = (there - here) | 0;
    if (!here || far & 1 || far < -0x100000 || far >= 0x100000) return;
    this.#put(
      p,
      (word & 0xfff) |
        ((far & 0x100000) << 11) |
        (far & 0xff000) |
        ((far & 0x800) << 9) |
        ((far & 0x7fe) << 20),
    );
  }

  #auipc(p: number, word: number, rd: number, high: number, address: number, shift: number): void {
    if (p + 8 > high) return;
    const next = this.#word(p + 4);
    if (!hasLow(next, rd, true)) return;
    const target = (address + p + (word & ~0xfff) + lowOf(next)) | 0;
    const here = this.#here(p, shift);
    if (!here) return;
    const far = ((this.#map(target) || target) - here) | 0;
    this.#put(p, (word & 0xfff) | ((far + 0x800) & ~0xfff));
    this.#put(p + 4, withLow(next, far));
  }

  #lui(p: number, word: number, rd: number, high: number): void {
    const top = word >>> 24;
    if (top < 0x3c || top > 0x42) return;
    const raw = this.#raw;
    let set = false;
    let at = p + 4;
    for (let n = 0; n < LUI_REACH && at + 2 <= high; n++) {
      if ((raw[at] & 3) !== 3) {
        at += 2;
        continue;
      }
      if (at + 4 > high) return;
      const next = this.#word(at);
      if (hasLow(next, rd, false)) {
        const there = this.#map(((word & ~0xfff) + lowOf(next)) | 0);
        if (there) {
          if (!set) this.#put(p, (word & 0xfff) | ((there + 0x800) & ~0xfff));
          set = true;
          this.#put(at, withLow(next, there));
        }
      }
      const code = next & 127;
      if (code !== STORE && code !== BRANCH && ((next >> 7) & 31) === rd) return;
      at += 4;
    }
  }
}

/** Whether an instruction of RISC-V adds a low part to register `rd`. */
function hasLow(word: number, rd: number, jumps: boolean): boolean {
  const code = word & 127;
  if (((word >> 15) & 31) !== rd) return false;
  if (code === LOAD || code === STORE) return true;
  return (code === ADDI || (jumps && code === JALR)) && (word & 0x7000) === 0;
}

function lowOf(word: number): number {
  return (word & 127) === STORE ? ((word >> 25) << 5) | ((word >> 7) & 31) : word >> 20;
}

function withLow(word: number, value: number): number {
  if ((word & 127) !== STORE) return (word & 0xfffff) | (value << 20);
  return (word & 0x1fff07f) | ((value & 0xfe0) << 20) | ((value & 31) << 7);
}
