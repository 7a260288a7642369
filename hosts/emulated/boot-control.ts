/**
 * The `BootControl` port over the models of ESP-IDF: what the native module does on the chip.
 * @module
 */
import type { AppDescription, BootControl, BootImageState } from "../../src/ports.js";
import {
  activeEntry,
  EMPTY_SEQUENCE,
  isCrcRight,
  makeEntry,
  nextSequence,
  STATE_PENDING_VERIFY,
  STATE_UNDEFINED,
  slotOf,
  stateName,
} from "../formats/otadata.js";
import type { Partition } from "../formats/partition-table.js";
import type { DeviceFlash } from "./device-flash.js";
import { EspError, OtaOperations } from "./ota-operations.js";

export class ModelBootControl implements BootControl {
  readonly running: AppDescription;
  readonly chipRevision: number | undefined;
  readonly rollbackEnabled: boolean;
  /** The partition the running application is in. */
  readonly runningPartition: Partition;
  /** The partition an update is written to. */
  readonly otherPartition: Partition;
  readonly #flash: DeviceFlash;
  readonly #operations: OtaOperations;
  readonly #restart: () => void;

  /**
   * @param running what `boot` returned
   * @param restart called by `restart`; has to end the application's life in a later turn
   * @throws ImageError when the running image has no descriptor; Error when there is no slot to update
   */
  constructor(flash: DeviceFlash, running: Partition, restart: () => void) {
    this.#flash = flash;
    this.#operations = new OtaOperations(flash, running);
    this.#restart = restart;
    this.running = flash.describe(running);
    const { rollback, loaderRollback = rollback, target } = flash.options;
    this.chipRevision = target.chipRevision;
    this.rollbackEnabled = rollback && loaderRollback;
    this.runningPartition = running;
    const other = this.#operations.getNextUpdatePartition();
    if (!other || other.offset === running.offset) throw new Error("there is no other slot to update");
    this.otherPartition = other;
  }

  imageState(): BootImageState {
    return this.#state(this.runningPartition);
  }

  otherState(): BootImageState {
    return this.#state(this.otherPartition);
  }

  keepWayBack(): void {
    const { runningPartition: running } = this;
    const flash = this.#flash;
    const entries = flash.entries();
    const active = activeEntry(entries);
    const index = flash.slots.findIndex(({ offset }) => offset === running.offset);
    if (index < 0) {
      // A factory application boots when no entry is good.
      if (active >= 0) this.#operations.setBootPartition(running);
      return;
    }
    if (active < 0) return flash.writeEntry(0, makeEntry(index + 1, STATE_UNDEFINED));
    const { sequence, state } = entries[active];
    if (slotOf(sequence, flash.slots.length) === index) {
      if (state !== STATE_PENDING_VERIFY) return;
      throw new EspError("ESP_ERR_OTA_ROLLBACK_INVALID_STATE", "the running application is not confirmed");
    }
    const next = nextSequence(sequence, index, flash.slots.length);
    if (next >= EMPTY_SEQUENCE) throw new RangeError("otadata has no sequence number left");
    flash.writeEntry(1 - active, makeEntry(next, STATE_UNDEFINED));
  }

  clearOther(): void {
    const { slots } = this.#flash;
    this.#flash.entries().forEach((entry, index) => {
      if (entry.sequence === EMPTY_SEQUENCE || !isCrcRight(entry)) return;
      const slot = slots[slotOf(entry.sequence, slots.length)];
      if (slot && slot.offset !== this.runningPartition.offset) this.#flash.eraseEntry(index);
    });
  }

  setBoot(): void {
    this.#operations.setBootPartition(this.otherPartition);
  }

  markValid(): void {
    this.#operations.markAppValid();
  }

  markInvalid(): void {
    this.#operations.markAppInvalid();
  }

  restart(): void {
    this.#restart();
  }

  #state(partition: Partition): BootImageState {
    try {
      return stateName(this.#operations.getStatePartition(partition));
    } catch (error) {
      if (error instanceof EspError) return "undefined";
      throw error;
    }
  }
}
