/**
 * What there is to know about partition tables, otadata and whole flash chips, as plain data.
 * @module
 */
import { createHash } from "node:crypto";
import { boot } from "../../../hosts/emulated/boot-loader.js";
import { DeviceFlash, type DeviceOptions } from "../../../hosts/emulated/device-flash.js";
import { MemoryStorage, NorFlash } from "../../../hosts/emulated/nor-flash.js";
import { chipById } from "../../../hosts/formats/chips.js";
import { ImageError, readImageLayout } from "../../../hosts/formats/esp-image-layout.js";
import {
  activeEntry,
  decodeEntry,
  EMPTY_SEQUENCE,
  ENTRY_OFFSETS,
  ENTRY_SIZE,
  isCrcRight,
  type OtaEntry,
  slotOf,
  stateName,
} from "../../../hosts/formats/otadata.js";
import {
  appName,
  type Partition,
  PartitionTableError,
  TYPE_APP,
  verifyPartitionTable,
} from "../../../hosts/formats/partition-table.js";
import { type ImageInspection, inspectImage } from "../../../service/inspection.js";

export interface TableInspection {
  readonly kind: "table";
  readonly partitions: readonly (Partition & { readonly name: string })[];
  /** How many OTA slots. */
  readonly slots: number;
  /** The rule of ESP-IDF it breaks. */
  readonly problem?: string;
}

export interface EntryInspection {
  readonly empty: boolean;
  readonly sequence?: number;
  readonly state?: string;
  readonly checksumRight?: boolean;
  /** What the sequence stands for. */
  readonly slot?: string;
  readonly active: boolean;
}

export interface OtadataInspection {
  readonly kind: "otadata";
  readonly slots: number;
  readonly entries: readonly EntryInspection[];
  /** What the boot loader makes of it, in words. */
  readonly meaning: string;
}

export interface FlashInspection {
  readonly kind: "flash";
  readonly size: number;
  readonly table: TableInspection;
  readonly otadata?: OtadataInspection;
  readonly apps: readonly {
    readonly slot: string;
    readonly offset: number;
    readonly size: number;
    readonly image?: ImageInspection;
    /** Why there is no image. */
    readonly problem?: string;
  }[];
  readonly boot: {
    /** Undefined when nothing boots. */
    readonly slot?: string;
    readonly version?: string;
    /** What the boot loader does, step by step. */
    readonly steps: readonly string[];
    readonly rollback: boolean;
  };
}

/** The largest chip ESP-IDF's tools know: a table's end is no reason to complain. */
const ANY_FLASH = 128 * 1_048_576;

const TYPE_NAMES: readonly string[] = Object.freeze(["app", "data", "bootloader", "partition_table"]);
const DATA_NAMES: Readonly<Record<number, string>> = Object.freeze({
  0: "ota",
  1: "phy",
  2: "nvs",
  3: "coredump",
  4: "nvs_keys",
  5: "efuse",
  6: "undefined",
  128: "esphttpd",
  129: "fat",
  130: "spiffs",
  131: "littlefs",
});

export function inspectTable(
  rows: readonly Partition[],
  flashSize = ANY_FLASH,
  tableOffset?: number,
): TableInspection {
  let problem: string | undefined;
  try {
    verifyPartitionTable(rows, flashSize, tableOffset);
  } catch (error) {
    if (!(error instanceof PartitionTableError)) throw error;
    problem = error.message;
  }
  return {
    kind: "table",
    partitions: rows.map((row) => ({ ...row, name: `${typeName(row)}/${subtypeName(row)}` })),
    slots: countSlots(rows),
    problem,
  };
}

/** @param slots how many OTA slots the device has */
export function inspectOtadata(bytes: Uint8Array, slots: number): OtadataInspection {
  const entries = ENTRY_OFFSETS.map((offset) => decodeEntry(bytes.subarray(offset, offset + ENTRY_SIZE)));
  return describeEntries(entries, slots);
}

