/**
 * The port for what turns a payload into the image, a sector at a time: in C on ESP32, in JavaScript in `js-decoder.ts`.
 * Bits in docs/SPEC.md, "Payloads".
 * @module
 */
import type { PayloadHeader } from "./header.js";

/** Fills `into` with the bytes at `offset`. */
export type Read = (into: Uint8Array, offset: number) => void;

export interface PayloadSource {
  /** The payload. */
  readonly payload: Read;
  /** The base. */
  readonly base: Read;
  /** What has been put out so far. */
  readonly output: Read;
}

/** Where a payload is, also for a decoder that reads the flash by itself. */
export interface PayloadPlace extends PayloadSource {
  /** Bytes of the payload. */
  readonly length: number;
  /** Offset in the slot where the payload lies, in bytes: its second sector, the others, and then the first one. */
  readonly start: number;
}

/** What the agent needs of a decoder, in JavaScript or native. */
export interface PayloadDecoder {
  /**
   * Begins a segment at its first byte, which is at `position` of the image.
   * @param at where its data begins in the payload, and where it ends
   * @param raw whether the data is stored as it is
   */
  begin(position: number, at: number, end: number, raw: boolean): void;
  /**
   * Decodes the bytes of the segment that follow, as many as `out` has room for; the segment has so many left.
   * @throws OtaError "bad-payload"; whatever reading throws
   */
  decode(out: Uint8Array): void;
}

/** Makes a decoder of one payload. @throws OtaError "bad-payload"; whatever reading throws */
export type MakeDecoder = (header: PayloadHeader, place: PayloadPlace) => PayloadDecoder;

/** Begins the segment of the image that `position` is the start of. */
export function beginSegment(decoder: PayloadDecoder, header: PayloadHeader, position: number): void {
  const { offsets, raw, segmentLog2 } = header;
  const k = position >> segmentLog2;
  decoder.begin(position, offsets[k], offsets[k + 1], raw[k] > 0);
}
