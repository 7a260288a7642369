/**
 * `xs-ota inspect`
 * @module
 */
import { existsSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { CHIPS, chipByName } from "../../hosts/formats/chips.js";
import { ImageError } from "../../hosts/formats/esp-image-layout.js";
import { parsePartitionCsv } from "../../hosts/formats/partition-csv.js";
import {
  type Partition,
  PartitionTableError,
  parsePartitionTable,
  TABLE_OFFSET,
} from "../../hosts/formats/partition-table.js";
import { fitSlots, type ImageInspection, inspectImageBytes } from "../../service/inspection.js";
import { OtaError } from "../../src/errors.js";
import { compareImages } from "./comparison.js";
import { FAILED, Failure, OK } from "./failure.js";
import { readBytes } from "./files.js";
import { inspectComponent, inspectSet, reportComponent, reportSet } from "./inspect/component.js";
import { detectKind, KINDS, type Kind } from "./inspect/detect.js";
import { inspectFlash, inspectOtadata, inspectTable } from "./inspect/inspections.js";
import { inspectNvs, reportNvs } from "./inspect/nvs.js";
import { inspectPayload, reportPayload } from "./inspect/payload.js";
import {
  reportComparison,
  reportFits,
  reportFlash,
  reportImage,
  reportOtadata,
  reportSegments,
  reportTable,
} from "./inspect/report.js";
import { examples, jsonOption, wholeNumber } from "./options.js";
import { printableData } from "./printable.js";
import { print, printJson } from "./text.js";

interface InspectOptions {
  readonly as?: Kind;
  readonly partitions?: string;
  readonly chip?: number;
  readonly tableOffset: number;
  readonly slots: number;
  readonly rollback: boolean;
  readonly json: boolean;
}

export function inspectCommand(): Command {
  return new Command("inspect")
    .summary("show what an image, component, partition table, partition or flash dump holds")
    .description(
      "Shows what a file holds: an ESP32 application image, a delta or compressed image, a component, a partition table (CSV or " +
        "binary), an otadata or NVS partition (of that the names, not the values), or a dump of a whole flash chip, with the slot that would boot from it and why.",
    )
    .argument("<file>", "what to look at")
    .argument("[running]", "what runs where an image is to go, an image or a version: how do they compare?")
    .option("--partitions <file>", "partition table (CSV or binary): does the image fit its slots?")
    .addOption(
      new Option("--as <kind>", "what the file is, when it cannot be told by its bytes").choices([...KINDS]),
    )
    .option("--chip <name>", "the chip a flash dump comes from (default: the chip of its images)", chipId)
    .option(
      "--table-offset <bytes>",
      "where a flash dump has its partition table",
      wholeNumber(0, 0xffffff),
      TABLE_OFFSET,
    )
    .option("--slots <count>", "OTA slots of the device an otadata dump comes from", wholeNumber(1, 16), 2)
    .option("--no-rollback", "the device's boot loader does not roll back")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `${examples([
        ["xs-ota inspect build/app.bin", "an image: chip, version, segments, hashes"],
        ["xs-ota inspect v2.bin v1.bin", "would what runs version 1 take version 2? So with 1.4.0"],
        ["xs-ota inspect app.bin --partitions partitions.csv", "does it fit the slots?"],
        ["xs-ota inspect v1-v2.xsp", "a delta: what it needs, and what it saves"],
        ["xs-ota inspect partitions.bin", "a partition table"],
        ["esptool read_flash 0 0x400000 dump.bin", "read a whole chip, then"],
        ["xs-ota inspect dump.bin", "see which slot would boot, and why"],
        ["xs-ota inspect app.bin --json | jq .app.version", "for programs"],
      ])}

Exit code: 0; 1 when the image would not boot, the agent would refuse it, there or anywhere, it does not fit a slot, the table
breaks a rule, or nothing boots from the flash; 2 when the file cannot be read as any of these.`,
    )
    .action((file: string, running: string | undefined, options: InspectOptions) => {
      process.exitCode = inspect(file, running, options);
    });
}

