/**
 * What there is to know about an ESP32 application image, as plain data: for the command line and for the page.
 * @module
 */
import { createHash } from "node:crypto";
import { chipById, inRange, isMapped } from "../hosts/formats/chips.js";
import { checkImage } from "../hosts/formats/esp-image-check.js";
import {
  hex,
  ImageError,
  type ImageLayout,
  type ImageSource,
  imageBytes,
  readImageLayout,
} from "../hosts/formats/esp-image-layout.js";
import {
  appName,
  otaSlots,
  type Partition,
  SUBTYPE_OTA_0,
  TYPE_APP,
} from "../hosts/formats/partition-table.js";
import { OtaError } from "../src/errors.js";
import { checkStructure, HEAD_LENGTH, parseHead } from "../src/slot/esp-image.js";
import { journalSectors } from "../src/slot/journal.js";

/** Survives JSON. Sizes, lengths and offsets in bytes; hashes in hexadecimal digits. */
export interface ImageInspection {
  readonly kind: "image";
  readonly fileSize: number;
  /** Of the image; what follows in the file is no part of it. */
  readonly imageSize: number;
  readonly chipId: number;
  /** As people write it; "chip 77" for one that is not known. */
  readonly chip: string;
  readonly entry: number;
  /** As esptool names them; undefined for a code without a name. */
  readonly flash: { readonly mode?: string; readonly frequency?: string; readonly size?: string };
  /** "v0.3"; the upper limit is undefined when there is none. */
  readonly minChipRevision: string;
  readonly maxChipRevision?: string;
  readonly segments: readonly {
    readonly offset: number;
    readonly length: number;
    readonly loadAddress: number;
    readonly memory: string;
  }[];
  readonly checksum: number;
  /** Appended to the image; undefined when it has none. */
  readonly sha256?: string;
  /** What ESP-IDF would refuse the image for; undefined when it would boot it. */
  readonly problem?: string;
  /** What the agent would refuse the file for, whatever runs on the device; undefined when for nothing. */
  readonly refusal?: string;
  readonly app?: {
    readonly projectName: string;
    readonly version: string;
    readonly secureVersion: number;
    readonly compileTime: string;
    readonly idfVersion: string;
    readonly elfSha256: string;
  };
}

/** Whether an image fits one slot. */
export interface SlotFit {
  readonly slot: string;
  readonly size: number;
  readonly fits: boolean;
  /** Whether the journal fits behind it, so that a transfer is resumed after a power cut. */
  readonly resumable: boolean;
}

const SECTOR = 4096;
const FLASH_MODES = Object.freeze(["QIO", "QOUT", "DIO", "DOUT", "FAST READ", "SLOW READ"]);
const FLASH_SIZES = Object.freeze(["1MB", "2MB", "4MB", "8MB", "16MB", "32MB", "64MB", "128MB"]);
/** By code of the header, for chips that differ; the others run at 80, 40, 26 and 20 MHz. */
const FREQUENCIES: Readonly<Record<string, Readonly<Record<number, string>>>> = Object.freeze({
  esp32c2: Object.freeze({ 15: "60m", 0: "30m", 1: "20m", 2: "15m" }),
  esp32c6: Object.freeze({ 0: "80m", 2: "20m" }),
  esp32h2: Object.freeze({ 15: "48m", 0: "24m", 1: "16m", 2: "12m" }),
});
const USUAL_FREQUENCIES: Readonly<Record<number, string>> = Object.freeze({
  15: "80m",
  0: "40m",
  1: "26m",
  2: "20m",
});

/**
 * @param source its `size` is what the file or partition holds
 * @throws ImageError when the structure cannot be followed
 */
export function inspectImage(source: ImageSource): ImageInspection {
  const layout = readImageLayout(source);
  const { chipId, flash, minChipRevision, maxChipRevision, descriptor } = layout;
  const chip = chipById(chipId);
  const frequencies = FREQUENCIES[chip?.name ?? ""] ?? USUAL_FREQUENCIES;
  return {
    kind: "image",
    fileSize: source.size,
    imageSize: layout.length,
    chipId,
    chip: chip?.title ?? `chip ${chipId}`,
    entry: layout.entry,
    flash: {
      mode: FLASH_MODES[flash.mode],
      frequency: frequencies[flash.speed],
      size: FLASH_SIZES[flash.size],
    },
    minChipRevision: revision(minChipRevision),
    maxChipRevision: maxChipRevision === 0xffff ? undefined : revision(maxChipRevision),
    segments: layout.segments.map((segment) => ({
      ...segment,
      memory: memoryOf(chipId, segment.loadAddress),
    })),
    checksum: bytesAt(source, layout.checksumOffset, 1)[0],
    sha256: layout.hashAppended ? hex(bytesAt(source, layout.checksumOffset + 1, 32)) : undefined,
    problem: problemOf(source, layout),
    refusal: refusalOf(source),
    app: descriptor && {
      projectName: descriptor.projectName,
      version: descriptor.version,
      secureVersion: descriptor.secureVersion,
      compileTime: `${descriptor.date} ${descriptor.time}`,
      idfVersion: descriptor.idfVersion,
      elfSha256: hex(descriptor.elfSha256),
    },
  };
}

/** An image in memory. @throws ImageError */
export function inspectImageBytes(bytes: Uint8Array): ImageInspection {
  return inspectImage(imageBytes(bytes));
}

/** Whether an image of so many bytes fits each app slot of a table: the OTA slots, or the apps where there are none. */
export function fitSlots(imageSize: number, table: readonly Partition[]): SlotFit[] {
  const slots = otaSlots(table);
  const apps = table.filter(({ type, subtype }) => type === TYPE_APP && subtype < SUBTYPE_OTA_0);
  return (slots.length > 0 ? slots : apps).map((slot) => {
    const sectors = Math.ceil(imageSize / SECTOR);
    const withJournal = (sectors + journalSectors(sectors, SECTOR)) * SECTOR;
    return {
      slot: appName(slot),
      size: slot.size,
      fits: imageSize <= slot.size,
      resumable: withJournal <= slot.size,
    };
  });
}

function problemOf(source: ImageSource, { chipId }: ImageLayout): string | undefined {
  if (!chipById(chipId)) return `chip id ${chipId} is not known`;
  try {
    checkImage(source, { chipId }, () => createHash("sha256"));
    return undefined;
  } catch (error) {
    if (error instanceof ImageError) return error.message;
    throw error;
  }
}

function refusalOf(source: ImageSource): string | undefined {
  try {
    parseHead(bytesAt(source, 0, Math.min(HEAD_LENGTH, source.size)), source.size);
    checkStructure((offset, length) => bytesAt(source, offset, length), source.size);
    return undefined;
  } catch (error) {
    if (error instanceof OtaError) return error.message;
    throw error;
  }
}

function memoryOf(chipId: number, address: number): string {
  const chip = chipById(chipId);
  if (!chip) return "";
  if (address === 0) return "padding";
  if (chip.drom[0] === chip.irom[0] && isMapped(chip, address)) return "flash";
  if (inRange(address, chip.drom)) return "flash, data";
  return inRange(address, chip.irom) ? "flash, code" : "RAM";
}

function revision(number: number): string {
  return `v${Math.floor(number / 100)}.${number % 100}`;
}

function bytesAt(source: ImageSource, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  source.read(bytes, offset);
  return bytes;
}
