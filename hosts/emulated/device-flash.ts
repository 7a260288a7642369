/**
 * A device's flash as ESP-IDF sees it: partitions by table, the two `otadata` entries, app images. Both the
 * boot loader's model and the application's side of it work on this.
 * @module
 */
import type { AppDescription, Hash } from "../../src/ports.js";
import { checkImage, type ImageTarget, type XorWords } from "../formats/esp-image-check.js";
import {
  describeApp,
  type ImageLayout,
  type ImageSource,
  readImageLayout,
} from "../formats/esp-image-layout.js";
import { decodeEntry, ENTRY_OFFSETS, ENTRY_SIZE, encodeEntry, type OtaEntry } from "../formats/otadata.js";
import {
  findPartition,
  otaSlots,
  type Partition,
  PartitionTableError,
  parsePartitionTable,
  SUBTYPE_FACTORY,
  SUBTYPE_OTA_0,
  SUBTYPE_OTADATA,
  SUBTYPE_TEST,
  TABLE_OFFSET,
  TABLE_SIZE,
  TYPE_APP,
  TYPE_DATA,
} from "../formats/partition-table.js";
import { checkSignatureSector } from "../formats/secure-boot.js";
import { FlashPartition } from "./flash-partition.js";
import { type NorFlash, SECTOR_SIZE } from "./nor-flash.js";

/** One-time programmable bits; outlive everything. The count of bits set can only grow. */
export interface EFuse {
  secureVersion: number;
}

export interface DeviceOptions {
  readonly flash: NorFlash;
  readonly target: ImageTarget;
  readonly sha256: () => Hash;
  /** Sums up an image. Default: word by word. */
  readonly xor?: XorWords;
  /** `CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE`. */
  readonly rollback: boolean;
  /** Given: `CONFIG_BOOTLOADER_APP_ANTI_ROLLBACK`, with these fuses. */
  readonly efuse?: EFuse;
  /** `CONFIG_BOOTLOADER_SKIP_VALIDATE_ALWAYS`: the boot loader only follows the image's structure. */
  readonly skipValidation?: boolean;
  /** Secure Boot v2 is on: an image needs a signature sector. Whose signature it is plays no part here. */
  readonly secureBoot?: boolean;
  /** `rollback` of the boot loader, where it was built otherwise than the application. Default: the same. */
  readonly loaderRollback?: boolean;
  /** Flash encryption: apps, otadata and partitions with the flag behave as encrypted. */
  readonly encrypted?: boolean;
  /** Where the partition table is. Default 0x8000. */
  readonly tableOffset?: number;
}

/** The partition table of a chip. @throws PartitionTableError also when a partition does not lie on the chip */
export function readPartitionTable(flash: NorFlash, tableOffset = TABLE_OFFSET): Partition[] {
  const bytes = new Uint8Array(TABLE_SIZE);
  flash.read(tableOffset, bytes);
  const rows = parsePartitionTable(bytes);
  for (const { label, offset, size } of rows)
    if (offset + size > flash.size || offset % SECTOR_SIZE || size % SECTOR_SIZE || size === 0)
      throw new PartitionTableError(`partition "${label}" does not lie on sectors of the flash`);
  return rows;
}

export class DeviceFlash {
  readonly options: DeviceOptions;
  readonly partitions: readonly Partition[];
  readonly factory: Partition | undefined;
  readonly test: Partition | undefined;
  readonly otadata: Partition | undefined;
  /** ota_0, ota_1 … up to the first gap. */
  readonly slots: readonly Partition[];

  /** @throws PartitionTableError when the chip has no readable table */
  constructor(options: DeviceOptions) {
    this.options = options;
    this.partitions = readPartitionTable(options.flash, options.tableOffset);
    this.factory = findPartition(this.partitions, TYPE_APP, SUBTYPE_FACTORY);
    this.test = findPartition(this.partitions, TYPE_APP, SUBTYPE_TEST);
    this.otadata = findPartition(this.partitions, TYPE_DATA, SUBTYPE_OTADATA);
    this.slots = otaSlots(this.partitions);
  }

  /** The app partition ota_`index`, also behind a gap. */
  slot(index: number): Partition | undefined {
    return findPartition(this.partitions, TYPE_APP, SUBTYPE_OTA_0 + index);
  }

  open(partition: Partition): FlashPartition {
    const isOtadata = partition.type === TYPE_DATA && partition.subtype === SUBTYPE_OTADATA;
    return new FlashPartition(this.options.flash, {
      offset: partition.offset,
      size: partition.size,
      readOnly: partition.readOnly,
      encrypted: this.options.encrypted && (partition.type === TYPE_APP || isOtadata || partition.encrypted),
    });
  }

  /** Both `otadata` entries. @throws Error when there is no such partition */
  entries(): OtaEntry[] {
    const flash = this.#openOtadata();
    return ENTRY_OFFSETS.map((offset) => {
      const bytes = new Uint8Array(ENTRY_SIZE);
      flash.read(bytes, offset);
      return decodeEntry(bytes);
    });
  }

  /** Erases the sector of an entry and writes the entry in one go, as all of ESP-IDF's code does. */
  writeEntry(index: number, entry: OtaEntry): void {
    const flash = this.#openOtadata();
    flash.eraseBlock(index);
    flash.write(encodeEntry(entry), ENTRY_OFFSETS[index]);
  }

  eraseEntry(index: number): void {
    this.#openOtadata().eraseBlock(index);
  }

  /** Erases the whole partition. */
  eraseEntries(): void {
    const flash = this.#openOtadata();
    flash.eraseBlock(0, flash.status().blocks);
  }

  /** What `esp_image_verify` finds out. @throws ImageError */
  checkImage(partition: Partition): ImageLayout {
    const { target, sha256, xor } = this.options;
    const image = this.image(partition);
    const layout = checkImage(image, target, sha256, xor);
    if (this.options.secureBoot) checkSignatureSector(image, layout, sha256);
    return layout;
  }

  /** What the boot loader finds out before it starts an image. @throws ImageError */
  loadImage(partition: Partition): ImageLayout {
    // With Secure Boot ESP-IDF offers no way to skip it.
    const { skipValidation, secureBoot } = this.options;
    return skipValidation && !secureBoot
      ? readImageLayout(this.image(partition))
      : this.checkImage(partition);
  }

  /** @throws ImageError when the image has no application descriptor */
  describe(partition: Partition): AppDescription {
    return describeApp(this.image(partition));
  }

  /** True unless the eFuses call for a higher secure version than the partition's application has. */
  isSecureEnough(partition: Partition): boolean {
    const { efuse } = this.options;
    if (!efuse) return true;
    try {
      return this.describe(partition).secureVersion >= efuse.secureVersion;
    } catch (error) {
      if ((error as Error).name === "ImageError") return false;
      throw error;
    }
  }

  /** Raises the secure version in the eFuses to that of an application. */
  raiseSecureVersion(partition: Partition): void {
    const { efuse } = this.options;
    if (efuse) efuse.secureVersion = Math.max(efuse.secureVersion, this.describe(partition).secureVersion);
  }

  /** A partition's bytes as an image to be read. */
  image(partition: Partition): ImageSource {
    const flash = this.open(partition);
    return { size: partition.size, read: (into, offset) => flash.read(into, offset) };
  }

  #openOtadata(): FlashPartition {
    if (!this.otadata) throw new Error("the partition table has no otadata partition");
    return this.open(this.otadata);
  }
}
