/**
 * ESP32 application images (`esp_app_format.h`, `esp_app_desc.h` of ESP-IDF): what the first bytes say, and
 * whether the structure ends where the file does. The checksum and the appended hash are left to ESP-IDF, which
 * checks both before it boots; the agent's own proof is the signature over the whole file.
 * @module
 */
import { decodeUtf8, toHex } from "../bytes.js";
import { findRow, hex32, OtaError } from "../errors.js";
import type { AppDescription } from "../ports.js";

const HEADER = 24;
const SEGMENT_HEADER = 8;
const DESCRIPTOR = HEADER + SEGMENT_HEADER;
const DESCRIPTOR_LENGTH = 256;
/** How many first bytes `parseHead` looks at: header, header of the first segment, application descriptor. */
export const HEAD_LENGTH = DESCRIPTOR + DESCRIPTOR_LENGTH;

const MAGIC = 0xe9;
const DESCRIPTOR_MAGIC = 0xabcd5432;
const SIGNATURE_MAGIC = 0xe7;
/** Bytes of a Secure Boot v1 signature block: a word and the two halves of an ECDSA signature (`esp_secure_boot.h`). */
const SIGNATURE_V1 = 68;
/** Where the header has the least and the greatest chip revision, major × 100 + minor (`esp_image_header_t`). */
const MIN_REVISION = 15;
const MAX_REVISION = 17;
const MAX_SEGMENTS = 16;
/** The boot loader maps one segment of data and one of instructions. */
const MAX_MAPPED = 2;
const HASH = 32;
const SECTOR = 4096;
/** Binary logarithm of an MMU page, unless the descriptor says otherwise. */
const PAGE_LOG2 = 16;

/**
 * Where chips map flash to, data and instruction buses of `soc/ext_mem_defs.h`: `chip_id`, then first digits of the
 * address a range begins with and of the one behind its end. ESP32, S2, C3, S3, C2 (with half of the space), C6, H2,
 * P4, C61, C5, H21, H4.
 */
const MAPPED = `
0 0x3f4 0x3f8 0x400d 0x404
2 0x3f0 0x3ff8 0x4008 0x408
5 0x3c0 0x3c8 0x420 0x428
9 0x3c 0x3e 0x42 0x44
12 0x3c0 0x3c8 0x420 0x428
13 0x42 0x44
16 0x42 0x44
18 0x40 0x44
20 0x42 0x44
23 0x42 0x44
25 0x42 0x44
28 0x42 0x44
`;

type Read = (offset: number, length: number) => Uint8Array;

function word(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0, true);
}

/** Text that ends at a NUL, or fills its 32 bytes. */
function textAt(bytes: Uint8Array, at: number): string {
  const field = bytes.subarray(at, at + 32);
  const nul = field.indexOf(0);
  return decodeUtf8(field, 0, nul < 0 ? 32 : nul, "bad-image");
}

/** Whether a segment is mapped from flash; undefined for a chip this agent does not know. */
function isMapped(chipId: number, address: number): boolean | undefined {
  const row = findRow(MAPPED, String(chipId));
  if (!row) return undefined;
  // As long as each other, texts are in the order of their numbers.
  const digits = hex32(address);
  for (let n = 1; n < row.length; n += 2) if (digits >= row[n] && digits < row[n + 1]) return true;
  return false;
}

function refuse(why: string, read: Read | undefined): never {
  throw new OtaError("bad-image", why, read ? "verify" : "image");
}

/**
 * Checks the header of an image and the way through its segments.
 * @param read gives what is behind the head; without it the first segment is looked at alone
 * @returns the chip the image is for
 */
