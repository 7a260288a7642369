/**
 * The head of an ESP32 application image (ESP-IDF `esp_app_format.h`, `esp_app_desc.h`), and its structure: enough
 * to refuse an image after its first bytes, and to see that a complete one is whole. Check sum and appended hash
 * are ESP-IDF's to verify when the boot partition is set; the signature covers every byte before that.
 * @module
 */
import { toHex } from "./bytes.js";
import { OtaError } from "./errors.js";
import type { AppDescription } from "./ports.js";

/** Image header (24), first segment header (8), application descriptor (256). */
export const HEAD_LENGTH = 288;
const IMAGE_MAGIC = 0xe9;
const HEADER_LENGTH = 24;
const SEGMENT_HEADER_LENGTH = 8;
const MAX_SEGMENTS = 16;
/** ESP-IDF refuses a segment of 16 MB or more. */
const MAX_SEGMENT = 0x1000000;
const HASH_LENGTH = 32;
const DESCRIPTOR_OFFSET = 32;
const DESCRIPTOR_LENGTH = 256;
const DESCRIPTOR_MAGIC = 0xabcd5432;
/** Secure Boot v2: one signature sector behind the image, at a multiple of its size. */
const SIGNATURE_SECTOR = 4096;
/** Flash is mapped in pages of this size: file offset and load address agree in it. */
const MMU_PAGE = 0x10000;

function refuse(why: string): never {
  throw new OtaError("bad-image", why, "image");
}

/** The text of a fixed field, up to its first NUL; a byte that is not printable ASCII is refused. */
function field(head: Uint8Array, offset: number, length: number): string {
  let text = "";
  for (let i = offset; i < offset + length && head[i] !== 0; i++) {
    if (head[i] < 0x20 || head[i] > 0x7e) refuse("the application descriptor has an unreadable text");
    text += String.fromCharCode(head[i]);
  }
  return text;
}

/**
 * Reads and judges the first bytes of an image.
 * @param head at least `HEAD_LENGTH` bytes
 * @param fileSize bytes of the whole file
 * @throws OtaError "bad-image" when no ESP32 application starts like this
 */
export function parseHead(head: Uint8Array, fileSize: number): AppDescription {
  if (head.length < HEAD_LENGTH || fileSize < HEAD_LENGTH)
    refuse(`a file of ${fileSize} bytes is too short for an application image`);
  const view = new DataView(head.buffer, head.byteOffset, HEAD_LENGTH);
  if (head[0] !== IMAGE_MAGIC) refuse("the file is not an ESP32 application image");
  if (head[1] === 0 || head[1] > MAX_SEGMENTS) refuse(`the image has ${head[1]} segments`);
  if (head[23] !== 1) refuse("the image has no appended SHA-256");
  const loadAddress = view.getUint32(24, true);
  const length = view.getUint32(28, true);
  if (length < DESCRIPTOR_LENGTH || length % 4 || length >= MAX_SEGMENT || length > fileSize)
    refuse(`the first segment has an impossible length, ${length}`);
  if (
    view.getUint32(DESCRIPTOR_OFFSET, true) !== DESCRIPTOR_MAGIC ||
    loadAddress % MMU_PAGE !== DESCRIPTOR_OFFSET
  )
    refuse("the image has no application descriptor");
  return {
    chipId: view.getUint16(12, true),
    secureVersion: view.getUint32(36, true),
    version: field(head, 48, 32),
    projectName: field(head, 80, 32),
    buildId: toHex(head.subarray(176, 180)),
  };
}

/**
 * Follows the segments to the end of the image.
 * @param read gives `length` bytes at `offset` of the file; what it returned before may change
 * @throws OtaError "bad-image" when image and file do not end together
 */
export function checkStructure(read: (offset: number, length: number) => Uint8Array, fileSize: number): void {
  const count = read(0, HEADER_LENGTH)[1];
  let end = HEADER_LENGTH;
  for (let i = 0; i < count; i++) {
    if (end + SEGMENT_HEADER_LENGTH > fileSize) refuse("the image is cut off in a segment header");
    const header = read(end, SEGMENT_HEADER_LENGTH);
    const length = header[4] | (header[5] << 8) | (header[6] << 16) | (header[7] << 24);
    if (length < 0 || length % 4 || length >= MAX_SEGMENT)
      refuse(`segment ${i} has an impossible length, ${length >>> 0}`);
    end += SEGMENT_HEADER_LENGTH + length;
  }
  // Padded so that the check sum is the last byte of a unit of 16, then the hash.
  end = (end | 15) + 1 + HASH_LENGTH;
  if (end === fileSize) return;
  const signed = Math.ceil(end / SIGNATURE_SECTOR) * SIGNATURE_SECTOR;
  // Signed images are padded before the signature, by up to a page.
  if (
    fileSize % SIGNATURE_SECTOR === 0 &&
    fileSize > signed &&
    fileSize - signed <= MMU_PAGE + SIGNATURE_SECTOR
  )
    return;
  refuse(`the image ends after ${end} bytes, the file has ${fileSize}`);
}
