/**
 * `xs-ota delta` and `xs-ota pack`: payloads that are smaller than the image they make.
 * @module
 */
import { createHash } from "node:crypto";
import { Command } from "commander";
import type { UpdatePayload } from "../../service/updates.js";
import { HEAD_LENGTH, parseHead } from "../../src/slot/esp-image.js";
import { makeDelta, packImage } from "../payload/encoder.js";
import { Failure } from "./failure.js";
import { readBytes, refuseExisting, writeWhole } from "./files.js";
import { examples, jsonOption } from "./options.js";
import { bar, Screen } from "./screen.js";
import { requireImage } from "./sign.js";
import { hasStyles, print, printJson } from "./text.js";

const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();

/** As the service takes, which has room for one file more: the compressed image. */
const MOST_BASES = 15;

interface Output {
  readonly output: string;
  readonly force: boolean;
  readonly json: boolean;
}

export function deltaCommand(): Command {
  return new Command("delta")
    .summary("make a delta from one image to another")
    .description(
      "Writes what turns the image a device runs into a new one: usually 1 to 10 % of the image. The result is " +
        "decoded and compared before it is written. Devices need the option of xs-ota-agent/payload.",
    )
    .argument("<old>", "the image that runs, as it was deployed")
    .argument("<new>", "the image to get to")
    .requiredOption("-o, --output <file>", "where to write the delta")
    .option("--force", "replace a file that is there", false)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `${examples([
        ["xs-ota delta v1.bin v2.bin -o v1-v2.xsp", "make a delta"],
        ["xs-ota inspect v1-v2.xsp", "what it needs, and what it saves"],
      ])}

Exit code: 0; 2 when a file is no image, or is damaged.`,
    )
    .action((old: string, fresh: string, { output, force, json }: Output) => {
      if (!force) refuseExisting(output);
      const base = readImage(old);
      const image = readImage(fresh);
      write(
        { output, force, json },
        image,
        showing(output, (progress) => deltaOf(base, image, progress)),
      );
    });
}

export function packCommand(): Command {
  return new Command("pack")
    .summary("compress an image")
    .description(
      "Writes an image compressed, for devices that take such (xs-ota-agent/payload with its native decoder): " +
        "about 60 % of the image. The result is decoded and compared before it is written.",
    )
    .argument("<new>", "the image")
    .requiredOption("-o, --output <file>", "where to write it")
    .option("--force", "replace a file that is there", false)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `${examples([["xs-ota pack v2.bin -o v2.xsp", "compress an image"]])}

Exit code: 0; 2 when the file is no image, or is damaged.`,
    )
    .action((fresh: string, { output, force, json }: Output) => {
      if (!force) refuseExisting(output);
      const image = readImage(fresh);
      write(
        { output, force, json },
        image,
        showing(output, (progress) => packOf(image, progress)),
      );
    });
}

export interface PayloadOptions {
  readonly from?: readonly string[];
  readonly packed: boolean;
}

/** The options of commands that make jobs. */
export function addPayloadOptions(command: Command): Command {
  return command
    .option("--from <files...>", "images that devices run: deltas from these go with it")
    .option("--packed", "the image compressed goes with it", false);
}

/** Deltas and the compressed image that go with an image; says what each saves unless `quiet`. @throws Failure */
export function makePayloads(
  image: Uint8Array,
  { from = [], packed }: PayloadOptions,
  quiet: boolean,
): UpdatePayload[] {
  if (from.length > MOST_BASES) throw new Failure(`--from takes at most ${MOST_BASES} images`);
  const bases = from.map((file) => ({ file, base: readImage(file) }));
  if (new Set(bases.map(({ base }) => deltaKind(base))).size < bases.length)
    throw new Failure("two images of --from are the same build");
  const payloads = bases.map(({ file, base }) => ({
    kind: deltaKind(base),
    bytes: showing(`delta from ${file}`, (progress) => deltaOf(base, image, progress)),
  }));
  if (packed)
    payloads.push({ kind: ";packed", bytes: showing("packing", (progress) => packOf(image, progress)) });
  if (!quiet)
    for (const { kind, bytes } of payloads) print(`${kind.slice(1)}: ${saving(bytes.length, image.length)}`);
  return payloads;
}

export type Progress = (part: number) => void;

export function deltaOf(base: Uint8Array, image: Uint8Array, progress?: Progress): Uint8Array {
  return makeDelta(base, image, { sha256, progress });
}

export function packOf(image: Uint8Array, progress?: Progress): Uint8Array {
  return packImage(image, { sha256, progress });
}

/** What a delta from `base` is called in a job: by the build that runs. */
export function deltaKind(base: Uint8Array): string {
  return `;base=${parseHead(base.subarray(0, HEAD_LENGTH), base.length).buildId}`;
}

/** @throws Failure */
export function readImage(file: string): Uint8Array {
  const bytes = readBytes(file);
  requireImage(file, bytes);
  try {
    parseHead(bytes.subarray(0, HEAD_LENGTH), bytes.length);
  } catch (error) {
    throw new Failure(`${file} would be refused: ${(error as Error).message}`);
  }
  return bytes;
}

/** Does long work with a bar of progress on a terminal. */
export function showing<T>(title: string, work: (progress: Progress) => T): T {
  const screen = new Screen(process.stderr);
  const shown = hasStyles(process.stderr);
  const result = work((part) => {
    if (shown) screen.draw([`${title} ${bar(part)} ${Math.floor(part * 100)} %`], part === 1);
  });
  if (shown) screen.draw([], true);
  return result;
}

function write({ output, force, json }: Output, image: Uint8Array, payload: Uint8Array): void {
  writeWhole(output, payload, force);
  if (json) return printJson({ file: output, size: payload.length, imageSize: image.length });
  print(`${output}: ${saving(payload.length, image.length)}`);
}

/** "39,909 bytes, 3.1 % of the image" */
export function saving(bytes: number, whole: number): string {
  const part = (100 * bytes) / whole;
  return `${bytes.toLocaleString("en-US")} bytes, ${part.toFixed(part < 10 ? 1 : 0)} % of the image`;
}
