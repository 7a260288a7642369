/**
 * The native decoder of payloads beside the one in JavaScript: compiled with the sanitizers, fed with the same payloads.
 * @module
 */
import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { OtaError } from "../../src/errors.js";
import { beginSegment } from "../../src/payload/decoder.js";
import { PayloadHeader, START_LENGTH } from "../../src/payload/header.js";
import { jsDecoder } from "../../src/payload/js-decoder.js";
import { makeDelta, packImage } from "../../tools/payload/encoder.js";
import * as Vectors from "../data/payload-vectors.js";
import { appImage } from "./payload-rig.js";
import { decodeAll, reader } from "./payloads.js";
import { sha256 } from "./sha256.js";
import { seeded } from "./virtual-clock.js";

export const SOURCE = fileURLToPath(new URL("../native/payload-stream.c", import.meta.url));
const SECTOR = 4096;
const MOST = 1 << 21;
const OUTCOME = 12;
const BATCH = 500;
/** The decoder allocates nothing: that memory stays unused for long after it is freed shows nothing, and costs two thirds. */
const ASAN_OPTIONS = "quarantine_size_mb=1:thread_local_quarantine_size_kb=64:detect_leaks=0";
/** Bytes of the largest image that is spoiled. */
const LARGEST = 3 * SECTOR;
/** `PAYLOAD_BAD` and `PAYLOAD_UNREADABLE` of hosts/esp32/payload-core.h. */
const BAD = -1;
const UNREADABLE = -2;

export interface Case {
  /** Number of its base. */
  readonly base: number;
  readonly payload: Uint8Array;
  readonly header: PayloadHeader;
}

/** A case before its header is known to be good. */
export type Seed = Omit<Case, "header">;

/** Error code, bytes made, and their sum, as text. */
export type Outcome = string;

/** The header of a payload; undefined when it is refused, which native code leaves to `PayloadHeader`. */
export function headerOf(payload: Uint8Array): PayloadHeader | undefined {
  try {
    const header = new PayloadHeader(payload.subarray(0, START_LENGTH), payload.length);
    return header.imageLength > MOST ? undefined : header;
  } catch (error) {
    if (error instanceof OtaError && error.code === "bad-payload") return undefined;
    throw error;
  }
}

/** What the decoder in JavaScript makes of a payload. @throws what is no refusal */
export function decodeInJs(
  header: PayloadHeader,
  payload: Uint8Array,
  base: Uint8Array,
  image: Uint8Array,
): Outcome {
  let made = 0;
  let error = 0;
  try {
    const source = { payload: reader(payload), base: reader(base), output: reader(image) };
    const decoder = jsDecoder(header, source);
    const sector = new Uint8Array(SECTOR);
    while (made < header.imageLength) {
      if (made % (1 << header.segmentLog2) === 0) beginSegment(decoder, header, made);
      const part = sector.subarray(0, Math.min(SECTOR, header.imageLength - made));
      decoder.decode(part);
      image.set(part, made);
      made += part.length;
    }
  } catch (cause) {
    if (cause instanceof OtaError && cause.code === "bad-payload") error = BAD;
    else if ((cause as Error).message.startsWith("read of")) error = UNREADABLE;
    else throw cause;
  }
  return outcomeOf(error, made, image);
}

/** As the native program reads it. */
export function encodeCase({ base, payload, header }: Case): Uint8Array[] {
  const { imageLength, baseLength, predictor, segmentLog2, imageSegments, steps, offsets, raw } = header;
  const data = [...raw].flatMap((kind, k) => [offsets[k], offsets[k + 1], kind]);
  const words = Int32Array.of(
    ...[base, payload.length, imageLength, baseLength, predictor, segmentLog2],
    ...[imageSegments.length / 3, steps.length / 2, raw.length],
    ...imageSegments,
    ...steps,
    ...data,
  );
  return [new Uint8Array(words.buffer), payload];
}

export function outcomeOf(error: number, made: number, image: Uint8Array): Outcome {
  let sum = 2166136261;
  for (let n = 0; n < made; n++) sum = Math.imul(sum ^ image[n], 16777619);
  return `${error} ${made} ${sum >>> 0}`;
}

