/**
 * ESP32 application images (`esp_app_format.h`, `esp_app_desc.h` of ESP-IDF): what the first bytes say, and
 * whether the structure ends where the file does. The check sum and the appended hash are left to ESP-IDF, which
 * checks both before it boots; the agent's own proof is the signature over the whole file.
 * @module
 */
import { decodeUtf8, toHex } from "./bytes.js";
import { OtaError, type OtaPhase } from "./errors.js";
import type { AppDescription } from "./ports.js";

const HEADER = 24;
const SEGMENT_HEADER = 8;
const DESCRIPTOR = HEADER + SEGMENT_HEADER;
const DESCRIPTOR_LENGTH = 256;
/** How many first bytes `parseHead` looks at: header, header of the first segment, application descriptor. */
export const HEAD_LENGTH = DESCRIPTOR + DESCRIPTOR_LENGTH;

const MAGIC = 0xe9;
const DESCRIPTOR_MAGIC = 0xabcd5432;
const SIGNATURE_MAGIC = 0xe7;
const MAX_SEGMENTS = 16;
/** The boot loader maps one segment of data and one of instructions. */
const MAX_MAPPED = 2;
const MAX_SEGMENT_LENGTH = 0x1000000;
const HASH = 32;
/** One segment that holds the descriptor alone, check sum, hash. */
const MIN_LENGTH = HEAD_LENGTH + 16 + HASH;
const SECTOR = 4096;
/** Binary logarithm of an MMU page, unless the descriptor says otherwise. */
const PAGE_LOG2 = 16;

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** Text that ends at a NUL, or fills its 32 bytes. */
function textAt(bytes: Uint8Array, at: number): string {
  const nul = bytes.indexOf(0, at);
  const end = nul < 0 || nul > at + 32 ? at + 32 : nul;
  return decodeUtf8(bytes, at, end, "bad-image");
}

/**
 * Whether a segment is mapped from flash: data and instruction buses of `soc/ext_mem_defs.h`, by `chip_id`.
 * Undefined for a chip this agent does not know.
 */
function isMapped(chipId: number, address: number): boolean | undefined {
  const within = (start: number, end: number) => address >= start && address < end;
  switch (chipId) {
    case 0x00: // ESP32
      return within(0x3f400000, 0x3f800000) || within(0x400d0000, 0x40400000);
    case 0x02: // S2
      return within(0x3f000000, 0x3ff80000) || within(0x40080000, 0x40800000);
    case 0x05: // C3
    case 0x0c: // C2, with half of the space
      return within(0x3c000000, 0x3c800000) || within(0x42000000, 0x42800000);
    case 0x09: // S3
      return within(0x3c000000, 0x3e000000) || within(0x42000000, 0x44000000);
    case 0x12: // P4
      return within(0x40000000, 0x44000000);
    case 0x0d: // C6
    case 0x10: // H2
    case 0x14: // C61
    case 0x17: // C5
    case 0x19: // H21
    case 0x1c: // H4
      return within(0x42000000, 0x44000000);
  }
  return undefined;
}

/** What the first bytes say of the way through the image. */
class Layout {
  readonly chipId: number;
  readonly segments: number;
  /** Size of an MMU page in bytes. */
  readonly page: number;

  constructor(
    head: Uint8Array,
    readonly fileSize: number,
    readonly phase: OtaPhase,
  ) {
    if (head.length < HEAD_LENGTH || fileSize < MIN_LENGTH)
      this.fail(`no image is as short as ${fileSize} bytes`);
    if (head[0] !== MAGIC) this.fail("the file is no ESP32 application image");
    this.segments = head[1];
    if (this.segments < 1 || this.segments > MAX_SEGMENTS)
      this.fail(`the image has ${this.segments} segments`);
    if (head[23] !== 1) this.fail("the image has no SHA-256 appended");
    this.chipId = head[12] | (head[13] << 8);
    const log2 = head[DESCRIPTOR + 180] || PAGE_LOG2;
    if (log2 > PAGE_LOG2) this.fail("the application descriptor has an impossible MMU page size");
    this.page = 1 << log2;
  }

  fail(why: string): never {
    throw new OtaError("bad-image", why, this.phase);
  }

  /**
   * Checks the header of a segment.
   * @param header where it is found, at `base`
   * @param at its offset in the file
   * @returns offset of the end of the segment's data in the file
   */
  segment(header: Uint8Array, base: number, at: number): number {
    const address = word(header, base);
    const length = word(header, base + 4);
    const data = at + SEGMENT_HEADER;
    if (length % 4 !== 0 || length >= MAX_SEGMENT_LENGTH)
      this.fail(`the segment at ${at} has an impossible length`);
    // Check sum and hash follow the last segment.
    if (data + length + 1 + HASH > this.fileSize)
      this.fail(`the segment at ${at} leads beyond the end of the file`);
    if (isMapped(this.chipId, address) && address % this.page !== data % this.page)
      this.fail(`the segment at ${at} can not be mapped to 0x${address.toString(16)}`);
    return data + length;
  }
}

/**
 * Reads the start of an image, and refuses what could never boot. Whether it suits this device is not judged here.
 * @param head at least `HEAD_LENGTH` bytes, or the whole file when it is shorter
 * @param fileSize bytes of the whole file
 * @throws OtaError "bad-image"
 */
export function parseHead(head: Uint8Array, fileSize: number): AppDescription {
  const layout = new Layout(head, fileSize, "image");
  const { chipId } = layout;
  if (fileSize % 16 !== 0) layout.fail(`no image has ${fileSize} bytes, which is no multiple of 16`);
  if (word(head, DESCRIPTOR) !== DESCRIPTOR_MAGIC) layout.fail("the image has no application descriptor");
  if (layout.segment(head, HEADER, HEADER) < HEAD_LENGTH) layout.fail("the application descriptor is cut");
  if (isMapped(chipId, word(head, HEADER)) === false) layout.fail("the first segment is not in flash");
  return {
    chipId,
    secureVersion: word(head, DESCRIPTOR + 4),
    version: textAt(head, DESCRIPTOR + 16),
    projectName: textAt(head, DESCRIPTOR + 48),
    buildId: toHex(head.subarray(DESCRIPTOR + 144, DESCRIPTOR + 148)),
  };
}

/**
 * Follows the segments of a whole image: the structure has to end where the file does, or be followed by the
 * signature sector of Secure Boot v2 at the next 4 KB boundary.
 * @param read gives `length` bytes at `offset`; they are looked at before the next call
 * @throws OtaError "bad-image"
 */
export function checkStructure(read: (offset: number, length: number) => Uint8Array, fileSize: number): void {
  const layout = new Layout(read(0, Math.min(HEAD_LENGTH, fileSize)), fileSize, "verify");
  let mapped = 0;
  let at = HEADER;
  for (let n = 0; n < layout.segments; n++) {
    const header = read(at, SEGMENT_HEADER);
    if (isMapped(layout.chipId, word(header, 0))) mapped++;
    at = layout.segment(header, 0, at);
  }
  if (mapped > MAX_MAPPED) layout.fail(`the image has ${mapped} segments mapped from flash`);
  // The check sum is the last byte of a line of 16.
  const length = (at | 15) + 1 + HASH;
  if (length === fileSize) return;
  const sector = Math.ceil(length / SECTOR) * SECTOR;
  if (fileSize !== sector + SECTOR || read(sector, 1)[0] !== SIGNATURE_MAGIC)
    layout.fail(`the image ends at ${length}, the file at ${fileSize}`);
}
