/**
 * A simulated ESP32 around the application that runs in Moddable's simulator: flash in a file, and the model of
 * ESP-IDF's boot loader, which decides at each launch which image "runs". The code that really runs is always the
 * one the simulator was built with; version and project come from the image in the flash file.
 * @module
 */

import type { Flash } from "../../src/ports.js";
import { ModelBootControl } from "../emulated/boot-control.js";
import { boot } from "../emulated/boot-loader.js";
import { DeviceFlash, type DeviceOptions } from "../emulated/device-flash.js";
import { NorFlash } from "../emulated/nor-flash.js";
import { readBehaviour } from "../formats/image-builder.js";
import type { Partition } from "../formats/partition-table.js";
import { ModdableCrypto } from "../moddable/crypto.js";
import { FileStorage } from "./file-storage.js";
import { foldWords } from "./fold-words.js";
import { type Factory, freshFlash } from "./fresh-flash.js";

/** A new flash file starts as `Factory` says. */
export interface SimulatorSettings extends Factory {
  /** File with the flash content; made when missing. */
  readonly flashFile: string;
}

/** The model checks images as the boot loader of this chip would. */
const CHIP_ID = 0;

export class SimulatedDevice {
  readonly boot: ModelBootControl;
  readonly slot: Flash;
  /** What the running image asks a simulated device to do; "pass" when nothing. */
  readonly behaviour: string;
  readonly #flash: DeviceFlash;
  readonly #running: Partition;

  /**
   * Switches the device on.
   * @param restart called when the device restarts
   * @throws Error when no image in the flash file can be started
   */
  constructor(settings: SimulatorSettings, restart: () => void) {
    const crypto = new ModdableCrypto();
    const sha256 = () => crypto.sha256();
    const options: DeviceOptions = {
      flash: new NorFlash(new FileStorage(settings.flashFile, () => freshFlash(settings, sha256))),
      target: { chipId: CHIP_ID },
      sha256,
      xor: foldWords,
      rollback: true,
    };
    const running = boot({ ...options, log: (text) => trace(`boot: ${text}\n`) });
    if (!running)
      throw new Error(`${settings.flashFile} holds no image that starts: delete it to begin afresh`);
    this.#flash = new DeviceFlash(options);
    this.#running = running;
    this.boot = new ModelBootControl(this.#flash, running, restart);
    this.slot = this.#flash.open(this.boot.otherPartition);
    this.behaviour = readBehaviour(this.#flash.image(running)) ?? "pass";
  }

  /** Opens a data partition by its label, or "running". @throws Error */
  open(label: string): Flash {
    const partition =
      label === "running" ? this.#running : this.#flash.partitions.find((row) => row.label === label);
    if (!partition) throw new Error(`can't find partition "${label}"`);
    return this.#flash.open(partition);
  }
}
