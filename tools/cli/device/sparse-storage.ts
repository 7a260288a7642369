/**
 * Flash bits in memory where only what is not erased takes room: a fleet of chips fits into one process.
 * @module
 */
import type { FlashStorage } from "../../../hosts/emulated/nor-flash.js";

const PIECE = 4096;
const ERASED = Buffer.alloc(PIECE, 0xff);

export class SparseStorage implements FlashStorage {
  readonly byteLength: number;
  readonly #pieces = new Map<number, Uint8Array>();

  /** @param content what is on the chip at first */
  constructor(content: Uint8Array) {
    this.byteLength = content.length;
    for (let at = 0; at < content.length; at += PIECE) this.write(at, content.subarray(at, at + PIECE));
  }

  read(offset: number, into: Uint8Array): void {
    for (let at = 0; at < into.length; ) {
      const start = (offset + at) % PIECE;
      const length = Math.min(PIECE - start, into.length - at);
      const piece = this.#pieces.get(offset + at - start);
      if (piece) into.set(piece.subarray(start, start + length), at);
      else into.fill(0xff, at, at + length);
      at += length;
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const start = (offset + at) % PIECE;
      const part = bytes.subarray(at, at + PIECE - start);
      this.#writePiece(offset + at - start, start, part);
      at += part.length;
    }
  }

  #writePiece(base: number, start: number, part: Uint8Array): void {
    const erased = ERASED.compare(part, 0, part.length, 0, part.length) === 0;
    let piece = this.#pieces.get(base);
    if (erased && (!piece || part.length === PIECE)) {
      this.#pieces.delete(base);
      return;
    }
    if (!piece) {
      piece = new Uint8Array(Math.min(PIECE, this.byteLength - base)).fill(0xff);
      this.#pieces.set(base, piece);
    }
    piece.set(part, start);
  }
}
