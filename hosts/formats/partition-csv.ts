/**
 * Partition tables as CSV, in the form ESP-IDF's `gen_esp32part.py` reads: comments, named or numeric types,
 * sizes with K and M, offsets left out, negative sizes that mean "up to this offset".
 * @module
 */
import {
  type Partition,
  PartitionTableError,
  TABLE_OFFSET,
  TYPE_APP,
  TYPE_BOOTLOADER,
  TYPE_DATA,
  TYPE_PARTITION_TABLE,
} from "./partition-table.js";

const TYPES = Object.freeze({
  app: TYPE_APP,
  data: TYPE_DATA,
  bootloader: TYPE_BOOTLOADER,
  partition_table: TYPE_PARTITION_TABLE,
});

/** `esp_partition_subtype_t`, by type. */
const SUBTYPES: readonly Readonly<Record<string, number>>[] = Object.freeze([
  Object.freeze({ factory: 0x00, test: 0x20, tee_0: 0x30, tee_1: 0x31 }),
  Object.freeze({
    ota: 0x00,
    phy: 0x01,
    nvs: 0x02,
    coredump: 0x03,
    nvs_keys: 0x04,
    efuse: 0x05,
    undefined: 0x06,
    esphttpd: 0x80,
    fat: 0x81,
    spiffs: 0x82,
    littlefs: 0x83,
    tee_ota: 0x90,
  }),
  Object.freeze({ primary: 0x00, ota: 0x01, recovery: 0x02 }),
  Object.freeze({ primary: 0x00, ota: 0x01 }),
]);

/**
 * Reads a table from CSV and fills in the offsets that were left out.
 * @param tableOffset where the binary table will be; partitions begin a sector behind it
 * @throws PartitionTableError naming the line
 */
export function parsePartitionCsv(text: string, tableOffset = TABLE_OFFSET): Partition[] {
  const rows: Partition[] = [];
  let end = tableOffset + 0x1000;
  text.split("\n").forEach((line, index) => {
    line = line.trim();
    if (line === "" || line.startsWith("#")) return;
    try {
      const row = parseLine(line, end);
      end = row.offset + row.size;
      rows.push(row);
    } catch (error) {
      throw new PartitionTableError(`line ${index + 1}: ${(error as Error).message}`);
    }
  });
  return rows;
}

function parseLine(line: string, end: number): Partition {
  const fields = line.split(",").map((field) => field.trim());
  if (fields.length < 5) throw new Error("needs name, type, subtype, offset and size");
  const [label, typeText, subtypeText, offsetText, sizeText, flagText = ""] = fields;
  const type = named(TYPES, typeText, "type");
  const subtype = parseSubtype(type, subtypeText);
  const unit = type === TYPE_APP ? 0x10000 : 0x1000;
  const offset = offsetText === "" ? Math.ceil(end / unit) * unit : number(offsetText, "offset");
  if (offset < end)
    throw new Error(`offset 0x${offset.toString(16)} is taken, 0x${end.toString(16)} is free`);
  let size = number(sizeText, "size");
  if (size < 0) size = -size - offset;
  if (size <= 0) throw new Error("the size leaves nothing");
  const flags = flagText.split(":").filter((flag) => flag !== "");
  for (const flag of flags)
    if (flag !== "encrypted" && flag !== "readonly") throw new Error(`unknown flag "${flag}"`);
  return {
    label,
    type,
    subtype,
    offset,
    size,
    encrypted: flags.includes("encrypted"),
    readOnly: flags.includes("readonly"),
  };
}

function parseSubtype(type: number, text: string): number {
  const slot = /^ota_(\d|1[0-5])$/.exec(text);
  if (slot && type === TYPE_APP) return 0x10 + Number(slot[1]);
  if (text === "" && type !== TYPE_APP) return named(SUBTYPES[1], "undefined", "subtype");
  return named(SUBTYPES[type] ?? {}, text, "subtype");
}

function named(names: Readonly<Record<string, number>>, text: string, what: string): number {
  if (Object.hasOwn(names, text)) return names[text];
  const value = number(text, what);
  if (value < 0 || value > 254) throw new Error(`${what} ${text} is outside 0 to 254`);
  return value;
}

/** An integer: decimal, or hexadecimal with 0x; K and M multiply by 2^10 and 2^20. */
function number(text: string, what: string): number {
  const match = /^(-?)(0x[0-9a-f]+|\d+)([km]?)$/i.exec(text);
  if (!match) throw new Error(`${what} "${text}" is not a number`);
  const unit = match[3].toLowerCase();
  const value = Number(match[2]) * (unit === "k" ? 1024 : unit === "m" ? 1048576 : 1);
  return match[1] ? -value : value;
}
