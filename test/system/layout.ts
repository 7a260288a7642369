/**
 * The partitions of a story's device.
 * @module
 */
import { slotTable } from "../../hosts/emulated/flash-dump.js";
import { type Partition, TYPE_DATA } from "../../hosts/formats/partition-table.js";
import { SLOT_SIZE } from "./images.js";
import type { Scenario, Zone } from "./scenario.js";

const STORAGE_SIZE = 0x4000;
/** Where the components are: the record log, and two places. */
const COMPONENTS: readonly (readonly [label: string, size: number])[] = Object.freeze([
  ["components", 0x2000],
  ["assets_0", 0x6000],
  ["assets_1", 0x6000],
]);
/** Where a mod's links are recorded, and where images of the second processor come in. */
const LINKS_SIZE = 0x3000;
const GEAR_SIZE = 0x4000;
/** What the agent keeps records in can not be encrypted. */
const PLAIN: readonly string[] = Object.freeze(["components", "links"]);
/** A subtype for the application's own use. */
const SUBTYPE = 0x50;
const SECTOR = 4096;

export function partitionsOf(device: Scenario["device"]): Partition[] {
  const { encrypted, storage, components, mod, processor } = device;
  const table = slotTable({ slotSize: SLOT_SIZE, storageSize: storage ? STORAGE_SIZE : undefined });
  const rows = components ? [...COMPONENTS] : [];
  if (mod) rows.push(["links", LINKS_SIZE]);
  if (processor) rows.push(["gear", GEAR_SIZE]);
  for (const [label, size] of rows) {
    const last = table[table.length - 1];
    const row = { label, type: TYPE_DATA, subtype: SUBTYPE, offset: last.offset + last.size, size };
    table.push({ ...row, encrypted: encrypted && !PLAIN.includes(label), readOnly: false });
  }
  return table;
}

/** Where a byte of the chip belongs, seen from the application that runs, if one does. */
export function zoneOf(
  offset: number,
  partitions: readonly Partition[],
  running: Partition | undefined,
): Zone | undefined {
  const at = partitions.find((row) => offset >= row.offset && offset < row.offset + row.size);
  if (!at || at.label === running?.label) return undefined;
  const { label } = at;
  if (label === "otadata") return "otadata";
  if (!running) return undefined;
  if (PLAIN.includes(label)) return "log";
  if (label.startsWith("assets_") || label === "gear") return "place";
  if (label === "storage") return "journal";
  if (!label.startsWith("ota_")) return undefined;
  return offset >= at.offset + SLOT_SIZE - SECTOR ? "journal" : "data";
}