function check(head: Uint8Array, fileSize: number, read?: Read): number {
  let segments = head[1];
  const log2 = head[DESCRIPTOR + 180] || PAGE_LOG2;
  // Secure Boot v1 of the first ESP32 puts its version and a signature behind the image.
  if (head[0] === MAGIC && fileSize % 16 === SIGNATURE_V1 % 16)
    refuse("the file ends in a signature of Secure Boot v1, which is not supported", read);
  if (
    head.length < HEAD_LENGTH ||
    fileSize % 16 !== 0 ||
    head[0] !== MAGIC ||
    segments < 1 ||
    segments > MAX_SEGMENTS ||
    word(head, DESCRIPTOR) !== DESCRIPTOR_MAGIC ||
    log2 > PAGE_LOG2
  )
    refuse("the file is no ESP32 application image", read);
  if (head[23] !== 1) refuse("the image has no SHA-256 appended", read);
  const chipId = word(head, 12) & 0xffff;
  let mapped = 0;
  let at = HEADER;
  while (segments-- > 0) {
    const header = read ? read(at, SEGMENT_HEADER) : head.subarray(at);
    const address = word(header, 0);
    const length = word(header, 4);
    const inFlash = isMapped(chipId, address);
    const data = at + SEGMENT_HEADER;
    const end = data + length;
    if (
      length % 4 !== 0 ||
      // Checksum and hash follow the last segment, so no file can be too short for the rest.
      end + 1 + HASH > fileSize ||
      (at === HEADER && (end < HEAD_LENGTH || inFlash === false)) ||
      (inFlash && (++mapped > MAX_MAPPED || (address - data) % (1 << log2) !== 0))
    )
      refuse(`the segment at ${at} cannot be loaded`, read);
    at = end;
    if (!read) return chipId;
  }
  // The checksum is the last byte of a line of 16.
  const length = (at | 15) + 1 + HASH;
  const sector = Math.ceil(length / SECTOR) * SECTOR;
  if (length !== fileSize && (fileSize !== sector + SECTOR || read?.(sector, 1)[0] !== SIGNATURE_MAGIC))
    refuse(`the image ends at ${length}, the file at ${fileSize}`, read);
  return chipId;
}

/**
 * Reads the start of an image, and refuses what could never boot. Whether it suits this device is not judged here.
 * @param head at least `HEAD_LENGTH` bytes, or the whole file when it is shorter
 * @param fileSize bytes of the whole file
 * @throws OtaError "bad-image"
 */
export function parseHead(head: Uint8Array, fileSize: number): AppDescription {
  return {
    chipId: check(head, fileSize),
    secureVersion: word(head, DESCRIPTOR + 4),
    version: textAt(head, DESCRIPTOR + 16),
    projectName: textAt(head, DESCRIPTOR + 48),
    buildId: toHex(head.subarray(DESCRIPTOR + 144, DESCRIPTOR + 148)),
  };
}

/**
 * Refuses an image that the boot loader will not start on this chip: the rule of
 * `bootloader_common_check_chip_validity` of ESP-IDF, without the eFuse that lets newer chips pass. A greatest revision of 0
 * or 65535 is none.
 * @param revision of the chip, major × 100 + minor; undefined: not known, nothing is refused
 * @throws OtaError "wrong-chip"
 */
export function checkRevision(head: Uint8Array, revision: number | undefined): void {
  const least = head[MIN_REVISION] | (head[MIN_REVISION + 1] << 8);
  const greatest = head[MAX_REVISION] | (head[MAX_REVISION + 1] << 8) || 0xffff;
  if (revision !== undefined && (revision < least || (greatest < 0xffff && revision > greatest)))
    throw new OtaError(
      "wrong-chip",
      `the image is for chip revisions ${least} to ${greatest}, this chip has ${revision}`,
    );
}

/**
 * Follows the segments of a whole image: the structure has to end where the file does, or be followed by the
 * signature sector of Secure Boot v2 at the next 4 KB boundary.
 * @param read gives `length` bytes at `offset`; they are looked at before the next call
 * @throws OtaError "bad-image"
 */
export function checkStructure(read: Read, fileSize: number): void {
  check(read(0, HEAD_LENGTH), fileSize, read);
}