/** Whole chip; `bytes` is not changed. @throws PartitionTableError when there is no readable table */
export function inspectFlash(
  bytes: Uint8Array,
  options: { chipId?: number; rollback: boolean; tableOffset: number },
): FlashInspection {
  const { rollback, tableOffset } = options;
  const flash = new NorFlash(new MemoryStorage(bytes.slice()));
  const device: DeviceOptions = {
    ...{ flash, rollback, tableOffset },
    target: { chipId: 0 },
    sha256: () => createHash("sha256"),
  };
  const view = new DeviceFlash(device);
  const chipId = options.chipId ?? commonChip(view);
  const apps = view.partitions.filter(({ type }) => type === TYPE_APP).map((row) => inspectApp(view, row));
  const table = inspectTable(view.partitions, bytes.length, tableOffset);
  const steps: string[] = [];
  const otadata = view.otadata && describeEntries(view.entries(), table.slots);
  const started = boot({ ...device, target: { chipId }, log: (text) => steps.push(text) });
  const slot = started && appName(started);
  const version = apps.find((app) => app.slot === slot)?.image?.app?.version;
  return {
    kind: "flash",
    size: bytes.length,
    table,
    otadata,
    apps,
    boot: { slot, version, steps, rollback },
  };
}

function inspectApp(view: DeviceFlash, row: Partition): FlashInspection["apps"][number] {
  const app = { slot: appName(row), offset: row.offset, size: row.size };
  try {
    const source = view.image(row);
    // What lies behind the image in its slot is no part of it.
    const size = readImageLayout(source).length;
    const image = { size, read: (into: Uint8Array, offset: number) => source.read(into, offset) };
    return { ...app, image: inspectImage(image) };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    const first = new Uint8Array(16);
    view.open(row).read(first, 0);
    return { ...app, problem: first.every((byte) => byte === 0xff) ? "erased" : error.message };
  }
}

/** The chip of the first image that can be read. */
function commonChip(view: DeviceFlash): number {
  for (const row of view.partitions.filter(({ type }) => type === TYPE_APP)) {
    try {
      const { chipId } = readImageLayout(view.image(row));
      if (chipById(chipId)) return chipId;
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
    }
  }
  return 0;
}

function describeEntries(entries: readonly OtaEntry[], slots: number): OtadataInspection {
  const active = activeEntry(entries);
  const described = entries.map((entry, index): EntryInspection => {
    const { sequence, state } = entry;
    if (sequence === EMPTY_SEQUENCE) return { empty: true, active: false };
    return {
      ...{ empty: false, sequence, state: stateName(state), checksumRight: isCrcRight(entry) },
      slot: slots > 0 ? `ota_${slotOf(sequence, slots)}` : undefined,
      active: index === active,
    };
  });
  return { kind: "otadata", slots, entries: described, meaning: meaning(described, active) };
}

function meaning(entries: readonly EntryInspection[], active: number): string {
  const entry = entries[active];
  if (!entry) {
    return entries.every(({ empty }) => empty)
      ? "never written: the factory application boots, or else the first slot"
      : "no entry is valid: the boot loader falls back to what still boots";
  }
  const why = `entry ${active} is the valid one with the highest sequence`;
  switch (entry.state) {
    case "new":
      return `${why}: ${entry.slot} boots for the first time, on trial where the boot loader rolls back`;
    case "pending-verify":
      return `${why}: ${entry.slot} runs on trial; not confirmed before the next reset, it is given up`;
    default:
      return `${why}: ${entry.slot} boots`;
  }
}

function countSlots(rows: readonly Partition[]): number {
  return rows.filter(({ type, subtype }) => type === TYPE_APP && subtype >= 0x10 && subtype < 0x20).length;
}

function typeName({ type }: Partition): string {
  return TYPE_NAMES[type] ?? `0x${type.toString(16)}`;
}

function subtypeName(row: Partition): string {
  const { type, subtype } = row;
  if (type === TYPE_APP && subtype <= 0x20 && (subtype === 0 || subtype >= 0x10)) return appName(row);
  if (type === 1 && DATA_NAMES[subtype] !== undefined) return DATA_NAMES[subtype];
  return `0x${subtype.toString(16).padStart(2, "0")}`;
}
