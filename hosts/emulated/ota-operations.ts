/**
 * A model of the application's side of ESP-IDF's boot control (v6.0, `esp_ota_ops.c`). Names follow the
 * functions `esp_ota_*`. Checked against cases recorded from ESP-IDF's code.
 * @module
 */

import { ImageError } from "../formats/esp-image-layout.js";
import {
  activeEntry,
  EMPTY_SEQUENCE,
  isCrcRight,
  isValid,
  lastInvalidEntry,
  makeEntry,
  nextSequence,
  type OtaEntry,
  STATE_INVALID,
  STATE_NEW,
  STATE_PENDING_VERIFY,
  STATE_UNDEFINED,
  STATE_VALID,
  slotOf,
} from "../formats/otadata.js";
import {
  MAX_SLOTS,
  type Partition,
  SUBTYPE_FACTORY,
  SUBTYPE_OTA_0,
  SUBTYPE_TEST,
  TYPE_APP,
} from "../formats/partition-table.js";
import type { DeviceFlash } from "./device-flash.js";

/** `esp_err_t` by name. */
export type EspErrorCode =
  | "ESP_FAIL"
  | "ESP_ERR_INVALID_ARG"
  | "ESP_ERR_NOT_FOUND"
  | "ESP_ERR_NOT_SUPPORTED"
  | "ESP_ERR_OTA_PARTITION_CONFLICT"
  | "ESP_ERR_OTA_VALIDATE_FAILED"
  | "ESP_ERR_OTA_SMALL_SEC_VER"
  | "ESP_ERR_OTA_ROLLBACK_FAILED"
  | "ESP_ERR_OTA_ROLLBACK_INVALID_STATE";

/** What an `esp_ota_*` function would have returned instead of ESP_OK. */
export class EspError extends Error {
  override name = "EspError";
  readonly code: EspErrorCode;

  constructor(code: EspErrorCode, reason: string) {
    super(`${code}: ${reason}`);
    this.code = code;
  }
}

export class OtaOperations {
  readonly #flash: DeviceFlash;
  readonly #running: Partition;

  /** @param running the partition whose application makes the calls */
  constructor(flash: DeviceFlash, running: Partition) {
    this.#flash = flash;
    this.#running = running;
  }

  /** `esp_ota_get_boot_partition`: what otadata calls for, whether it can boot or not. */
  getBootPartition(): Partition | undefined {
    const flash = this.#flash;
    const entries = this.#entries();
    const active = activeEntry(entries);
    if (active !== -1 && flash.slots.length) return this.#slotFor(entries[active]);
    return flash.factory ?? flash.slots[0] ?? flash.test;
  }

  /** `esp_ota_get_next_update_partition`: the slot after `from` (default: the running one), then the first. */
  getNextUpdatePartition(from: Partition = this.#running): Partition | undefined {
    const slots: Partition[] = [];
    for (let i = 0; i < MAX_SLOTS; i++) {
      const slot = this.#flash.slot(i);
      if (slot) slots.push(slot);
    }
    return slots[slots.findIndex((slot) => slot.offset === from.offset) + 1] ?? slots[0];
  }

  /**
   * `esp_ota_get_state_partition`: the state in the first entry, not the newest, that stands for the slot.
   * @throws EspError ESP_ERR_NOT_SUPPORTED for a factory app, ESP_ERR_NOT_FOUND without an entry
   */
  getStatePartition(partition: Partition): number {
    if (!isOtaSlot(partition)) throw new EspError("ESP_ERR_NOT_SUPPORTED", "not an OTA slot");
    const entries = this.#entries();
    const entry = entries.find(
      (entry) => isCrcRight(entry) && this.#slotFor(entry)?.offset === partition.offset,
    );
    if (!entry) throw new EspError("ESP_ERR_NOT_FOUND", "otadata has no entry for the slot");
    return entry.state;
  }

  /** `esp_ota_get_last_invalid_partition`. */
  getLastInvalidPartition(): Partition | undefined {
    const entries = this.#entries();
    const index = lastInvalidEntry(entries);
    if (index === -1) return undefined;
    const slot = this.#slotFor(entries[index]);
    return slot && this.#isBootable(slot) ? slot : undefined;
  }

  /** `esp_ota_check_rollback_is_possible`: whether giving up the active entry leaves something to boot. */
  isRollbackPossible(): boolean {
    const flash = this.#flash;
    const entries = this.#entries();
    const active = activeEntry(entries);
    if (active === -1 || flash.slots.length === 0) return false;
    const other = entries[1 - active];
    if (!isValid(other))
      return !flash.options.efuse && flash.factory !== undefined && this.#isBootable(flash.factory);
    const slot = this.#slotFor(other);
    return slot !== undefined && this.#isBootable(slot) && flash.isSecureEnough(slot);
  }

