/**
 * `npm run bench -- --payload [OLD NEW]…`: how small payloads are, what they cost to apply, how long an update takes.
 * @module
 */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildImage, sealImage } from "../hosts/formats/image-builder.js";
import { PureSha256 } from "../hosts/formats/sha256.js";
import { XsWorker } from "../hosts/xs/worker.js";
import { encodeCase, headerOf, SOURCE } from "../test/support/native-payload.js";
import { makeDelta, packImage } from "../tools/payload/encoder.js";
import { update } from "./payload-update.js";

export interface Pair {
  readonly name: string;
  readonly base: Uint8Array;
  readonly image: Uint8Array;
}

const SIZE = 1_500_000;
const RATES = Object.freeze([12_288, 2_048]);
const HARNESS = fileURLToPath(new URL("xs/decode.ts", import.meta.url));
const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());

/** Where this machine has them: what else makes deltas. The result is `delta`. */
const OTHERS: readonly (readonly [string, readonly string[]])[] = [
  ["zstd -19", ["zstd", "-q", "-f", "-19", "--long=27", "--patch-from=old", "new", "-o", "delta"]],
  ["bsdiff", ["bsdiff", "old", "new", "delta"]],
  ["xdelta3", ["xdelta3", "-q", "-f", "-9", "-S", "lzma", "-e", "-s", "old", "new", "delta"]],
];

/** Made by the package's own builder: the same code under a new version, and with a word in fifty replaced. */
export function ownPairs(): Pair[] {
  return ["esp32", "esp32s2", "esp32s3", "esp32c3"].flatMap((chip) => {
    const options = { chip, projectName: "bench", size: SIZE, seed: 1 };
    const base = buildImage({ ...options, version: "1.0.0" }, () => new PureSha256());
    const image = buildImage({ ...options, version: "1.0.1" }, () => new PureSha256());
    const patched = image.slice();
    const view = new DataView(patched.buffer);
    // Behind the heads, and before the checksum.
    for (let at = 4096, n = 1; at < patched.length - 4096; at += 200, n = (n * 48_271) % 0x7fffffff)
      if (at % 65_536 > 8192) view.setUint32(at, n, true);
    sealImage(patched, () => new PureSha256());
    return [
      { name: `${chip}, rebuilt`, base, image },
      { name: `${chip}, patched`, base, image: patched },
    ];
  });
}

/** @param paths of images, an old and a new one at a time */
export function pairsOf(paths: readonly string[]): Pair[] {
  const pairs: Pair[] = [];
  for (let n = 0; n + 1 < paths.length; n += 2)
    pairs.push({
      name: basename(paths[n + 1], ".bin"),
      base: new Uint8Array(readFileSync(paths[n])),
      image: new Uint8Array(readFileSync(paths[n + 1])),
    });
  return pairs;
}

