/**
 * What is deployed, onto what, and how it has to end.
 * @module
 */
import { createHash } from "node:crypto";
import type { Behaviour } from "../../hosts/emulated/device-app.js";
import { buildFlashDump, slotTable } from "../../hosts/emulated/flash-dump.js";
import { CHIPS, chipById } from "../../hosts/formats/chips.js";
import { describeApp, imageBytes, readImageLayout } from "../../hosts/formats/esp-image-layout.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { makeEntry, STATE_VALID } from "../../hosts/formats/otadata.js";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import type { AppDescription } from "../../src/ports.js";
import { journalSectors } from "../../src/slot/journal.js";
import type { Failure } from "./options.js";

/** Codes one of which the job's final status must carry; empty: the update must succeed. */
const EXPECTED: Readonly<Record<Failure | "none", readonly string[]>> = {
  none: [],
  "self-test": ["self-test-rejected"],
  crash: ["rolled-back"],
  signature: ["signature-check"],
  version: ["downgrade", "same-version"],
  chip: ["wrong-chip"],
};

const PROJECT = "xs-ota-demo";
const IMAGE_SIZE = 1_500_000;
const DEFAULT_CHIP = "esp32c3";
const OTHER_CHIP = "esp32s3";
const SECTOR = 4096;
/** A slot holds the image and what is left of a payload of it (docs/SPEC.md, "In the slot"). */
const STAGING = 0x10000;
const SLOT_UNIT = 65_536;
const MEGABYTE = 1_048_576;
const LARGEST_FLASH = 32 * MEGABYTE;

export interface Scenario {
  readonly failure: Failure | undefined;
  readonly image: Uint8Array;
  /** What the image says of itself. */
  readonly app: AppDescription;
  /** What the image does when it boots; undefined: what it says itself. */
  readonly behaviour: Behaviour | undefined;
  /** Any version may be installed: a file of the user's may have one that means nothing to the agent. */
  readonly allowDowngrade: boolean;
}

/** A firmware file that cannot be used. */
export class ImageFileError extends Error {
  override name = "ImageFileError";
}

export function expectedCodes(failure: Failure | undefined): readonly string[] {
  return EXPECTED[failure ?? "none"];
}

/** True when the new image has to boot, and to be given up afterwards. */
export function rollsBack(failure: Failure | undefined): boolean {
  return failure === "self-test" || failure === "crash";
}

/**
 * @param running what runs on the device; undefined for a device yet to be made
 * @param file a firmware file
 * @throws ImageFileError
 */
export function planUpdate(
  failure: Failure | undefined,
  running: AppDescription | undefined,
  file: Uint8Array | undefined,
): Scenario {
  const behaviour = failure === "self-test" ? "fail" : failure === "crash" ? "crash" : undefined;
  if (file)
    return {
      ...{ failure, behaviour, image: file, app: describeFile(file) },
      allowDowngrade: failure !== "version",
    };
  const major = Number.parseInt(running?.version ?? "1", 10);
  const chip = chipById(running?.chipId ?? -1)?.name ?? DEFAULT_CHIP;
  const image = build(
    failure === "chip" ? anotherChip(chip) : chip,
    running?.projectName ?? PROJECT,
    failure === "version" ? `${major - 1}.9.0` : `${major + 1}.0.0`,
    behaviour,
  );
  return { failure, image, app: describeApp(imageBytes(image)), behaviour, allowDowngrade: false };
}

/** The image a new device runs before the update. */
export function firstImage({ failure, app }: Scenario, isFile: boolean): Uint8Array {
  const chip = chipById(app.chipId)?.name ?? DEFAULT_CHIP;
  const version = !isFile ? "1.0.0" : failure === "version" ? app.version : "0.0.1";
  return build(
    failure === "chip" ? (isFile ? anotherChip(chip) : DEFAULT_CHIP) : chip,
    app.projectName,
    version,
  );
}

/** A chip as it leaves the factory: two slots, the first with an image that is valid. @throws ImageFileError */
export function factoryFlash(first: Uint8Array, scenario: Scenario): Uint8Array {
  const size = Math.max(first.length, scenario.image.length);
  const sectors = Math.ceil(size / SECTOR);
  const needed = (sectors + journalSectors(sectors, SECTOR)) * SECTOR + STAGING;
  const slotSize = Math.ceil(needed / SLOT_UNIT) * SLOT_UNIT;
  const table = slotTable({ slotSize });
  const end = Math.max(...table.map(({ offset, size }) => offset + size));
  let flashSize = 4 * MEGABYTE;
  while (flashSize < end) flashSize *= 2;
  if (flashSize > LARGEST_FLASH)
    throw new ImageFileError(`the image of ${scenario.image.length} bytes is too large for two slots`);
  return buildFlashDump({
    ...{ flashSize, table, content: { ota_0: first } },
    otadata: [makeEntry(1, STATE_VALID)],
  });
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function build(chip: string, projectName: string, version: string, behaviour?: Behaviour): Uint8Array {
  return buildImage({ ...{ chip, projectName, version, behaviour }, size: IMAGE_SIZE }, nodeCrypto.sha256);
}

function anotherChip(name: string): string {
  return name === OTHER_CHIP ? DEFAULT_CHIP : OTHER_CHIP;
}

function describeFile(bytes: Uint8Array): AppDescription {
  try {
    const layout = readImageLayout(imageBytes(bytes));
    if (layout.length !== bytes.length)
      throw new ImageFileError(`the image ends after ${layout.length} of ${bytes.length} bytes`);
    const app = describeApp(imageBytes(bytes));
    if (!chipById(app.chipId))
      throw new ImageFileError(
        `chip ${app.chipId} is not one of ${CHIPS.map(({ name }) => name).join(", ")}`,
      );
    return app;
  } catch (error) {
    throw new ImageFileError(`not an ESP32 application image: ${(error as Error).message}`);
  }
}

/** How people write the name of a chip. */
export function chipTitle(chipId: number): string {
  return chipById(chipId)?.title ?? `chip ${chipId}`;
}
