/**
 * What image checks and the image builder need to know of each ESP32 chip: `chip_id` (`esp_app_format.h`) and
 * the address ranges of `soc/ext_mem_defs.h`.
 * @module
 */

/** First address, and the one behind the last. */
export type AddressRange = readonly [start: number, end: number];

export interface Chip {
  /** As ESP-IDF's build system names it. */
  readonly name: string;
  /** As people write it. */
  readonly title: string;
  /** `chip_id` of the image header. */
  readonly id: number;
  /** Read-only data mapped from flash. */
  readonly drom: AddressRange;
  /** Instructions mapped from flash. The same range as `drom` where one bus serves both. */
  readonly irom: AddressRange;
  /** An address in data RAM where an application may begin. */
  readonly dram: number;
  /** The same in instruction RAM. */
  readonly iram: number;
  /** The size of an MMU page is the application's choice (in its descriptor); otherwise it is 64 KB. */
  readonly configurablePage: boolean;
}

function chip(
  name: string,
  title: string,
  id: number,
  drom: AddressRange,
  irom: AddressRange,
  [dram, iram]: readonly [number, number],
  configurablePage = false,
): Chip {
  return Object.freeze({
    name,
    title,
    id,
    drom: Object.freeze(drom),
    irom: Object.freeze(irom),
    dram,
    iram,
    configurablePage,
  });
}

function sharedBus(name: string, title: string, id: number, end: number, configurablePage = true): Chip {
  const range: AddressRange = [0x42000000, end];
  return chip(name, title, id, range, range, [0x40810000, 0x40800000], configurablePage);
}

export const CHIPS: readonly Chip[] = Object.freeze([
  chip("esp32", "ESP32", 0x00, [0x3f400000, 0x3f800000], [0x400d0000, 0x40400000], [0x3ffb0000, 0x40084000]),
  chip(
    "esp32s2",
    "ESP32-S2",
    0x02,
    [0x3f000000, 0x3ff80000],
    [0x40080000, 0x40800000],
    [0x3ffc0000, 0x40028000],
  ),
  chip(
    "esp32c3",
    "ESP32-C3",
    0x05,
    [0x3c000000, 0x3c800000],
    [0x42000000, 0x42800000],
    [0x3fc90000, 0x40384000],
  ),
  chip(
    "esp32s3",
    "ESP32-S3",
    0x09,
    [0x3c000000, 0x3e000000],
    [0x42000000, 0x44000000],
    [0x3fc94000, 0x40378000],
  ),
  chip(
    "esp32c2",
    "ESP32-C2",
    0x0c,
    [0x3c000000, 0x3c400000],
    [0x42000000, 0x42400000],
    [0x3fcb0000, 0x40384000],
    true,
  ),
  sharedBus("esp32c6", "ESP32-C6", 0x0d, 0x43000000),
  sharedBus("esp32h2", "ESP32-H2", 0x10, 0x43000000),
  chip(
    "esp32p4",
    "ESP32-P4",
    0x12,
    [0x40000000, 0x44000000],
    [0x40000000, 0x44000000],
    [0x4ff50000, 0x4ff40000],
  ),
  sharedBus("esp32c61", "ESP32-C61", 0x14, 0x44000000),
  sharedBus("esp32c5", "ESP32-C5", 0x17, 0x44000000),
  sharedBus("esp32h21", "ESP32-H21", 0x19, 0x43000000),
  sharedBus("esp32h4", "ESP32-H4", 0x1c, 0x43000000),
]);

/** The chip of a `chip_id`, if known. */
export function chipById(id: number): Chip | undefined {
  return CHIPS.find((chip) => chip.id === id);
}

/** The chip of a name such as "esp32c3" or "ESP32-C3", if known. */
export function chipByName(name: string): Chip | undefined {
  const plain = name.toLowerCase().replaceAll("-", "");
  return CHIPS.find((chip) => chip.name === plain);
}

export function inRange(address: number, [start, end]: AddressRange): boolean {
  return address >= start && address < end;
}

/** Whether a segment loaded at `address` is mapped from flash rather than copied to RAM. */
export function isMapped(chip: Chip, address: number): boolean {
  return inRange(address, chip.drom) || inRange(address, chip.irom);
}
