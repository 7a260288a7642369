/**
 * A model of ESP-IDF's second-stage boot loader (v6.0, `bootloader_utility.c`): which application starts after
 * a reset, and what is written to `otadata` on the way. Checked against cases recorded from ESP-IDF's code.
 * @module
 */

import { ImageError } from "../formats/esp-image-layout.js";
import {
  activeEntry,
  EMPTY_SEQUENCE,
  isCrcRight,
  isInvalid,
  makeEntry,
  OTADATA_SIZE,
  type OtaEntry,
  STATE_ABORTED,
  STATE_NEW,
  STATE_PENDING_VERIFY,
  STATE_VALID,
  slotOf,
} from "../formats/otadata.js";
import {
  appName,
  type Partition,
  PartitionTableError,
  SUBTYPE_OTA_0,
  SUBTYPE_TEST,
  TYPE_APP,
} from "../formats/partition-table.js";
import { DeviceFlash, type DeviceOptions } from "./device-flash.js";
import { FlashError } from "./nor-flash.js";

/** Index of the factory application among the boot candidates; slots count from 0. */
const FACTORY = -1;

export interface BootOptions extends DeviceOptions {
  /** Told in a line each what the boot loader does and why. */
  readonly log?: (text: string) => void;
}

/**
 * Resets the device.
 * @returns the partition whose application starts; undefined when none does, and the chip resets for ever
 * @throws PowerCut when the power fails meanwhile
 */
export function boot(options: BootOptions): Partition | undefined {
  const log = options.log ?? (() => {});
  try {
    return new BootLoader(new DeviceFlash(options), log).boot();
  } catch (error) {
    if (!(error instanceof PartitionTableError || error instanceof FlashError)) throw error;
    log(`cannot boot: ${error.message}`);
    return undefined;
  }
}

class BootLoader {
  readonly #flash: DeviceFlash;
  readonly #log: (text: string) => void;
  /** Rows of OTA slots, gaps or not: `bootloader_state_t.app_count`. */
  readonly #slotCount: number;
  #initialContents = false;

  constructor(flash: DeviceFlash, log: (text: string) => void) {
    this.#flash = flash;
    this.#log = log;
    this.#slotCount = flash.partitions.filter(
      ({ type, subtype }) => type === TYPE_APP && subtype >= SUBTYPE_OTA_0 && subtype < SUBTYPE_TEST,
    ).length;
  }

  boot(): Partition | undefined {
    const { otadata } = this.#flash;
    if (otadata && otadata.size < OTADATA_SIZE) {
      this.#log("otadata partition is too small");
      return undefined;
    }
    return this.#load(otadata ? this.#select() : FACTORY);
  }

  /** `bootloader_utility_get_selected_boot_partition`. */
  #select(): number {
    const flash = this.#flash;
    const { rollback: built, loaderRollback: rollback = built, efuse } = flash.options;
    const entries = flash.entries();
    if (rollback) this.#abortPending(entries);
    if (this.#slotCount === 0 || entries.every(isInvalid)) {
      this.#log("otadata names no application");
      if (flash.factory) return FACTORY;
      this.#initialContents = entries.every(
        (entry) => entry.sequence === EMPTY_SEQUENCE || !isCrcRight(entry),
      );
      return 0;
    }
    const active = activeEntry(efuse ? entries.map((entry) => this.#secured(entry)) : entries);
    if (active === -1) {
      this.#log("otadata is damaged");
      return FACTORY;
    }
    const entry = entries[active];
    const index = slotOf(entry.sequence, this.#slotCount);
    this.#log(`otadata entry ${active} names ota_${index}`);
    if (rollback && entry.state === STATE_NEW) {
      this.#log(`ota_${index} starts for the first time: pending verify`);
      flash.writeEntry(active, { ...entry, state: STATE_PENDING_VERIFY });
    }
    if (entry.state === STATE_VALID) this.#raise(index);
    return index;
  }

  /** Whoever is still pending did not confirm: every such entry is given up, right checksum or not. */
  #abortPending(entries: OtaEntry[]): void {
    entries.forEach((entry, index) => {
      if (entry.state !== STATE_PENDING_VERIFY) return;
      this.#log(`otadata entry ${index} was not confirmed: aborted`);
      entries[index] = { ...entry, state: STATE_ABORTED };
      this.#flash.writeEntry(index, entries[index]);
    });
  }

  /** The entry, made invalid if its application's secure version is too low. */
  #secured(entry: OtaEntry): OtaEntry {
    const slot = this.#flash.slot(slotOf(entry.sequence, this.#slotCount));
    return slot && this.#flash.isSecureEnough(slot) ? entry : { ...entry, sequence: EMPTY_SEQUENCE };
  }

  /** `bootloader_utility_load_boot_image`: the one selected, those below it, those above it, the test app. */
  #load(selected: number): Partition | undefined {
    const flash = this.#flash;
    for (let index = selected; index >= FACTORY; index--)
      if (this.#try(index === FACTORY ? flash.factory : flash.slot(index))) return this.#start(index);
    for (let index = selected + 1; index < this.#slotCount; index++)
      if (this.#try(flash.slot(index))) return this.#start(index);
    if (this.#try(flash.test)) return flash.test;
    this.#log("no bootable application");
    return undefined;
  }

  #try(partition: Partition | undefined): boolean {
    if (!partition) return false;
    const name = appName(partition);
    if (!this.#flash.isSecureEnough(partition)) {
      this.#log(`${name}: secure version is too low`);
      return false;
    }
    try {
      this.#flash.loadImage(partition);
      this.#log(`${name} starts`);
      return true;
    } catch (error) {
      if (!(error instanceof ImageError || error instanceof FlashError)) throw error;
      this.#log(`${name}: ${error.message}`);
      return false;
    }
  }

  /** Records the first boot of a device that came without otadata. */
  #start(index: number): Partition | undefined {
    if (index === FACTORY) return this.#flash.factory;
    if (this.#initialContents) {
      this.#flash.writeEntry(0, makeEntry(index + 1, STATE_VALID));
      this.#raise(index);
    }
    return this.#flash.slot(index);
  }

  #raise(index: number): void {
    const slot = this.#flash.slot(index);
    if (slot && this.#flash.isSecureEnough(slot)) this.#flash.raiseSecureVersion(slot);
  }
}
