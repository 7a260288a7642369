/**
 * Builds real ESP32 application images: header, segments at the places the flash cache can map, application
 * descriptor, checksum, appended SHA-256. The same options give the same bytes. The content is not runnable
 * code, but looks like it to a compressor; a simulated device can read from it how it is to behave.
 * @module
 */
import type { Hash } from "../../src/ports.js";
import { type Chip, chipByName } from "./chips.js";
import {
  CHECKSUM_SEED,
  DESCRIPTOR_MAGIC,
  DESCRIPTOR_OFFSET,
  DESCRIPTOR_SIZE,
  HASH_SIZE,
  HEADER_SIZE,
  IMAGE_MAGIC,
  type ImageSource,
  SEGMENT_HEADER_SIZE,
} from "./esp-image-layout.js";
import { fillCode, fillText, Xorshift } from "./pseudo-code.js";

export interface ImageOptions {
  /** Name of the chip. Default "esp32c3". */
  readonly chip?: string;
  /** At most 31 characters of ASCII, like `projectName`. */
  readonly version: string;
  readonly projectName: string;
  /** Default 0. */
  readonly secureVersion?: number;
  /** Bytes of the image, rounded up to a multiple of 16; at least 512. */
  readonly size: number;
  /** Chooses the content. Default: derived from project and version, so that versions share no blocks. */
  readonly seed?: number;
  /** What a simulated device shall do on booting this image; at most 63 characters of ASCII. Default "pass". */
  readonly behaviour?: string;
  /** major * 100 + minor. Default 0. */
  readonly minChipRevision?: number;
  /** Default 65535: any. */
  readonly maxChipRevision?: number;
}

export const MIN_IMAGE_SIZE = 512;
/** From this size on, code begins on an MMU page of its own behind a padding segment, as the linker arranges it. */
const PADDED_FROM = 0x30000;
const PAGE = 0x10000;
const BEHAVIOUR_OFFSET = DESCRIPTOR_OFFSET + DESCRIPTOR_SIZE;
const BEHAVIOUR_MARK = "xs-ota-behaviour";
const BEHAVIOUR_SIZE = BEHAVIOUR_MARK.length + 64;
const IDF_VERSION = "v6.0.2";

interface Plan {
  readonly loadAddress: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * @throws TypeError for an unknown chip or text that is too long or no ASCII; RangeError for a size too small
 */
export function buildImage(options: ImageOptions, sha256: () => Hash): Uint8Array {
  const chip = chipByName(options.chip ?? "esp32c3");
  if (!chip) throw new TypeError(`unknown chip "${options.chip}"`);
  const size = Math.ceil(options.size / 16) * 16;
  if (!(size >= MIN_IMAGE_SIZE)) throw new RangeError(`an image has at least ${MIN_IMAGE_SIZE} bytes`);
  const seed = options.seed ?? textHash(`${options.projectName}\0${options.version}`);
  const bytes = new Uint8Array(size);
  const segments = plan(chip, size);
  fillContent(bytes, segments, seed);
  writeHeader(bytes, chip, options, segments);
  for (const { offset, length, loadAddress } of segments) {
    const header = new DataView(bytes.buffer, offset - SEGMENT_HEADER_SIZE);
    header.setUint32(0, loadAddress, true);
    header.setUint32(4, length, true);
  }
  writeDescriptor(bytes, options, seed, sha256);
  writeText(bytes, BEHAVIOUR_OFFSET, BEHAVIOUR_MARK, BEHAVIOUR_MARK.length);
  writeText(bytes, BEHAVIOUR_OFFSET + BEHAVIOUR_MARK.length, options.behaviour ?? "pass", 63);
  sealImage(bytes, sha256);
  return bytes;
}

/** The `behaviour` an image was built with; undefined for an image from elsewhere. */
export function readBehaviour(source: ImageSource): string | undefined {
  if (source.size < BEHAVIOUR_OFFSET + BEHAVIOUR_SIZE) return undefined;
  const bytes = new Uint8Array(BEHAVIOUR_SIZE);
  source.read(bytes, BEHAVIOUR_OFFSET);
  const text = String.fromCharCode(...bytes);
  if (!text.startsWith(BEHAVIOUR_MARK)) return undefined;
  return text.slice(BEHAVIOUR_MARK.length).split("\0", 1)[0];
}

/**
 * Makes checksum and appended hash of an image right again after a change to it that keeps its length.
 * @param bytes exactly the image, with an appended hash
 * @throws RangeError when its segments lead outside
 */
export function sealImage(bytes: Uint8Array, sha256: () => Hash): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const checksumOffset = bytes.length - HASH_SIZE - 1;
  let checksum = CHECKSUM_SEED;
  let end = HEADER_SIZE;
  for (let count = bytes[1]; count > 0; count--) {
    const start = end + SEGMENT_HEADER_SIZE;
    end = start + view.getUint32(end + 4, true);
    if (end > checksumOffset) throw new RangeError("the segments lead outside the image");
    for (let i = start; i < end; i++) checksum ^= bytes[i];
  }
  bytes[checksumOffset] = checksum;
  const hash = sha256();
  hash.update(bytes.subarray(0, checksumOffset + 1));
  bytes.set(hash.digest(), checksumOffset + 1);
}

