/**
 * What the porting layer knows about the file at hand: which of its sectors are erased, written, recorded.
 * @module
 */
import type { JobFile } from "../control/job-document.js";
import type { Flash } from "../ports.js";
import type { Journal } from "./journal.js";
import type { Received } from "./pal.js";

/** State of a sector of the open file: not erased yet, */
export const UNTOUCHED = 0;
/** erased, plus the number of bytes written since, */
export const ERASED = 1;
/** or complete. Sectors are smaller than this. */
export const DONE = 0xffff;

/** Everything about the file being received; replaced as a whole so that nothing is inherited. */
export class OpenFile implements Received {
  readonly file: JobFile;
  readonly slot: Flash;
  readonly sectorLength: number;
  /** UNTOUCHED, ERASED plus bytes written, or DONE. */
  readonly sectors: Uint16Array;
  /** One sector read back. */
  readonly scratch: Uint8Array;
  journal: Journal | undefined;
  /** Digest of the verified file. */
  digest: Uint8Array | undefined;
  /** Something was erased for it, in this life. */
  begun = false;
  /** Sector of the last record that was believed, as an earlier life left it. */
  recorded: number | undefined;

  /** @param most sectors in the slot: no memory for more, whatever a job says */
  constructor(file: JobFile, slot: Flash, sectorLength: number, most: number) {
    this.file = file;
    this.slot = slot;
    this.sectorLength = sectorLength;
    this.sectors = new Uint16Array(Math.min(Math.ceil(file.fileSize / sectorLength), most));
    this.scratch = new Uint8Array(sectorLength);
  }

  /** Bytes of the file in `sector`: less than a sector in the last one. */
  lengthOf(sector: number): number {
    const rest = this.file.fileSize - sector * this.sectorLength;
    return rest < this.sectorLength ? rest : this.sectorLength;
  }

  /** `length` bytes at `offset`, no more than a sector; good until the next read. */
  read(offset: number, length: number): Uint8Array {
    const view = this.scratch.subarray(0, length);
    this.slot.read(view, offset);
    return view;
  }

  /** What `sector` holds of the file; good until the next read. */
  content(sector: number): Uint8Array {
    return this.read(sector * this.sectorLength, this.lengthOf(sector));
  }

  has(offset: number, byteLength: number): boolean {
    const last = Math.floor((offset + byteLength - 1) / this.sectorLength);
    for (let sector = Math.floor(offset / this.sectorLength); sector <= last; sector++)
      if (this.sectors[sector] !== DONE) return false;
    return true;
  }

  get byteLength(): number {
    let sum = 0;
    for (let sector = 0; sector < this.sectors.length; sector++)
      if (this.sectors[sector] === DONE) sum += this.lengthOf(sector);
    return sum;
  }
}
