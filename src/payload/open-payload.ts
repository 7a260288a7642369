/**
 * What the porting layer knows about the payload at hand: what of it is here, what of the image it makes, and where both lie.
 * @module
 */
import type { JobFile } from "../control/job-document.js";
import type { Variant } from "../control/variant.js";
import type { Flash } from "../ports.js";
import type { FlashPal } from "../slot/flash-pal.js";
import type { Received } from "../slot/pal.js";
import type { MakeDecoder, PayloadDecoder } from "./decoder.js";
import { PayloadHeader, START_LENGTH } from "./header.js";
import type { PartFlash } from "./part-flash.js";

export const NOTHING: Received = Object.freeze({ has: () => false, byteLength: 0 });

/** What a decoder reads beside the payload, and what makes it. */
export interface DecoderPlan {
  readonly decoder: MakeDecoder;
  readonly running: Flash;
  readonly slot: Flash;
}

/** Everything about the payload being received and applied; replaced as a whole. */
export class OpenPayload {
  readonly file: JobFile;
  readonly variant: Variant;
  /** Sectors of the payload, at the end of the slot; its first one stands behind the others. */
  readonly sectors: number;
  readonly view: PartFlash;
  readonly stage: FlashPal;
  readonly sectorLength: number;
  staged = NOTHING;
  header: PayloadHeader | undefined;
  /** The image it makes, a file of its own. */
  image: FlashPal | undefined;
  /** The same while it is being opened. */
  making: FlashPal | undefined;
  made = NOTHING;
  /** Something was written for it, in this life. */
  begun = false;
  /** How often the image was made again of what is here. */
  repairs = 0;

  constructor(file: JobFile, variant: Variant, sectors: number, view: PartFlash, stage: FlashPal) {
    this.file = file;
    this.variant = variant;
    this.sectors = sectors;
    this.view = view;
    this.stage = stage;
    this.sectorLength = view.status().blockLength;
  }

  get startLength(): number {
    return Math.min(START_LENGTH, this.file.fileSize);
  }

  /** Header, head and tables as they are on flash. */
  readStart(): Uint8Array {
    const start = new Uint8Array(this.startLength);
    this.view.read(start, 0);
    return start;
  }

  /** @throws OtaError "bad-payload" */
  readHeader(): PayloadHeader {
    return new PayloadHeader(this.readStart(), this.file.fileSize);
  }

  /** A decoder of the payload. @throws OtaError "bad-payload" */
  decoder(header: PayloadHeader, { decoder, running, slot }: DecoderPlan): PayloadDecoder {
    const { view, file, sectors, sectorLength } = this;
    return decoder(header, {
      payload: (into, offset) => view.read(into, offset),
      base: (into, offset) => void running.read(into, offset),
      output: (into, offset) => void slot.read(into, offset),
      length: file.fileSize,
      start: view.place(1 % sectors) * sectorLength,
    });
  }

  /** Where segment `k` of the image begins and ends. */
  start(header: PayloadHeader, k: number): number {
    return Math.min(k << header.segmentLog2, header.imageLength);
  }

  /** The first segment that is not made yet; how many there are when all are. */
  unmade(header: PayloadHeader): number {
    const count = header.offsets.length - 1;
    let k = 0;
    for (; k < count; k++) {
      const start = this.start(header, k);
      if (!this.made.has(start, this.start(header, k + 1) - start)) break;
    }
    return k;
  }

  /** What of the payload need not be fetched: what is here, and what has been applied. */
  get received(): Received {
    const { header, staged, sectorLength, sectors, file } = this;
    if (!header) return staged;
    const needed = header.offsets[this.unmade(header)];
    const has = (sector: number) =>
      (sector > 0 && (sector + 1) * sectorLength <= needed) || staged.has(...this.#extent(sector));
    let byteLength = 0;
    for (let sector = 0; sector < sectors; sector++) if (has(sector)) byteLength += this.#extent(sector)[1];
    return {
      byteLength,
      has(offset, length) {
        const last = Math.min(offset + length, file.fileSize) - 1;
        for (let at = Math.floor(offset / sectorLength); at * sectorLength <= last; at++)
          if (!has(at)) return false;
        return true;
      },
    };
  }

  /** Offset and length of what a sector holds of the payload. */
  #extent(sector: number): [offset: number, length: number] {
    const offset = sector * this.sectorLength;
    return [offset, Math.min(this.sectorLength, this.file.fileSize - offset)];
  }

  /** Whether a sector that is still to be fetched would go where a finished one of the image is. */
  get collides(): boolean {
    const { header, sectors, sectorLength, made, received } = this;
    if (!header) return false;
    for (let sector = 0; sector < sectors; sector++) {
      const place = this.view.place(sector) * sectorLength;
      const length = Math.min(sectorLength, header.imageLength - place);
      if (length > 0 && made.has(place, length) && !received.has(...this.#extent(sector))) return true;
    }
    return false;
  }
}