/** Divides the image into DROM, DRAM, IRAM, padding (if large enough) and IROM. */
function plan(chip: Chip, size: number): Plan[] {
  const segments: Plan[] = [];
  let end = HEADER_SIZE;
  const add = (loadAddress: number, length: number) => {
    const offset = end + SEGMENT_HEADER_SIZE;
    segments.push({ loadAddress, offset, length });
    end = offset + length;
  };
  const dromLength = DESCRIPTOR_SIZE + BEHAVIOUR_SIZE + wordAligned((size - MIN_IMAGE_SIZE) * 0.18);
  const shared = chip.drom[0] === chip.irom[0];
  // On a shared bus the linker puts code first and data behind it, on pages of their own.
  const dromBase = shared ? chip.drom[0] + Math.ceil(size / PAGE + 1) * PAGE : chip.drom[0];
  add(dromBase + DESCRIPTOR_OFFSET, dromLength);
  add(chip.dram, Math.max(16, wordAligned((size - MIN_IMAGE_SIZE) * 0.02)));
  add(chip.iram, Math.min(0x18000, Math.max(32, wordAligned((size - MIN_IMAGE_SIZE) * 0.06))));
  const codeOffset = end + SEGMENT_HEADER_SIZE;
  let address = chip.irom[0] + (shared ? 0 : PAGE);
  if (size >= PADDED_FROM) {
    const gap = (PAGE + DESCRIPTOR_OFFSET - ((codeOffset + SEGMENT_HEADER_SIZE) % PAGE)) % PAGE;
    add(0, gap);
    address += DESCRIPTOR_OFFSET;
  } else address += codeOffset % PAGE;
  // Three zero bytes and the checksum follow the code, then the hash.
  add(address, size - HASH_SIZE - 4 - (end + SEGMENT_HEADER_SIZE));
  return segments;
}

function wordAligned(length: number): number {
  return Math.floor(length / 4) * 4;
}

function fillContent(bytes: Uint8Array, segments: readonly Plan[], seed: number): void {
  const random = new Xorshift(seed);
  segments.forEach(({ loadAddress, offset, length }, index) => {
    const part = bytes.subarray(offset, offset + length);
    if (index === 0) fillText(part, random);
    else if (loadAddress !== 0) fillCode(part, random);
  });
}

function writeHeader(bytes: Uint8Array, chip: Chip, options: ImageOptions, segments: readonly Plan[]): void {
  const view = new DataView(bytes.buffer);
  bytes.set([IMAGE_MAGIC, segments.length, 2, 0x2f]);
  view.setUint32(4, chip.iram, true);
  bytes[8] = 0xee;
  view.setUint16(12, chip.id, true);
  view.setUint16(15, options.minChipRevision ?? 0, true);
  view.setUint16(17, options.maxChipRevision ?? 0xffff, true);
  bytes[23] = 1;
}

function writeDescriptor(bytes: Uint8Array, options: ImageOptions, seed: number, sha256: () => Hash): void {
  const { projectName, version, secureVersion = 0 } = options;
  bytes.fill(0, DESCRIPTOR_OFFSET, BEHAVIOUR_OFFSET + BEHAVIOUR_SIZE);
  const view = new DataView(bytes.buffer, DESCRIPTOR_OFFSET);
  view.setUint32(0, DESCRIPTOR_MAGIC, true);
  view.setUint32(4, secureVersion, true);
  writeText(bytes, DESCRIPTOR_OFFSET + 16, version, 31);
  writeText(bytes, DESCRIPTOR_OFFSET + 48, projectName, 31);
  writeText(bytes, DESCRIPTOR_OFFSET + 80, "00:00:00", 15);
  writeText(bytes, DESCRIPTOR_OFFSET + 96, "Jan  1 2026", 15);
  writeText(bytes, DESCRIPTOR_OFFSET + 112, IDF_VERSION, 31);
  const hash = sha256();
  const identity = `${projectName}\0${version}\0${secureVersion}\0${seed}\0${options.behaviour ?? "pass"}`;
  hash.update(Uint8Array.from(identity, (character) => character.charCodeAt(0)));
  bytes.set(hash.digest(), DESCRIPTOR_OFFSET + 144);
  view.setUint16(178, 0xffff, true);
}

function writeText(bytes: Uint8Array, offset: number, text: string, limit: number): void {
  if (text.length > limit) throw new TypeError(`"${text}" is longer than ${limit} characters`);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) throw new TypeError(`"${text}" is not ASCII`);
    bytes[offset + i] = code;
  }
}

/** FNV-1a, 32 bits. */
function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
