/**
 * What is on the flash of a simulated device that has just left the factory. Pure.
 * @module
 */
import type { Hash } from "../../src/ports.js";
import { buildFlashDump, slotTable } from "../emulated/flash-dump.js";
import { buildImage } from "../formats/image-builder.js";

/** The chip whose images are used. */
const CHIP = "esp32";
/** As hosts/esp32/partitions/4mb.csv. */
const SLOT_SIZE = 0x1f0000;
/** What an application's own partitions need more than 4 MB for. */
const FLASH_WITH_DATA = 8 * 1_048_576;
/** Bytes of the image it starts with. */
const FIRST_IMAGE = 65536;

export interface Factory {
  /** Of the image. */
  readonly projectName: string;
  readonly version: string;
  /** Content of the partition "nvs", as `xs-ota nvs` writes it. */
  readonly nvs?: Uint8Array | undefined;
  /** Data partitions. */
  readonly partitions?: readonly { readonly label: string; readonly size: number }[] | undefined;
}

/** @returns the content of the whole flash @throws Error when something has no room */
export function freshFlash(
  { projectName, version, nvs, partitions }: Factory,
  sha256: () => Hash,
): Uint8Array {
  const ota_0 = buildImage({ chip: CHIP, projectName, version, size: FIRST_IMAGE }, sha256);
  const content: Record<string, Uint8Array> = nvs ? { ota_0, nvs } : { ota_0 };
  const table = slotTable({ slotSize: SLOT_SIZE, data: partitions });
  return buildFlashDump({ flashSize: partitions ? FLASH_WITH_DATA : undefined, table, content });
}
