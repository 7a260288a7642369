/**
 * A small device for tests of the boot side: two slots or more with images of 512 bytes. Runs on Node and XS.
 * @module
 */
import { ModelBootControl } from "../../hosts/emulated/boot-control.js";
import { boot } from "../../hosts/emulated/boot-loader.js";
import { DeviceFlash, type DeviceOptions } from "../../hosts/emulated/device-flash.js";
import { buildFlashDump, type SlotTableOptions, slotTable } from "../../hosts/emulated/flash-dump.js";
import { MemoryStorage, NorFlash } from "../../hosts/emulated/nor-flash.js";
import { OtaOperations } from "../../hosts/emulated/ota-operations.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { type OtaEntry, stateName } from "../../hosts/formats/otadata.js";
import { appName, type Partition } from "../../hosts/formats/partition-table.js";
import { newSha256 } from "./sha256.js";

const SLOT_SIZE = 0x10000;

/** An image of 512 bytes for ESP32-C3; its version tells which slot it is for. */
export function smallImage(version: string, secureVersion = 0): Uint8Array {
  return buildImage({ version, projectName: "boot", size: 512, secureVersion }, newSha256);
}

export interface BootDeviceOptions
  extends Omit<SlotTableOptions, "slotSize">,
    Partial<Omit<DeviceOptions, "flash" | "sha256">> {
  /** By partition label. Default: a good image for each app partition, with the label as its version. */
  readonly images?: Readonly<Record<string, Uint8Array>>;
  readonly otadata?: readonly (OtaEntry | undefined)[];
  /** Replaces the usual table. */
  readonly table?: readonly Partition[];
}

export class BootDevice {
  readonly flash: NorFlash;
  readonly options: DeviceOptions;
  /** What the boot loader said last time. */
  log: string[] = [];

  constructor(options: BootDeviceOptions = {}) {
    const table = options.table ?? slotTable({ ...options, slotSize: SLOT_SIZE });
    const apps = table.filter(({ type }) => type === 0);
    const content = options.images ?? Object.fromEntries(apps.map(({ label }) => [label, smallImage(label)]));
    const { otadata, encrypted } = options;
    const dump = buildFlashDump({ flashSize: 0x60000, table, content, otadata, encrypted });
    this.flash = new NorFlash(new MemoryStorage(dump));
    this.options = {
      target: { chipId: 5 },
      rollback: true,
      ...options,
      flash: this.flash,
      sha256: newSha256,
    };
  }

  /** Resets; the label of what runs afterwards. */
  boot(): string | undefined {
    this.log = [];
    const partition = boot({ ...this.options, log: (text) => this.log.push(text) });
    return partition && appName(partition);
  }

  get device(): DeviceFlash {
    return new DeviceFlash(this.options);
  }

  partition(label: string): Partition {
    const partition = this.device.partitions.find((row) => row.label === label);
    if (!partition) throw new Error(`no partition "${label}"`);
    return partition;
  }

  /** The calls of the application in a partition. */
  operations(running: string): OtaOperations {
    return new OtaOperations(this.device, this.partition(running));
  }

  control(running: string, restart: () => void = () => {}): ModelBootControl {
    return new ModelBootControl(this.device, this.partition(running), restart);
  }

  /** Sequence number and state of both entries. */
  entries(): string[] {
    return this.device
      .entries()
      .map(({ sequence, state }) => (sequence === 0xffffffff ? "-" : `${sequence} ${stateName(state)}`));
  }
}
