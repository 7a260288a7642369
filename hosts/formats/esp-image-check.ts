/**
 * The checks ESP-IDF makes before it boots an image or makes it bootable (`esp_image_verify` in
 * `esp_image_format.c`), except secure boot signatures.
 * @module
 */
import type { Hash } from "../../src/ports.js";
import { type Chip, chipById, isMapped } from "./chips.js";
import {
  CHECKSUM_SEED,
  HASH_SIZE,
  hex,
  ImageError,
  type ImageLayout,
  type ImageSource,
  readImageLayout,
} from "./esp-image-layout.js";

/** The chip an image is to run on. */
export interface ImageTarget {
  readonly chipId: number;
  /** major * 100 + minor. Left out: the image's limits are not checked. */
  readonly chipRevision?: number;
  /** eFuse block revision. Left out: the image's limits are not checked. Plays no part on ESP32. */
  readonly blockRevision?: number;
}

export interface CheckedImage extends ImageLayout {
  /** The checksum byte. */
  readonly checksum: number;
  /** The appended hash; undefined when there is none. */
  readonly sha256: Uint8Array | undefined;
}

/** Bytes read at a time; a multiple of 4. */
const CHUNK = 16384;
const DEFAULT_PAGE_LOG2 = 16;

/** Exclusive or of all 32-bit words of `bytes`, in either byte order. Offset and length are multiples of 4. */
export type XorWords = (bytes: Uint8Array) => number;

/** Word by word. An interpreter takes longer for it than native code takes for SHA-256. */
export const xorWords: XorWords = (bytes) => {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  let sum = 0;
  for (let i = words.length; i-- > 0; ) sum ^= words[i];
  return sum;
};

/**
 * Checks a whole image: structure, chip and revisions, alignment of mapped segments, checksum, appended hash,
 * and that it fits.
 * @param source its `size` is the size of the partition
 * @param xor a faster way to sum up, where the host has one
 * @throws ImageError with the first reason why ESP-IDF would refuse it
 */
export function checkImage(
  source: ImageSource,
  target: ImageTarget,
  sha256: () => Hash,
  xor = xorWords,
): CheckedImage {
  const layout = readImageLayout(source);
  const chip = checkTarget(layout, target);
  checkSegments(layout, chip);
  const { checksum, digest } = readThrough(source, layout, layout.hashAppended ? sha256() : undefined, xor);
  const [stored] = bytesAt(source, layout.checksumOffset, 1);
  if (checksum !== stored)
    throw new ImageError(`checksum is 0x${checksum.toString(16)}, the image says 0x${stored.toString(16)}`);
  if (digest) {
    const appended = bytesAt(source, layout.checksumOffset + 1, HASH_SIZE);
    if (hex(digest) !== hex(appended))
      throw new ImageError("SHA-256 of the image differs from the one appended");
  }
  return { ...layout, checksum, sha256: digest };
}

function checkTarget(layout: ImageLayout, target: ImageTarget): Chip {
  const { chipId, minChipRevision, maxChipRevision, descriptor } = layout;
  const chip = chipById(target.chipId);
  if (!chip) throw new RangeError(`unknown chip id ${target.chipId}`);
  if (chipId !== target.chipId)
    throw new ImageError(
      `image is for ${chipById(chipId)?.title ?? `chip ${chipId}`}, not for ${chip.title}`,
    );
  checkRevision("chip", target.chipRevision, minChipRevision, maxChipRevision);
  if (chip.id !== 0 && descriptor)
    checkRevision(
      "eFuse block",
      target.blockRevision,
      descriptor.minBlockRevision,
      descriptor.maxBlockRevision,
    );
  if (chip.configurablePage && !descriptor) throw new ImageError("the image has no application descriptor");
  return chip;
}

function checkRevision(what: string, actual: number | undefined, min: number, max: number): void {
  if (actual === undefined) return;
  if (actual < min) throw new ImageError(`${what} revision ${actual} is below the image's minimum of ${min}`);
  if (max !== 0 && max !== 0xffff && actual > max)
    throw new ImageError(`${what} revision ${actual} is above the image's maximum of ${max}`);
}

function checkSegments(layout: ImageLayout, chip: Chip): void {
  const log2 = (chip.configurablePage && layout.descriptor?.mmuPageSizeLog2) || DEFAULT_PAGE_LOG2;
  const page = 2 ** log2;
  for (const { offset, loadAddress } of layout.segments)
    if (isMapped(chip, loadAddress) && loadAddress % page !== offset % page)
      throw new ImageError(
        `segment for 0x${loadAddress.toString(16)} is at 0x${offset.toString(16)}, which no MMU page can map`,
      );
}

/** Reads everything up to the checksum byte and sums up. */
function readThrough(
  source: ImageSource,
  layout: ImageLayout,
  hash: Hash | undefined,
  xor: XorWords,
): { checksum: number; digest: Uint8Array | undefined } {
  const chunk = new Uint8Array(CHUNK);
  let sum = 0;
  let at = 0;
  const pass = (end: number, counts: boolean) => {
    while (at < end) {
      const length = Math.min(CHUNK, end - at);
      const part = chunk.subarray(0, length);
      source.read(part, at);
      hash?.update(part);
      if (counts) sum ^= xor(part);
      at += length;
    }
  };
  for (const { offset, length } of layout.segments) {
    pass(offset, false);
    pass(offset + length, true);
  }
  pass(layout.checksumOffset + 1, false);
  const folded = sum ^ (sum >>> 16);
  return { checksum: (folded ^ (folded >>> 8) ^ CHECKSUM_SEED) & 0xff, digest: hash?.digest() };
}

function bytesAt(source: ImageSource, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  source.read(bytes, offset);
  return bytes;
}
