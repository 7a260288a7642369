/**
 * Devices for the conformance tests of `BootControl`: what a flash chip looks like in each scene, and what the tests do to
 * it. Runs on Node and on XS.
 * @module
 */
import { boot } from "../../hosts/emulated/boot-loader.js";
import { DeviceFlash, type DeviceOptions } from "../../hosts/emulated/device-flash.js";
import { buildFlashDump, slotTable } from "../../hosts/emulated/flash-dump.js";
import type { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import type { NorFlash } from "../../hosts/emulated/nor-flash.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { makeEntry, STATE_ABORTED, STATE_VALID } from "../../hosts/formats/otadata.js";
import type { Partition } from "../../hosts/formats/partition-table.js";
import { withSignatureSector } from "../../hosts/formats/secure-boot.js";
import type { BootControl, Hash } from "../../src/ports.js";
import type { BootHarness, BootScene } from "../conformance/boot-control.js";

export const SCENE_SLOT_SIZE = 0x10000;

/** A chip with the first image, version "1.0.0". */
export function sceneDump(scene: BootScene, sha256: () => Hash): Uint8Array {
  const { slots = 2, factory = false, encrypted } = scene;
  return buildFlashDump({
    flashSize: 0x60000,
    table: slotTable({ slotSize: SCENE_SLOT_SIZE, slots, factory }),
    otadata: factory ? [] : [makeEntry(1, STATE_VALID)],
    content: { [factory ? "factory" : "ota_0"]: sceneImage(scene, "1.0.0", sha256) },
    encrypted,
  });
}

function sceneImage(scene: BootScene, version: string, sha256: () => Hash): Uint8Array {
  const image = buildImage({ chip: "esp32c3", projectName: "scene", version, size: 1024 }, sha256);
  return scene.secureBoot ? withSignatureSector(image, sha256) : image;
}

/** The life of a device around a `BootControl`. */
export abstract class SceneHarness implements BootHarness {
  readonly #scene: BootScene;
  protected readonly options: DeviceOptions;
  protected running!: Partition;

  constructor(scene: BootScene, flash: NorFlash, sha256: () => Hash) {
    const { encrypted, secureBoot, oldLoader = false } = scene;
    this.#scene = scene;
    this.options = {
      ...{ flash, target: { chipId: 5 }, sha256, encrypted, secureBoot },
      ...{ rollback: true, loaderRollback: !oldLoader },
    };
  }

  /** The application's side of what has just booted. */
  protected abstract control(): BootControl;

  fresh(): BootControl {
    return this.reboot();
  }

  reboot(): BootControl {
    const running = boot(this.options);
    if (!running) throw new Error("nothing boots");
    this.running = running;
    return this.control();
  }

  install(version: string): void {
    const flash = this.#next();
    flash.eraseBlock(0, SCENE_SLOT_SIZE / 4096);
    flash.write(sceneImage(this.#scene, version, this.options.sha256), 0);
  }

  spoil(): void {
    const device = new DeviceFlash(this.options);
    for (const row of device.partitions)
      if (row.type === 0 && row.label !== this.running.label) device.open(row).eraseBlock(0);
  }

  spoilRunning(): void {
    new DeviceFlash(this.options).open(this.running).eraseBlock(0);
  }

  strand(): BootControl {
    const device = new DeviceFlash(this.options);
    const count = device.slots.length;
    const index = device.slots.findIndex(({ offset }) => offset === this.running.offset);
    // The slot before the running one, which is the last one to be updated.
    const other = ((index < 0 ? count : index) + count - 1) % count;
    device.writeEntry(0, makeEntry(other + 1 + count, STATE_VALID));
    device.writeEntry(1, makeEntry(other + 1 + 2 * count, STATE_ABORTED));
    return this.reboot();
  }

  #next(): FlashPartition {
    const device = new DeviceFlash(this.options);
    const index = device.slots.findIndex(({ offset }) => offset === this.running.offset);
    return device.open(device.slots[(index + 1) % device.slots.length]);
  }
}
