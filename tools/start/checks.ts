/**
 * The proof at the end: what the flash really holds, and what would boot from it.
 * @module
 */
import { boot } from "../../hosts/emulated/boot-loader.js";
import type { DeviceFlash, DeviceOptions } from "../../hosts/emulated/device-flash.js";
import { MemoryStorage, NorFlash, SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { stateName } from "../../hosts/formats/otadata.js";
import { appName, type Partition } from "../../hosts/formats/partition-table.js";

export interface Check {
  readonly what: string;
  readonly ok: boolean;
  /** What was found, when it is not what it should be. */
  readonly found?: string;
}

/** How often a copy of the device is reset to see whether it keeps booting what runs. */
const RESETS = 3;

export function check(what: string, ok: boolean, found: string): Check {
  return ok ? { what, ok } : { what, ok, found };
}

/** True when the slot begins with exactly these bytes. */
export function slotHolds(flash: DeviceFlash, slot: Partition, image: Uint8Array): boolean {
  const bytes = new Uint8Array(image.length);
  flash.open(slot).read(bytes, 0);
  return Buffer.compare(bytes, image) === 0;
}

/** The same device with a chip of its own, for trying what would happen. */
export function copyOf(options: DeviceOptions): DeviceOptions {
  const bytes = new Uint8Array(options.flash.size);
  options.flash.read(0, bytes);
  return { ...options, flash: new NorFlash(new MemoryStorage(bytes)) };
}

/** Resets a copy of the device a few times. Returns what started each time. */
export function bootsOfCopy({ options }: DeviceFlash): string[] {
  const copy = copyOf(options);
  return Array.from({ length: RESETS }, () => {
    const partition = boot(copy);
    return partition ? appName(partition) : "nothing";
  });
}

export function otadataOf(flash: DeviceFlash): { sequence: number; state: string }[] {
  return flash.entries().map(({ sequence, state }) => ({ sequence, state: stateName(state) }));
}

/** Greatest number of erase cycles of the sectors that `length` bytes in the slots take. */
export function mostErased({ options, slots }: DeviceFlash, length: number): number {
  const sectors = Math.ceil(length / SECTOR_SIZE);
  const first = slots.map(({ offset }) => offset / SECTOR_SIZE);
  return Math.max(...first.flatMap((start) => [...options.flash.wear.subarray(start, start + sectors)]));
}
