/**
 * The structure of an ESP32 application image (`esp_app_format.h`, `esp_app_desc.h`), read without judging more
 * than is needed to find the way through it. `esp-image-check.ts` judges.
 * @module
 */
import type { AppDescription } from "../../src/ports.js";

export const IMAGE_MAGIC = 0xe9;
export const HEADER_SIZE = 24;
export const SEGMENT_HEADER_SIZE = 8;
export const MAX_SEGMENTS = 16;
/** `ESP_ROM_CHECKSUM_INITIAL`. */
export const CHECKSUM_SEED = 0xef;
export const HASH_SIZE = 32;
/** The application descriptor is the start of the first segment. */
export const DESCRIPTOR_OFFSET = HEADER_SIZE + SEGMENT_HEADER_SIZE;
export const DESCRIPTOR_SIZE = 256;
export const DESCRIPTOR_MAGIC = 0xabcd5432;
const MAX_SEGMENT_LENGTH = 0x100_0000;

/** Where an image is read from: a partition, a file, bytes. */
export interface ImageSource {
  /** Bytes there are, the image's own and what follows it. */
  readonly size: number;
  read(into: Uint8Array, offset: number): unknown;
}

/** An image in memory. */
export function imageBytes(bytes: Uint8Array): ImageSource {
  return {
    size: bytes.length,
    read(into, offset) {
      into.set(bytes.subarray(offset, offset + into.length));
    },
  };
}

/** The bytes are no bootable image. */
export class ImageError extends Error {
  override name = "ImageError";
}

export interface ImageSegment {
  /** Of its data in the image. */
  readonly offset: number;
  readonly length: number;
  readonly loadAddress: number;
}

/** `esp_app_desc_t` as text and numbers. */
export interface AppDescriptor {
  readonly secureVersion: number;
  readonly version: string;
  readonly projectName: string;
  readonly time: string;
  readonly date: string;
  readonly idfVersion: string;
  readonly elfSha256: Uint8Array;
  readonly minBlockRevision: number;
  readonly maxBlockRevision: number;
  /** Binary logarithm; 0: the chip's default. */
  readonly mmuPageSizeLog2: number;
}

export interface ImageLayout {
  readonly chipId: number;
  readonly entry: number;
  /** Numbers of the header: SPI mode, speed, size code. */
  readonly flash: { readonly mode: number; readonly speed: number; readonly size: number };
  /** major * 100 + minor; 0 for any. */
  readonly minChipRevision: number;
  /** major * 100 + minor; 65535 for any. */
  readonly maxChipRevision: number;
  readonly segments: readonly ImageSegment[];
  /** Offset of the checksum byte. */
  readonly checksumOffset: number;
  readonly hashAppended: boolean;
  /** Bytes of the whole image, appended hash included. */
  readonly length: number;
  /** Undefined when the image carries none. */
  readonly descriptor: AppDescriptor | undefined;
}

/**
 * Follows the structure of an image.
 * @throws ImageError when there is none, or a segment leads outside the source
 */
export function readImageLayout(source: ImageSource): ImageLayout {
  const header = take(source, 0, HEADER_SIZE);
  const magic = header.getUint8(0);
  if (magic !== IMAGE_MAGIC) throw new ImageError(`first byte is 0x${magic.toString(16)}, not 0xe9`);
  const count = header.getUint8(1);
  if (count > MAX_SEGMENTS) throw new ImageError(`${count} segments are more than ${MAX_SEGMENTS}`);
  const segments: ImageSegment[] = [];
  let end = HEADER_SIZE;
  for (let i = 0; i < count; i++) {
    const segment = readSegment(source, end, i);
    segments.push(segment);
    end = segment.offset + segment.length;
  }
  const checksumOffset = end | 15;
  const hashAppended = header.getUint8(23) !== 0;
  const length = checksumOffset + 1 + (hashAppended ? HASH_SIZE : 0);
  if (length > source.size) throw new ImageError(`image of ${length} bytes does not fit into ${source.size}`);
  return {
    chipId: header.getUint16(12, true),
    entry: header.getUint32(4, true),
    flash: { mode: header.getUint8(2), speed: header.getUint8(3) & 15, size: header.getUint8(3) >> 4 },
    minChipRevision: header.getUint16(15, true),
    maxChipRevision: header.getUint16(17, true),
    segments,
    checksumOffset,
    hashAppended,
    length,
    descriptor: readDescriptor(source),
  };
}

function readSegment(source: ImageSource, at: number, index: number): ImageSegment {
  const header = take(source, at, SEGMENT_HEADER_SIZE);
  const segment = {
    offset: at + SEGMENT_HEADER_SIZE,
    length: header.getUint32(4, true),
    loadAddress: header.getUint32(0, true),
  };
  if (segment.length % 4 || segment.length >= MAX_SEGMENT_LENGTH)
    throw new ImageError(`segment ${index} has an impossible length of ${segment.length} bytes`);
  if (segment.offset + segment.length > source.size)
    throw new ImageError(`segment ${index} ends outside the ${source.size} bytes there are`);
  return segment;
}

/** The descriptor at its fixed place; undefined when its mark is not there. */
export function readDescriptor(source: ImageSource): AppDescriptor | undefined {
  if (source.size < DESCRIPTOR_OFFSET + DESCRIPTOR_SIZE) return undefined;
  const view = take(source, DESCRIPTOR_OFFSET, DESCRIPTOR_SIZE);
  if (view.getUint32(0, true) !== DESCRIPTOR_MAGIC) return undefined;
  return {
    secureVersion: view.getUint32(4, true),
    version: text(view, 16, 32),
    projectName: text(view, 48, 32),
    time: text(view, 80, 16),
    date: text(view, 96, 16),
    idfVersion: text(view, 112, 32),
    elfSha256: new Uint8Array(view.buffer).slice(144, 176),
    minBlockRevision: view.getUint16(176, true),
    maxBlockRevision: view.getUint16(178, true),
    mmuPageSizeLog2: view.getUint8(180),
  };
}

/** What the agent wants to know of an application. @throws ImageError when the image has no descriptor */
export function describeApp(source: ImageSource): AppDescription {
  const descriptor = readDescriptor(source);
  if (!descriptor) throw new ImageError("the image has no application descriptor");
  const { projectName, version, secureVersion, elfSha256 } = descriptor;
  return {
    chipId: take(source, 12, 2).getUint16(0, true),
    projectName,
    version,
    secureVersion,
    buildId: hex(elfSha256.subarray(0, 4)),
  };
}

/** Lower-case hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function take(source: ImageSource, offset: number, length: number): DataView {
  if (offset + length > source.size) throw new ImageError(`the image ends before byte ${offset + length}`);
  const bytes = new Uint8Array(length);
  source.read(bytes, offset);
  return new DataView(bytes.buffer);
}

function text(view: DataView, offset: number, length: number): string {
  let result = "";
  for (let i = 0; i < length; i++) {
    const code = view.getUint8(offset + i);
    if (code === 0) break;
    result += String.fromCharCode(code);
  }
  return result;
}
