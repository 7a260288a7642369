/**
 * Puts a payload together: header, head of the image, tables, data. Layout in docs/SPEC.md, "Payloads".
 * @module
 */
import { encodeUtf8 } from "../../src/bytes.js";
import { HEADER_LENGTH } from "../../src/payload/header.js";
import type { Step } from "./movement.js";

/** Bytes of the image's start in a payload, for the agent to judge: as many as `parseHead` reads. */
const HEAD_LENGTH = 288;
/** In the length of a segment: its bytes are stored as they are. */
const RAW = 0x800000;

export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** One of an application image. */
export interface Segment {
  readonly offset: number;
  readonly address: number;
  readonly length: number;
}

/** The segments of an application image; undefined for a file that is none. */
export function segmentsOf(image: Uint8Array): Segment[] | undefined {
  if (image.length < HEAD_LENGTH || image[0] !== 0xe9 || image[1] < 1 || image[1] > 16) return undefined;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const segments: Segment[] = [];
  let at = 24;
  for (let n = 0; n < image[1]; n++) {
    if (at + 8 > image.length) return undefined;
    const length = view.getUint32(at + 4, true);
    segments.push({ offset: at + 8, address: view.getUint32(at, true), length });
    at += 8 + length;
    if (at > image.length) return undefined;
  }
  return segments;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

export interface Plan {
  readonly image: Uint8Array;
  readonly base: Uint8Array | undefined;
  readonly predictor: number;
  readonly log2: number;
  readonly segments: readonly Segment[];
  readonly steps: readonly Step[];
  readonly sha256: Sha256;
}

/** What a segment of the image became; `raw`: stored as it is. */
export interface Part {
  readonly data: Uint8Array;
  readonly raw: boolean;
}

/** Header, head and tables, and behind them the segments' data. */
export function assemble(plan: Plan, parts: readonly Part[]): Uint8Array {
  const { image, base, predictor, log2, segments, steps, sha256 } = plan;
  const headLength = segmentsOf(image) ? HEAD_LENGTH : 0;
  const tables: number[] = [];
  for (const { offset, address, length } of segments)
    for (const word of [offset, address, length])
      tables.push(word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24);
  let from = 0;
  let shift = 0;
  for (const step of steps) {
    const by = step.shift - shift;
    tables.push(...varint(step.from - from), ...varint(by < 0 ? -2 * by - 1 : 2 * by));
    from = step.from;
    shift = step.shift;
  }
  for (const { data, raw } of parts) {
    const bits = data.length | (raw ? RAW : 0);
    tables.push(bits & 255, (bits >>> 8) & 255, bits >>> 16);
  }
  const start = HEADER_LENGTH + headLength + tables.length;
  const payload = new Uint8Array(parts.reduce((sum, { data }) => sum + data.length, start));
  const view = new DataView(payload.buffer);
  payload.set(encodeUtf8("XSOTAP1\0"));
  payload[8] = base ? 1 : 0;
  payload[9] = predictor;
  payload[10] = log2;
  view.setUint32(12, image.length, true);
  view.setUint32(16, base?.length ?? 0, true);
  view.setUint32(20, steps.length, true);
  view.setUint16(24, segments.length, true);
  view.setUint16(26, headLength, true);
  view.setUint32(28, tables.length, true);
  payload.set(sha256(image), 32);
  if (base) payload.set(sha256(base), 64);
  payload.set(image.subarray(0, headLength), HEADER_LENGTH);
  payload.set(tables, HEADER_LENGTH + headLength);
  let at = start;
  for (const { data } of parts) {
    payload.set(data, at);
    at += data.length;
  }
  payload.set(sha256(payload.subarray(HEADER_LENGTH)), 96);
  return payload;
}