function inspect(file: string, running: string | undefined, options: InspectOptions): number {
  const bytes = readBytes(file);
  if (bytes.length === 0) throw new Failure(`${file} is empty`);
  const kind = options.as ?? detectKind(bytes, options.tableOffset);
  if (running !== undefined && kind !== "image") throw new Failure(`${file} is no image to compare`);
  try {
    switch (kind) {
      case "payload":
        return showPayload(file, bytes, options);
      case "component":
        return showPlain(inspectComponent(bytes), reportComponent, options);
      case "set":
        return showPlain(inspectSet(bytes), reportSet, options);
      case "nvs":
        return showPlain(inspectNvs(bytes), reportNvs, options);
      case "image":
        return showImage(bytes, running, options);
      case "table":
        return showTable(parsePartitionTable(bytes), options);
      case "csv":
        return showTable(parsePartitionCsv(new TextDecoder().decode(bytes)), options);
      case "otadata":
        return showOtadata(file, bytes, options);
      case "flash":
        return showFlash(file, bytes, options);
      default:
        throw new Failure(
          `${file} is no ESP32 image, component, partition table, otadata or NVS partition, or flash dump (or it is encrypted)`,
        );
    }
  } catch (error) {
    if (error instanceof ImageError) throw new Failure(`${file} is no whole ESP32 image: ${error.message}`);
    if (error instanceof OtaError) throw new Failure(`${file} is damaged: ${error.message}`);
    if (error instanceof PartitionTableError)
      throw new Failure(`${file} holds no usable partition table: ${error.message}`);
    throw error;
  }
}

function showPlain<Inspection>(
  inspection: Inspection,
  report: (inspection: Inspection) => string[],
  { json }: InspectOptions,
): number {
  if (json) printJson(inspection);
  else print(...report(printableData(inspection)));
  return OK;
}

function showImage(
  bytes: Uint8Array,
  running: string | undefined,
  { partitions, json }: InspectOptions,
): number {
  const image = inspectImageBytes(bytes);
  const comparison = running === undefined ? undefined : compareImages(image, readRunning(running));
  const fits = partitions === undefined ? undefined : fitSlots(bytes.length, readTable(partitions));
  if (fits?.length === 0) throw new Failure(`${partitions} has no app partition`);
  if (json) printJson({ ...image, ...(fits && { slots: fits }), ...(comparison && { comparison }) });
  else {
    const shown = printableData(image);
    print(...reportImage(shown), "", ...reportSegments(shown));
    if (fits) print("", ...reportFits(printableData(fits)));
    if (comparison) print("", ...reportComparison(printableData(comparison)));
  }
  return image.problem || image.refusal || comparison?.refused || fits?.some((slot) => !slot.fits)
    ? FAILED
    : OK;
}

/** An image, or a version as it stands there. */
function readRunning(text: string): ImageInspection | string {
  return existsSync(text) ? inspectImageBytes(readBytes(text)) : text;
}

function showPayload(file: string, bytes: Uint8Array, { json }: InspectOptions): number {
  const inspection = inspectPayload(file, bytes);
  if (json) printJson(inspection);
  else print(...reportPayload(inspection));
  return inspection.problem ? FAILED : OK;
}

function showTable(rows: readonly Partition[], { json, tableOffset }: InspectOptions): number {
  const inspection = inspectTable(rows, undefined, tableOffset);
  if (json) printJson(inspection);
  else print(...reportTable(printableData(inspection)));
  return inspection.problem ? FAILED : OK;
}

function showOtadata(file: string, bytes: Uint8Array, { partitions, slots, json }: InspectOptions): number {
  if (bytes.length < 0x2000) throw new Failure(`${file} is too short for an otadata partition of 8192 bytes`);
  const count = partitions === undefined ? slots : inspectTable(readTable(partitions)).slots;
  const inspection = inspectOtadata(bytes, count);
  if (json) printJson(inspection);
  else print(...reportOtadata(inspection));
  return OK;
}

function showFlash(file: string, bytes: Uint8Array, options: InspectOptions): number {
  if (bytes.length % 4096)
    throw new Failure(`${file} is no flash dump: its size is not a multiple of 4096 bytes`);
  const { chip, rollback, tableOffset, json } = options;
  const inspection = inspectFlash(bytes, { chipId: chip, rollback, tableOffset });
  if (json) printJson(inspection);
  else print(...reportFlash(printableData(inspection)));
  return inspection.boot.slot ? OK : FAILED;
}

/** A partition table in either form. @throws Failure */
function readTable(path: string): Partition[] {
  const bytes = readBytes(path);
  try {
    return detectKind(bytes, Number.POSITIVE_INFINITY) === "table"
      ? parsePartitionTable(bytes)
      : parsePartitionCsv(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new Failure(`${path} holds no usable partition table: ${(error as Error).message}`);
  }
}

function chipId(text: string): number {
  const chip = chipByName(text);
  if (!chip) throw new InvalidArgumentError(`It must be one of ${CHIPS.map(({ name }) => name).join(", ")}.`);
  return chip.id;
}
