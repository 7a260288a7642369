/**
 * The signature sector of Secure Boot v2 behind an application image, as ESP-IDF lays it out (bootloader_support:
 * `secure_boot_signatures_app.c`, `esp_secure_boot.h`; ESP-IDF v6.0). Layout and digests; whether a signature was made with
 * a key whose digest is in the eFuses is not known here.
 * @module
 */
import type { Hash } from "../../src/ports.js";
import { HASH_SIZE, hex, ImageError, type ImageLayout, type ImageSource } from "./esp-image-layout.js";

const SECTOR = 4096;
const BLOCK = 1216;
const MAX_BLOCKS = 3;
const MAGIC = 0xe7;
const VERSION_RSA = 2;
const DIGEST_OFFSET = 4;
const CRC_OFFSET = 1196;
const CHUNK = 4096;

/** Offset of the signature sector: the next boundary of 4 KB behind the image. */
function sectorOf(length: number): number {
  return Math.ceil(length / SECTOR) * SECTOR;
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** An image with padding and a sector with one signature block, whose key and signature are made up. */
export function withSignatureSector(image: Uint8Array, sha256: () => Hash): Uint8Array {
  const at = sectorOf(image.length);
  const bytes = new Uint8Array(at + SECTOR).fill(0xff);
  bytes.set(image);
  const hash = sha256();
  hash.update(bytes.subarray(0, at));
  const block = bytes.subarray(at, at + BLOCK).fill(0x5c);
  block.set([MAGIC, VERSION_RSA, 0, 0]);
  block.set(hash.digest(), DIGEST_OFFSET);
  new DataView(block.buffer, at).setUint32(CRC_OFFSET, crc32(block.subarray(0, CRC_OFFSET)), true);
  block.fill(0, CRC_OFFSET + 4);
  return bytes;
}

/** @throws ImageError when no signature block is whole and fits the image */
export function checkSignatureSector(source: ImageSource, layout: ImageLayout, sha256: () => Hash): void {
  const at = sectorOf(layout.length);
  if (at + SECTOR > source.size) throw new ImageError("there is no room for the signature sector");
  const hash = sha256();
  const chunk = new Uint8Array(CHUNK);
  for (let offset = 0; offset < at; offset += CHUNK) {
    source.read(chunk, offset);
    hash.update(chunk);
  }
  const digest = hex(hash.digest());
  const block = new Uint8Array(BLOCK);
  for (let n = 0; n < MAX_BLOCKS; n++) {
    source.read(block, at + n * BLOCK);
    const crc = new DataView(block.buffer).getUint32(CRC_OFFSET, true);
    if (block[0] !== MAGIC || crc !== crc32(block.subarray(0, CRC_OFFSET))) continue;
    if (hex(block.subarray(DIGEST_OFFSET, DIGEST_OFFSET + HASH_SIZE)) === digest) return;
  }
  throw new ImageError("the image has no signature block of Secure Boot v2 that fits it");
}