/** Bytes of the deltas others make; undefined without the tool. */
function others({ base, image }: Pair): (number | undefined)[] {
  const cwd = mkdtempSync(join(tmpdir(), "bench-payload-"));
  try {
    writeFileSync(join(cwd, "old"), base);
    writeFileSync(join(cwd, "new"), image);
    return OTHERS.map(([, [tool, ...parameters]]) => {
      const { error, status } = spawnSync(tool, parameters, { cwd, stdio: "ignore" });
      return error || status ? undefined : statSync(join(cwd, "delta")).size;
    });
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

/** Byte codes to decode on XS, of the compacted sources or not: what the engine's meter counts. */
async function byteCodes(script: string, payload: Uint8Array, { base, image }: Pair): Promise<number> {
  const worker = new XsWorker();
  const send = (kind: string, bytes: Uint8Array = new Uint8Array()) =>
    worker.command(Buffer.concat([Buffer.from(kind), bytes]));
  try {
    await worker.evaluate(script);
    await send("b", base);
    await send("p", payload);
    const { meter } = await send("d");
    const { result } = await send("?");
    if (Buffer.compare(result, image)) throw new Error("XS makes another image");
    return meter.compute;
  } finally {
    await worker.close();
  }
}

/** Instructions of the decoder in C on this machine, by callgrind; undefined without it. */
function instructions(program: string, payload: Uint8Array, { base }: Pair): number | undefined {
  const cwd = mkdtempSync(join(tmpdir(), "bench-payload-"));
  try {
    writeFileSync(join(cwd, "base"), base);
    const header = headerOf(payload);
    if (!header) throw new Error("the payload has no usable header");
    const input = Buffer.concat(encodeCase({ base: 0, payload, header }));
    const { error, stderr, stdout } = spawnSync(
      "valgrind",
      ["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=decode", program, "base"],
      { cwd, input, maxBuffer: 1 << 26 },
    );
    if (error) return undefined;
    if (stdout.length !== 12 || stdout.readInt32LE(0) !== 0) throw new Error(`C: ${stderr}`);
    const match = /Collected\s*:\s*(\d+)/.exec(stderr.toString());
    return match ? Number(match[1]) : undefined;
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

function compileForCounting(): string | undefined {
  const program = join(mkdtempSync(join(tmpdir(), "bench-payload-")), "decode");
  try {
    execFileSync("gcc", ["-Os", "-g", "-fno-inline-functions-called-once", "-o", program, SOURCE]);
    return program;
  } catch {
    return undefined;
  }
}

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    ...{ entryPoints: [HARNESS], bundle: true, write: false, format: "iife", target: "es2022" },
    tsconfigRaw: { compilerOptions: { target: "ES2022", useDefineForClassFields: true } },
  });
  return outputFiles[0].text;
}

export interface PayloadRow {
  readonly name: string;
  readonly image: number;
  readonly delta: number;
  readonly packed: number;
  /** In the order of `OTHERS`. */
  readonly others: readonly (number | undefined)[];
  /** Seconds to make the delta here. */
  readonly made: number;
  readonly codes: { readonly delta: number; readonly packed: number };
  readonly instructions: { readonly delta: number | undefined; readonly packed: number | undefined };
  /** Seconds of an update, for each of `RATES`: whole, packed, delta. */
  readonly updates: readonly (readonly [number, number, number])[];
}

export async function measurePayloads(pairs: readonly Pair[]): Promise<PayloadRow[]> {
  const script = await bundle();
  const program = compileForCounting();
  const rows: PayloadRow[] = [];
  for (const pair of pairs) {
    const { name, base, image } = pair;
    console.error(`${name} …`);
    const before = process.cpuUsage();
    const delta = makeDelta(base, image, { sha256 });
    const { user, system } = process.cpuUsage(before);
    const packed = packImage(image, { sha256 });
    const total = (file: Uint8Array, variant: "" | ";packed" | "delta", bandwidth: number) => {
      const { fetch, rest } = update({ base, image, file, variant, bandwidth });
      return fetch + rest;
    };
    rows.push({
      ...{ name, image: image.length, delta: delta.length, packed: packed.length },
      ...{ others: others(pair), made: (user + system) / 1e6 },
      codes: {
        delta: await byteCodes(script, delta, pair),
        packed: await byteCodes(script, packed, pair),
      },
      instructions: {
        delta: program ? instructions(program, delta, pair) : undefined,
        packed: program ? instructions(program, packed, pair) : undefined,
      },
      updates: RATES.map((rate) => [
        total(image, "", rate),
        total(packed, ";packed", rate),
        total(delta, "delta", rate),
      ]),
    });
  }
  return rows;
}

/** @param table makes a table of a head and rows */
export function printPayloads(
  rows: readonly PayloadRow[],
  table: (head: readonly string[], rows: readonly (readonly string[])[]) => string,
): void {
  const whole = (value: number | undefined) => (value === undefined ? "–" : String(value));
  const millions = (value: number | undefined) => (value === undefined ? "–" : (value / 1e6).toFixed(1));
  console.log("Bytes of the image, of the delta, of others' deltas, of the packed image\n");
  console.log(
    table(
      ["to", "image", "delta", ...OTHERS.map(([tool]) => tool), "packed", "made in s"],
      rows.map(({ name, image, delta, others: sizes, packed, made }) => [
        ...[name, String(image), String(delta), ...sizes.map(whole), String(packed), made.toFixed(1)],
      ]),
    ),
  );
  console.log(
    "\nTo decode: millions of byte codes on XS, millions of instructions of the decoder in C here\n",
  );
  console.log(
    table(
      ["to", "delta, XS", "packed, XS", "delta, C", "packed, C"],
      rows.map(({ name, codes, instructions: native }) => [
        ...[name, millions(codes.delta), millions(codes.packed)],
        ...[millions(native.delta), millions(native.packed)],
      ]),
    ),
  );
  console.log(
    "\nSeconds of an update in virtual time, 300 ms round trip, flash with typical timing, without the processor's\n",
  );
  console.log(
    table(
      [
        "to",
        ...RATES.flatMap((rate) =>
          ["whole", "packed", "delta"].map((what) => `${what}, ${rate / 1024} KB/s`),
        ),
      ],
      rows.map(({ name, updates }) => [name, ...updates.flat().map((seconds) => seconds.toFixed(0))]),
    ),
  );
}