export function compileNative(): string {
  const directory = mkdtempSync(join(tmpdir(), "payload-"));
  const program = join(directory, "payload-stream");
  const flags = ["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"];
  execFileSync("gcc", [...flags, "-fno-sanitize-recover=all", "-o", program, SOURCE], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  return program;
}

/** The native decoder as a process. */
export class NativeDecoder {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  #output = Buffer.alloc(0);
  #errors = "";
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(program: string, bases: readonly Uint8Array[]) {
    const directory = mkdtempSync(join(tmpdir(), "payload-bases-"));
    const paths = bases.map((bytes, n) => {
      const path = join(directory, `base-${n}`);
      writeFileSync(path, bytes);
      return path;
    });
    const env = { ...process.env, ASAN_OPTIONS };
    this.#process = spawn(program, paths, { stdio: ["pipe", "pipe", "pipe"], env });
    this.#process.stdout.on("data", (chunk: Buffer) => {
      this.#output = Buffer.concat([this.#output, chunk]);
      this.#wake?.();
    });
    this.#process.stderr.on("data", (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    this.#process.stdin.on("error", () => {});
    this.#process.on("close", () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  /** @throws Error with what the sanitizers say */
  async decode(cases: readonly Case[]): Promise<Outcome[]> {
    this.#process.stdin.write(Buffer.concat(cases.flatMap(encodeCase)));
    // Output is buffered: a last case that cannot be one would end the process, so whole batches are waited for.
    const wanted = OUTCOME * cases.length;
    while (this.#output.length < wanted) {
      if (this.#ended) throw new Error(`the native decoder ended\n${this.#errors}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const rows = this.#output.subarray(0, wanted);
    this.#output = this.#output.subarray(wanted);
    return cases.map((_, n) => {
      const at = OUTCOME * n;
      return `${rows.readInt32LE(at)} ${rows.readUInt32LE(at + 4)} ${rows.readUInt32LE(at + 8)}`;
    });
  }

  close(): void {
    this.#process.stdin.end();
  }
}

/** Bases, and payloads of them to begin with: every kind, predictor and way to store a segment. */
export function seedCases(): { bases: Uint8Array[]; cases: Seed[] } {
  const c3 = decodeAll(Vectors.C3_V1).image;
  const esp32 = decodeAll(Vectors.ESP32X_V1).image;
  const bases = [new Uint8Array(), Vectors.TINY_DELTA_OLD, c3, esp32];
  const cases: Seed[] = [
    { base: 0, payload: Vectors.TINY_FULL },
    { base: 0, payload: Vectors.TINY_STORED },
    { base: 1, payload: Vectors.TINY_DELTA },
    { base: 2, payload: Vectors.C3_DELTA },
    { base: 2, payload: Vectors.C3_DELTA_4K },
    { base: 0, payload: Vectors.C3_FULL },
    { base: 3, payload: Vectors.ESP32X_DELTA },
    { base: 3, payload: Vectors.ESP32X_DELTA_4K },
  ];
  for (const chip of ["esp32c3", "esp32", "esp32s3"]) {
    const old = appImage("1.0.0", { chip, size: 3000 });
    const moved = new Uint8Array([...old.subarray(0, 1200), 1, 2, 3, 4, ...old.subarray(1200)]);
    const fresh = appImage("1.1.0", { chip, size: 5000 });
    bases.push(old);
    for (const image of [moved, fresh])
      cases.push({
        base: bases.length - 1,
        payload: makeDelta(old, image, { sha256, segmentLog2: 12 }),
      });
    cases.push({ base: 0, payload: packImage(moved, { sha256, segmentLog2: 12 }) });
  }
  return { bases, cases };
}

const EXTREMES = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff];

/** An endless supply of spoiled payloads, the same for the same seed. */
export function mutator(cases: readonly Seed[], seed: number): () => Seed {
  const random = seeded(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  return () => {
    const { base, payload } = cases[below(cases.length)];
    const copy = payload.slice();
    const tables = 128 + copy[26] + 256 * copy[27];
    for (let n = 1 + below(3); n > 0; n--) {
      // Header, tables, and most of all the coded bits behind them.
      const kind = random();
      const from =
        kind < 0.1 ? 8 : kind < 0.25 ? tables : Math.min(copy.length - 1, tables + copy[28] + 256 * copy[29]);
      const to = kind < 0.1 ? 32 : copy.length;
      const at = Math.min(copy.length - 1, from + below(Math.max(1, to - from)));
      switch (below(4)) {
        case 0:
          copy[at] ^= 1 << below(8);
          break;
        case 1:
          copy[at] = EXTREMES[below(EXTREMES.length)];
          break;
        case 2:
          copy[at] = below(256);
          break;
        default:
          copy.copyWithin(at, tables + below(copy.length - tables), copy.length);
      }
    }
    return { base, payload: copy };
  };
}

/**
 * Compares both decoders over `count` spoiled payloads.
 * @param progress told how many are done
 * @returns how many had a usable header, and how many of these decoded to their end
 * @throws Error naming the first case about which they differ
 */
export async function compare(
  program: string,
  count: number,
  seed: number,
  progress: (done: number) => void = () => {},
): Promise<{ usable: number; decoded: number }> {
  const { bases, cases } = seedCases();
  const native = new NativeDecoder(program, bases);
  const image = new Uint8Array(MOST);
  // Images of many sectors take most of the time and show nothing that small ones do not.
  const small = cases.filter(({ payload }) => (headerOf(payload)?.imageLength ?? MOST) <= LARGEST);
  const next = mutator(small, seed);
  let usable = 0;
  let decoded = 0;
  try {
    for (let done = 0; done < count; done += BATCH) {
      const batch: Case[] = [];
      for (let n = 0; n < BATCH; n++) {
        const spoiled = next();
        const header = headerOf(spoiled.payload);
        if (header) batch.push({ ...spoiled, header });
      }
      const outcomes = native.decode(batch);
      const expected = batch.map(({ base, payload, header }) =>
        decodeInJs(header, payload, bases[base], image),
      );
      (await outcomes).forEach((outcome, n) => {
        usable++;
        if (outcome.startsWith("0 ")) decoded++;
        if (outcome === expected[n]) return;
        const text = Buffer.from(batch[n].payload).toString("base64");
        throw new Error(`base ${batch[n].base}: native ${outcome}, JavaScript ${expected[n]}: ${text}`);
      });
      progress(done + BATCH);
    }
  } finally {
    native.close();
  }
  return { usable, decoded };
}
