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
  type OtaEntry,
  STATE_ABORTED,
  STATE_INVALID,
  STATE_NEW,
  STATE_PENDING_VERIFY,
  STATE_UNDEFINED,
  STATE_VALID,
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
    if (active >= 0 && slotOf(entries[active].sequence, flash.slots.length) === index) {
      if (entries[active].state !== STATE_PENDING_VERIFY) return;
      throw new EspError("ESP_ERR_OTA_ROLLBACK_INVALID_STATE", "the running application is not confirmed");
    }
    this.#nameRunning(entries, active, index);
  }

  /** In place of the entry that is not active. */
  #nameRunning(entries: readonly OtaEntry[], active: number, index: number): void {
    const flash = this.#flash;
    if (active < 0) return flash.writeEntry(0, makeEntry(index + 1, STATE_UNDEFINED));
    const next = nextSequence(entries[active].sequence, index, flash.slots.length);
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

  secure(): void {
    const flash = this.#flash;
    const { slots } = flash;
    const entries = flash.entries();
    const index = slots.findIndex(({ offset }) => offset === this.runningPartition.offset);
    const slotAt = (n: number) => slotOf(entries[n].sequence, slots.length);
    const given = [0, 1].filter((n) => {
      const { sequence, state } = entries[n];
      const isGivenUp = state === STATE_INVALID || state === STATE_ABORTED;
      return isGivenUp && sequence !== EMPTY_SEQUENCE && isCrcRight(entries[n]) && slotAt(n) !== index;
    });
    for (const n of given) flash.writeEntry(n, entries[n]);
    const active = activeEntry(entries);
    if (given.length || index < 0) return;
    // What read well at the start may read otherwise now.
    if (active < 0 || slotAt(active) !== index) return this.#nameRunning(entries, active, index);
    // Elsewhere a second cut could start what is neither the one nor the other.
    const isPair =
      slots.length === 2 && !flash.partitions.some(({ type, subtype }) => type === 0 && subtype === 0);
    const { sequence, state } = entries[active];
    const next = sequence + slots.length;
    const isOnTrial = state === STATE_NEW || state === STATE_PENDING_VERIFY;
    if (!isPair || isOnTrial || next >= EMPTY_SEQUENCE) return;
    flash.writeEntry(1 - active, makeEntry(next, state === STATE_VALID ? state : STATE_UNDEFINED));
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
