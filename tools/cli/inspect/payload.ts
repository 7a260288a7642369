/**
 * What a delta or a compressed image needs, makes and saves.
 * @module
 */
import { createHash } from "node:crypto";
import { PayloadHeader, START_LENGTH } from "../../../src/payload/header.js";
import type { AppDescription } from "../../../src/ports.js";
import { parseHead } from "../../../src/slot/esp-image.js";
import { Failure } from "../failure.js";
import { paint } from "../text.js";

/** Survives JSON. */
export interface PayloadInspection {
  readonly kind: "payload";
  readonly payload: "delta" | "packed";
  readonly bytes: number;
  readonly imageBytes: number;
  /** Undefined for an image that is no application. */
  readonly app?: AppDescription;
  readonly imageSha256: string;
  readonly base?: { readonly bytes: number; readonly sha256: string };
  readonly predictor: "none" | "Xtensa" | "RISC-V";
  readonly segments: number;
  readonly segmentBytes: number;
  readonly steps: number;
  /** Least bytes of a slot it can be applied in, the two journals included. */
  readonly slotBytes: number;
  /** Why an agent would refuse it; undefined when for nothing. */
  readonly problem?: string;
}

const SECTOR = 4096;
const PREDICTORS = Object.freeze(["none", "Xtensa", "RISC-V"] as const);

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** @throws Failure when it is of another version of the format, or damaged in its header */
export function inspectPayload(file: string, bytes: Uint8Array): PayloadInspection {
  let header: PayloadHeader;
  try {
    header = new PayloadHeader(bytes.subarray(0, START_LENGTH), bytes.length);
  } catch (error) {
    throw new Failure(`${file}: ${(error as Error).message}`);
  }
  const { imageLength, baseLength, isDelta } = header;
  let app: AppDescription | undefined;
  let problem: string | undefined;
  try {
    app = parseHead(header.head, imageLength);
  } catch (error) {
    problem = (error as Error).message;
  }
  const body = createHash("sha256").update(bytes.subarray(128)).digest();
  if (!body.equals(header.bodyDigest))
    problem = "the payload is damaged: it does not have the digest it names";
  return {
    ...{
      kind: "payload",
      payload: isDelta ? "delta" : "packed",
      bytes: bytes.length,
      imageBytes: imageLength,
    },
    ...(app && { app }),
    imageSha256: hex(header.imageDigest),
    ...(isDelta && { base: { bytes: baseLength, sha256: hex(header.baseDigest) } }),
    predictor: PREDICTORS[header.predictor],
    segments: header.raw.length,
    segmentBytes: 1 << header.segmentLog2,
    steps: header.steps.length / 2,
    slotBytes: leastSlot(header, bytes.length),
    ...(problem !== undefined && { problem }),
  };
}

/** As the agent lays it out: image from the start, payload and its journal, the journal of the image (docs/SPEC.md). */
function leastSlot(header: PayloadHeader, length: number): number {
  const { offsets, imageLength, segmentLog2 } = header;
  const sectors = Math.ceil(length / SECTOR);
  const journal = (count: number) => Math.ceil((64 + 16 * (count + 32)) / SECTOR);
  let first = 1;
  for (let k = 0; k + 1 < offsets.length; k++) {
    const end = Math.ceil(Math.min((k + 1) << segmentLog2, imageLength) / SECTOR);
    const sector = Math.min(sectors - 1, Math.max(1, Math.floor(offsets[k] / SECTOR)));
    first = Math.max(first, end - (sector > 0 ? sector - 1 : 0));
  }
  const staged = first + sectors + journal(sectors);
  let slot = staged + 1;
  while (slot - journal(slot) < staged) slot++;
  return slot * SECTOR;
}

export function reportPayload(inspection: PayloadInspection): string[] {
  const { app, base, bytes, imageBytes, problem } = inspection;
  const count = (value: number) => `${value.toLocaleString("en-US")} bytes`;
  const saved = imageBytes - bytes;
  const facts: [string, string][] = [
    ["Payload", base ? "delta" : "compressed image"],
    [
      "Size",
      `${count(bytes)}, ${((100 * bytes) / imageBytes).toFixed(1)} % of the image: saves ${count(saved)}`,
    ],
    [
      "Makes",
      app ? `${app.projectName} ${app.version} (${app.buildId}), ${count(imageBytes)}` : count(imageBytes),
    ],
    ["Image SHA-256", inspection.imageSha256],
    ...(base
      ? ([
          ["Needs", `an image of ${count(base.bytes)} that runs`],
          ["Base SHA-256", base.sha256],
        ] satisfies [string, string][])
      : []),
    ["Predictor", `${inspection.predictor}, ${inspection.steps} steps`],
    ["Segments", `${inspection.segments} of ${count(inspection.segmentBytes)}`],
    ["Slot", `at least ${count(inspection.slotBytes)}`],
    ["Verdict", problem ? paint("red", problem) : paint("green", "whole")],
  ];
  return facts.map(([name, value]) => `${name.padEnd(15)} ${value}`);
}
