/**
 * The start of a payload: header, head of the image, tables. Layout in docs/SPEC.md, "Payloads".
 * @module
 */
import { encodeUtf8, equalBytes } from "../bytes.js";
import { OtaError } from "../errors.js";

/** A NUL follows. Changes with the layout. */
const MAGIC = "XSOTAP1";
/** Bytes of the header; the head of the image follows. */
export const HEADER_LENGTH = 128;
/** Header, head and tables have room in this many bytes: a payload is judged by them, and they stay in one sector. */
export const START_LENGTH = 4096;
/** Largest image and base: 128 MB, so that offsets and shifts stay small integers. */
const MAX_LENGTH = 0x8000000;
/** Most steps of the map, which is in RAM. */
const MAX_STEPS = 256;
/** Most segments of an application image (ESP-IDF, `esp_app_format.h`). */
export const MAX_SEGMENTS = 16;
/** Binary logarithms of the shortest segment, a sector of flash, and of the longest. */
const MIN_LOG2 = 12;
const MAX_LOG2 = 16;
/** Predictors: none, Xtensa, RISC-V. */
const MAX_PREDICTOR = 2;
/** In the length of a segment: its bytes are stored as they are. */
const RAW = 0x800000;

export function badPayload(why: string): never {
  throw new OtaError("bad-payload", why);
}

export class PayloadHeader {
  readonly isDelta: boolean;
  /** 0 none, 1 Xtensa, 2 RISC-V. */
  readonly predictor: number;
  /** Binary logarithm of the bytes of the image in a segment. */
  readonly segmentLog2: number;
  /** Bytes of the image, and of the base. */
  readonly imageLength: number;
  readonly baseLength: number;
  /** Segments of the image, as rows of file offset, address, length; empty without predictor. */
  readonly imageSegments: Int32Array;
  /** The map: rows of offset in the base and shift from there on. */
  readonly steps: Int32Array;
  /** For each segment the offset in the payload of its data; where the last one ends follows. */
  readonly offsets: Int32Array;
  /** SHA-256 of the image, of the base, of everything behind the header. */
  readonly imageDigest: Uint8Array;
  readonly baseDigest: Uint8Array;
  readonly bodyDigest: Uint8Array;
  /** The first bytes of the image, 288 for an ESP32 application. */
  readonly head: Uint8Array;
  /** For each segment, whether its data is stored as it is. */
  readonly raw: Uint8Array;

  /**
   * @param start at least the first 4096 bytes of the payload, or all of it
   * @param length bytes of the payload
   * @throws OtaError "bad-payload"
   */
  constructor(start: Uint8Array, length: number) {
    const bytes = start.subarray(0, START_LENGTH);
    const magic = encodeUtf8(MAGIC);
    if (
      bytes.length < HEADER_LENGTH ||
      !equalBytes(bytes.subarray(0, magic.length), magic) ||
      bytes[magic.length] !== 0
    )
      badPayload("the file is no payload of this format");
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const kind = bytes[8];
    const predictor = bytes[9];
    const log2 = bytes[10];
    const imageLength = view.getUint32(12, true);
    const baseLength = view.getUint32(16, true);
    const steps = view.getUint32(20, true);
    const segments = view.getUint16(24, true);
    const headLength = view.getUint16(26, true);
    const tables = view.getUint32(28, true);
    const end = HEADER_LENGTH + headLength + tables;
    if (
      kind > 1 ||
      predictor > MAX_PREDICTOR ||
      log2 < MIN_LOG2 ||
      log2 > MAX_LOG2 ||
      bytes[11] !== 0 ||
      imageLength < 1 ||
      imageLength > MAX_LENGTH ||
      baseLength > MAX_LENGTH ||
      baseLength > 0 !== kind > 0 ||
      (predictor > 0 && !kind) ||
      segments > 0 !== predictor > 0 ||
      segments > MAX_SEGMENTS ||
      steps > MAX_STEPS ||
      (steps > 0 && !predictor) ||
      headLength > imageLength ||
      end > bytes.length
    )
      badPayload("the payload's header cannot be used");
    this.isDelta = kind > 0;
    this.predictor = predictor;
    this.segmentLog2 = log2;
    this.imageLength = imageLength;
    this.baseLength = baseLength;
    let at = HEADER_LENGTH + headLength;
    // Copies, because `start` is somebody's buffer.
    this.imageDigest = bytes.slice(32, 64);
    this.baseDigest = bytes.slice(64, 96);
    this.bodyDigest = bytes.slice(96, HEADER_LENGTH);
    this.head = bytes.slice(HEADER_LENGTH, at);
    const rows = new Int32Array(3 * segments);
    for (let n = 0; n < rows.length; n += 3, at += 12) {
      if (at + 12 > end) badPayload("the payload's tables end early");
      for (let word = 0; word < 3; word++) rows[n + word] = view.getInt32(at + 4 * word, true);
      const [offset, , size] = rows.subarray(n);
      if (offset < 0 || size < 0 || size > imageLength - offset) badPayload("a segment outside of the image");
    }
    this.imageSegments = rows;
    const varint = (): number => {
      let value = 0;
      for (let shift = 0; at < end && shift < 35; shift += 7) {
        const byte = bytes[at++];
        value += (byte & 127) * 2 ** shift;
        if (byte < 128 && value <= 0xffffffff) return value;
      }
      return badPayload("a number in the payload's tables is no number");
    };
    const map = new Int32Array(2 * steps);
    let offset = 0;
    let shift = 0;
    for (let n = 0; n < map.length; n += 2) {
      const delta = varint();
      const zigzag = varint();
      offset += delta;
      shift += zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2;
      if ((n > 0 && delta < 1) || offset > baseLength || shift > MAX_LENGTH || shift < -MAX_LENGTH)
        badPayload("the steps of the payload's map do not rise");
      map[n] = offset;
      map[n + 1] = shift;
    }
    this.steps = map;
    const count = Math.ceil(imageLength / (1 << log2));
    if (at + 3 * count !== end) badPayload("the payload's tables have another length");
    const offsets = new Int32Array(count + 1);
    const raw = new Uint8Array(count);
    let data = end;
    for (let k = 0; k < count; k++, at += 3) {
      offsets[k] = data;
      const bits = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
      const size = bits & ~RAW;
      raw[k] = bits >> 23;
      const whole = Math.min(1 << log2, imageLength - (k << log2));
      if (raw[k] ? size !== whole : size >= whole) badPayload("a segment's data has another length");
      data += size;
    }
    offsets[count] = data;
    if (data !== length) badPayload(`the payload's segments end at ${data}, the file at ${length}`);
    this.offsets = offsets;
    this.raw = raw;
  }
}
