/**
 * Makes payloads: deltas against a base, and images compressed by themselves. The result is decoded by the device's own
 * decoder and compared before it is given away. Deterministic: the same input makes the same bytes.
 * @module
 */
import { equalBytes } from "../../src/bytes.js";
import { beginSegment } from "../../src/payload/decoder.js";
import { PayloadHeader, START_LENGTH } from "../../src/payload/header.js";
import { jsDecoder } from "../../src/payload/js-decoder.js";
import { align, type Stretch } from "./alignment.js";
import { assemble, type Part, type Plan, type Sha256, segmentsOf } from "./assemble.js";
import { Matches } from "./matches.js";
import { movement } from "./movement.js";
import { Parser } from "./parse.js";
import { Prediction } from "./prediction.js";

/** Largest segments, which cost least: 64 KB. */
const SEGMENT_LOG2 = 16;
const SECTOR = 4096;
const MAX_STEPS = 256;

/** Architectures by `chip_id` of ESP-IDF's `esp_image_format.h`: ESP32, S2, S3 are Xtensa, the others RISC-V. */
const XTENSA_CHIPS = [0, 2, 9];

export interface EncodeOptions {
  readonly sha256: Sha256;
  /** Binary logarithm of the bytes in a segment, 12 to 16. Default 16. */
  readonly segmentLog2?: number;
  /** Told which part of the work is done, 0 to 1. */
  readonly progress?: (part: number) => void;
}

/** @throws Error when the payload cannot be decoded */
export function decodePayload(payload: Uint8Array, base?: Uint8Array): Uint8Array {
  const header = new PayloadHeader(payload.subarray(0, START_LENGTH), payload.length);
  const image = new Uint8Array(header.imageLength);
  const read = (from: Uint8Array) => (into: Uint8Array, offset: number) =>
    into.set(from.subarray(offset, offset + into.length));
  const decoder = jsDecoder(header, {
    payload: read(payload),
    base: read(base ?? new Uint8Array()),
    output: read(image),
  });
  const length = 1 << header.segmentLog2;
  for (let at = 0; at < image.length; at += SECTOR) {
    if (at % length === 0) beginSegment(decoder, header, at);
    decoder.decode(image.subarray(at, at + SECTOR));
  }
  return image;
}

/** Most of the time goes by in aligning and parsing. */
const ALIGN_PART = 0.35;

function encode(image: Uint8Array, base: Uint8Array | undefined, options: EncodeOptions): Uint8Array {
  if (image.length === 0) throw new RangeError("the image is empty");
  if (base && base.length === 0) throw new RangeError("the base is empty");
  const { sha256, segmentLog2: log2 = SEGMENT_LOG2, progress = () => {} } = options;
  let stretches: readonly Stretch[] = [];
  if (base) stretches = align(base, image, (part) => progress(part * ALIGN_PART));
  const own = base && segmentsOf(base) ? segmentsOf(image) : undefined;
  const predictor = own ? (XTENSA_CHIPS.includes(image[12] | (image[13] << 8)) ? 1 : 2) : 0;
  const plan: Plan = {
    image,
    base,
    predictor,
    log2,
    segments: own ?? [],
    steps: base && predictor ? movement(stretches, base.length, MAX_STEPS) : [],
    sha256,
  };
  const count = Math.ceil(image.length / (1 << log2));
  const none: Part[] = Array.from({ length: count }, () => ({ data: new Uint8Array(), raw: false }));
  const draft = assemble(plan, none);
  const header = new PayloadHeader(draft, draft.length);
  const prediction = base && new Prediction(header, base);
  const matches = new Matches(image);
  const parser = new Parser({ image, baseLength: base?.length ?? 0, prediction, stretches, matches });
  const begin = base ? ALIGN_PART : 0;
  const parts = none.map((_, k) => {
    const start = k << log2;
    const end = Math.min(start + (1 << log2), image.length);
    const data = parser.segment(start, end);
    progress(begin + ((k + 1) / count) * (1 - begin));
    const raw = data.length >= end - start;
    return raw ? { data: image.subarray(start, end), raw } : { data, raw };
  });
  const payload = assemble(plan, parts);
  if (!equalBytes(decodePayload(payload, base), image))
    throw new Error("the payload does not decode to the image");
  return payload;
}

/** What makes `image` of `base`. @throws RangeError for an empty file */
export function makeDelta(base: Uint8Array, image: Uint8Array, options: EncodeOptions): Uint8Array {
  return encode(image, base, options);
}

/** `image` compressed. @throws RangeError for an empty file */
export function packImage(image: Uint8Array, options: EncodeOptions): Uint8Array {
  return encode(image, undefined, options);
}