  /**
   * The part of `esp_ota_begin` (sequential mode) that concerns otadata: the entry that is not active is erased before
   * its slot is written to, where that is possible. ESP-IDF does not look at the result, nor does this.
   * @throws EspError
   */
  begin(partition: Partition): void {
    if (!isOtaSlot(partition)) throw new EspError("ESP_ERR_INVALID_ARG", "not an OTA slot");
    if (partition.offset === this.#running.offset)
      throw new EspError("ESP_ERR_OTA_PARTITION_CONFLICT", "the slot is running");
    if (!this.#flash.options.rollback) return;
    const entries = this.#entries();
    const running = entries.find((entry) => isCrcRight(entry) && this.#isRunning(entry));
    if (running?.state === STATE_PENDING_VERIFY)
      throw new EspError("ESP_ERR_OTA_ROLLBACK_INVALID_STATE", "the running application is not confirmed");
    try {
      this.invalidateInactive();
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
    }
  }

  /**
   * `esp_ota_invalidate_inactive_ota_data_slot`: erases the entry that is not active.
   * @throws EspError ESP_FAIL when no entry is active, or the other one is empty, has a wrong checksum, stands for no
   *   partition, or for the running one
   */
  invalidateInactive(): void {
    this.#flash.eraseEntry(this.#lastBoot().index);
  }

  /**
   * `esp_ota_erase_last_boot_app_partition`: the same, and before that the slot it stands for.
   * @throws EspError as `invalidateInactive`
   */
  eraseLastBootAppPartition(): void {
    const { index, slot } = this.#lastBoot();
    const flash = this.#flash.open(slot);
    flash.eraseBlock(0, flash.status().blocks);
    this.#flash.eraseEntry(index);
  }

  /** The entry that is not active, and the slot it stands for: `erase_last_boot_app_partition` of ESP-IDF from 5.5 on. */
  #lastBoot(): { index: number; slot: Partition } {
    const entries = this.#entries();
    const index = 1 - this.#active(entries);
    const entry = entries[index];
    if (entry.sequence === EMPTY_SEQUENCE || !isCrcRight(entry))
      throw new EspError("ESP_FAIL", "the other entry is empty or damaged");
    const slot = this.#slotFor(entry);
    if (!slot || slot.offset === this.#running.offset)
      throw new EspError("ESP_FAIL", "the other entry stands for no slot, or for the running one");
    return { index, slot };
  }

  /**
   * `esp_ota_set_boot_partition` of v6.0: the slot that is active already is rewritten in its sector.
   * @throws EspError ESP_ERR_OTA_VALIDATE_FAILED with the reason, when the image would not boot
   */
  setBootPartition(partition: Partition): void {
    const flash = this.#flash;
    try {
      flash.checkImage(partition);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      throw new EspError("ESP_ERR_OTA_VALIDATE_FAILED", error.message);
    }
    if (partition.type !== TYPE_APP) throw new EspError("ESP_ERR_INVALID_ARG", "not an app partition");
    const entries = this.#entries();
    if (partition.subtype === SUBTYPE_FACTORY) {
      flash.eraseEntries();
      return;
    }
    if (!flash.isSecureEnough(partition)) {
      flash.open(partition).eraseBlock(0, partition.size / flash.open(partition).status().blockLength);
      throw new EspError("ESP_ERR_OTA_SMALL_SEC_VER", "the application's secure version is too low");
    }
    const index = partition.subtype - SUBTYPE_OTA_0;
    if (!isOtaSlot(partition) || index >= flash.slots.length)
      throw new EspError("ESP_ERR_INVALID_ARG", "not one of the OTA slots that follow each other");
    this.#rewriteOtadata(entries, index);
  }

  /**
   * `esp_ota_mark_app_valid_cancel_rollback`: confirms what otadata calls active, be it running or not.
   * @throws EspError ESP_FAIL when no entry is active
   */
  markAppValid(): void {
    const flash = this.#flash;
    const entries = this.#entries();
    const active = this.#active(entries);
    if (entries[active].state === STATE_VALID) return;
    flash.writeEntry(active, { ...entries[active], state: STATE_VALID });
    flash.raiseSecureVersion(this.#running);
  }

  /**
   * `esp_ota_mark_app_invalid_rollback`: gives up what otadata calls active. Restarting is the caller's.
   * @throws EspError ESP_FAIL when no entry is active; ESP_ERR_OTA_ROLLBACK_FAILED when nothing else could boot
   */
  markAppInvalid(): void {
    const entries = this.#entries();
    const active = this.#active(entries);
    if (!this.isRollbackPossible())
      throw new EspError("ESP_ERR_OTA_ROLLBACK_FAILED", "there is no other application to boot");
    this.#flash.writeEntry(active, { ...entries[active], state: STATE_INVALID });
  }

  #entries(): OtaEntry[] {
    if (!this.#flash.otadata) throw new EspError("ESP_ERR_NOT_FOUND", "there is no otadata partition");
    return this.#flash.entries();
  }

  #active(entries: readonly OtaEntry[]): number {
    const active = activeEntry(entries);
    if (active === -1 || this.#flash.slots.length === 0)
      throw new EspError("ESP_FAIL", "otadata has no active entry: a factory application is running");
    return active;
  }

  /** `esp_rewrite_ota_data`. */
  #rewriteOtadata(entries: readonly OtaEntry[], slot: number): void {
    const flash = this.#flash;
    const slots = flash.slots.length;
    const state = flash.options.rollback ? STATE_NEW : STATE_UNDEFINED;
    const active = activeEntry(entries);
    if (active === -1) {
      flash.writeEntry(0, makeEntry(slot + 1, state, entries[0].label));
      return;
    }
    const { sequence } = entries[active];
    if (slotOf(sequence, slots) === slot) flash.writeEntry(active, { ...entries[active], state });
    else {
      const next = nextSequence(sequence, slot, slots);
      flash.writeEntry(1 - active, makeEntry(next, state, entries[1 - active].label));
    }
  }

  #slotFor(entry: OtaEntry): Partition | undefined {
    const { slots } = this.#flash;
    return slots[slotOf(entry.sequence, slots.length)];
  }

  #isRunning(entry: OtaEntry): boolean {
    return this.#slotFor(entry)?.offset === this.#running.offset;
  }

  #isBootable(partition: Partition): boolean {
    try {
      this.#flash.checkImage(partition);
      return true;
    } catch (error) {
      if (error instanceof ImageError) return false;
      throw error;
    }
  }
}

function isOtaSlot(partition: Partition): boolean {
  return (
    partition.type === TYPE_APP && partition.subtype >= SUBTYPE_OTA_0 && partition.subtype < SUBTYPE_TEST
  );
}
