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
import { buildFlashDump, slotTable } from "../emulated/flash-dump.js";
import { NorFlash } from "../emulated/nor-flash.js";
import { buildImage, readBehaviour } from "../formats/image-builder.js";
import type { Partition } from "../formats/partition-table.js";
import { ModdableCrypto } from "../moddable/crypto.js";
import { FileStorage } from "./file-storage.js";
import { foldWords } from "./fold-words.js";

export interface SimulatorSettings {
  /** File with the flash content; made when missing. */
  readonly flashFile: string;
  /** Of the image a new flash file starts with. */
  readonly projectName: string;
  readonly version: string;
  /** Content of the partition "nvs" that a new flash file starts with, as `xs-ota nvs` writes it. */
  readonly nvs?: Uint8Array;
  /** Data partitions of a new flash file. */
  readonly partitions?: readonly { readonly label: string; readonly size: number }[];
}

/** The chip whose images are used, and its `chip_id`; the model checks them as this chip's boot loader would. */
const CHIP = "esp32";
const CHIP_ID = 0;
/** As hosts/esp32/partitions/4mb.csv. */
const SLOT_SIZE = 0x1f0000;
/** What an application's own partitions need more than 4 MB for. */
const FLASH_WITH_DATA = 8 * 1_048_576;
/** Bytes of the image a new flash file starts with. */
const FIRST_IMAGE = 65536;

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
    const { flashFile, projectName, version, nvs, partitions } = settings;
    const fresh = () => {
      const ota_0 = buildImage({ chip: CHIP, projectName, version, size: FIRST_IMAGE }, sha256);
      const content: Record<string, Uint8Array> = nvs ? { ota_0, nvs } : { ota_0 };
      const table = slotTable({ slotSize: SLOT_SIZE, data: partitions });
      return buildFlashDump({ flashSize: partitions ? FLASH_WITH_DATA : undefined, table, content });
    };
    const options: DeviceOptions = {
      flash: new NorFlash(new FileStorage(flashFile, fresh)),
      target: { chipId: CHIP_ID },
      sha256,
      xor: foldWords,
      rollback: true,
    };
    const running = boot({ ...options, log: (text) => trace(`boot: ${text}\n`) });
    if (!running) throw new Error(`${flashFile} holds no image that starts: delete it to begin afresh`);
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
