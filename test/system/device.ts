/**
 * A device that lives through a story: chip, boot loader, connection, agent and application, life by life.
 * @module
 */
import { ModelBootControl } from "../../hosts/emulated/boot-control.js";
import { boot } from "../../hosts/emulated/boot-loader.js";
import { DeviceFlash, type DeviceOptions } from "../../hosts/emulated/device-flash.js";
import { buildFlashDump, slotTable } from "../../hosts/emulated/flash-dump.js";
import { MemoryStorage, NorFlash, PowerCut } from "../../hosts/emulated/nor-flash.js";
import { describeApp, readImageLayout } from "../../hosts/formats/esp-image-layout.js";
import { activeEntry, makeEntry, STATE_VALID, slotOf } from "../../hosts/formats/otadata.js";
import type { Partition } from "../../hosts/formats/partition-table.js";
import type { Crypto, Store } from "../../src/ports.js";
import { FlashPal } from "../../src/slot/flash-pal.js";
import { TEST_KEYS, testCrypto } from "../support/test-crypto.js";
import type { VirtualMqtt } from "../support/virtual-network.js";
import { StoryApp } from "./app.js";
import { type Firmware, SLOT_SIZE } from "./images.js";
import type { Kept } from "./judge.js";
import { CountingClock, LifeClock } from "./life.js";
import type { DeviceParts } from "./parts.js";
import type { Zone } from "./scenario.js";
import { FlashTrouble } from "./trouble.js";

const FLASH_SIZE = 0x50000;
const SECTOR = 4096;
/** From the request to the restart. */
const RESTART_MS = 100;
/** From the loss of a connection to the next. */
const REPLACE_MS = 1_000;
const PATIENT_RESETS = 3;

export class Device {
  readonly parts: DeviceParts;
  readonly flash: NorFlash;
  readonly #stored = new Map<string, string>();
  store!: Store;
  /** Numbers of the application's messages that reached the broker. */
  readonly telemetry = new Set<number>();
  on = false;
  lives = 0;
  clock: LifeClock;
  mqtt: VirtualMqtt | undefined;
  app: StoryApp | undefined;
  running: Partition | undefined;
  /** Until when there is no way to the broker. */
  offlineUntil = 0;
  /** Boots in a row that found nothing to start. */
  #dead = 0;
  readonly #options: DeviceOptions;
  readonly #view: DeviceFlash;

  constructor(parts: DeviceParts) {
    this.parts = parts;
    const { scenario, broker, foundry, firmware, trouble } = parts;
    const { encrypted, storage, efuse } = scenario.device;
    const table = slotTable({ slotSize: SLOT_SIZE, storageSize: storage ? 0x4000 : undefined });
    const content = { ota_0: firmware[0].bytes };
    const otadata = [makeEntry(1, STATE_VALID)];
    const dump = buildFlashDump({ flashSize: FLASH_SIZE, table, content, otadata, encrypted });
    // Not in otadata: the check sum of its entries leaves out their state, so that there is nothing an image could do about
    // one that reads differently from start to start.
    const { offset, size } = table.find(({ label }) => label === "otadata") as Partition;
    const unstable = (at: number) => at < offset || at >= offset + size;
    this.flash = new NorFlash(new MemoryStorage(dump), { unstable });
    this.#options = {
      ...{ flash: this.flash, target: { chipId: 5 }, sha256: foundry.sha256, rollback: true, encrypted },
      efuse: efuse ? { secureVersion: 1 } : undefined,
    };
    this.#view = new DeviceFlash(this.#options);
    this.clock = new LifeClock(broker.time);
    const view = {
      zone: (offset: number) => this.zone(offset),
      cut: (off: number) => this.#lost(off),
      get over() {
        return trouble.over;
      },
    };
    const slots = this.#view.slots.map(({ offset }) => offset);
    this.flash.faults = new FlashTrouble(scenario.faults, view, slots, SLOT_SIZE);
  }

  /** Switches the power on: the device boots and the application starts. */
  powerOn(): void {
    const { parts, flash } = this;
    const { judge, broker, scenario, note, trouble } = parts;
    if (this.on || judge.violation) return;
    this.on = true;
    this.lives++;
    flash.restorePower();
    flash.onBusy = undefined;
    this.running = undefined;
    let running: Partition | undefined;
    try {
      running = boot(this.#options);
    } catch (error) {
      if (error instanceof PowerCut) return;
      throw error;
    }
    if (!running) {
      // A chip that can not boot resets, and tries again: a command that failed may work this time.
      if (++this.#dead > PATIENT_RESETS) return judge.fail("the boot loader finds nothing to start");
      this.on = false;
      broker.time.at(broker.time.now + RESTART_MS, () => this.powerOn());
      return;
    }
    this.#dead = 0;
    this.running = running;
    const clock = (this.clock = new LifeClock(broker.time));
    flash.onBusy = (ms) => clock.busy(ms);
    const control = new ModelBootControl(this.#view, running, () =>
      clock.set(() => this.reset(), RESTART_MS),
    );
    const onTrial = this.quietly(() => control.imageState() === "pending-verify");
    const found = this.quietly(() => this.identify(running));
    note(`boots ${found.description}${onTrial ? " on trial" : ""}`);
    judge.booted(found, onTrial);
    this.look();
    if (judge.violation) return;
    this.mqtt = broker.connect(clock, scenario.link);
    this.mqtt.link = trouble.over ? { rtt: 40 } : scenario.link;
    this.mqtt.disconnect();
    this.mqtt.refuse = () => (trouble.active("refuse").length ? new Error("not authorized") : undefined);
    const { mqtt } = this;
    mqtt.mute = () => trouble.active("mute").length > 0;
    // As the adapters do: a connection that does not answer is replaced.
    mqtt.onSilence = () => {
      mqtt.disconnect();
      clock.set(() => this.reconnect(), REPLACE_MS);
    };
    clock.set(() => this.reconnect(), scenario.device.connect);
    this.app = new StoryApp(this, control, this.#pal(control, clock), clock, this.mqtt, found.firmware!);
    trouble.happened("boot");
  }

  /** Loses power in the middle of whatever happens, for `off` ms. */
  power(off: number): void {
    if (!this.on) return;
    this.flash.cutPower();
    this.#lost(off);
  }

  reset(): void {
    this.power(0);
  }

  /** The processor stops; a watchdog resets it. */
  hang(watchdogMs: number): void {
    this.clock.busy(watchdogMs * 2);
    const { lives } = this;
    const { time } = this.parts.broker;
    time.at(time.now + watchdogMs, () => {
      if (lives === this.lives) this.reset();
    });
  }

  reconnect(): void {
    const { time } = this.parts.broker;
    if (time.now >= this.offlineUntil) this.mqtt?.reconnect();
    else {
      const { clock } = this;
      clock.post(this.offlineUntil, () => this.reconnect());
    }
  }

  /** Tells the judge what is confirmed now. */
  look(): void {
    this.quietly(() => {
      const entries = this.#view.entries();
      const active = activeEntry(entries);
      if (active < 0 || entries[active].state !== STATE_VALID) return;
      const slot = this.#view.slots[slotOf(entries[active].sequence, 2)];
      const { firmware } = this.identify(slot);
      if (firmware) this.parts.judge.confirms(firmware);
    });
  }

  /** Does something with the flash that is not the device's doing. */
  quietly<T>(action: () => T): T {
    const { flash } = this;
    const { faults, onBusy, powered } = flash;
    flash.faults = undefined;
    flash.onBusy = undefined;
    flash.restorePower();
    try {
      return action();
    } finally {
      flash.faults = faults;
      flash.onBusy = onBusy;
      if (!powered) flash.cutPower();
    }
  }

  /** The firmware in a slot. */
  identify(slot: Partition): Kept {
    const source = this.#view.image(slot);
    try {
      const { version, buildId, projectName } = describeApp(source);
      const { length } = readImageLayout(source);
      const bytes = new Uint8Array(length);
      source.read(bytes, 0);
      const firmware = this.parts.firmware.find(
        (made) => made.bytes.length === length && made.bytes.every((byte, i) => byte === bytes[i]),
      );
      return { firmware, description: `${projectName} ${version} (${buildId})` };
    } catch (error) {
      return { firmware: undefined, description: `no image: ${(error as Error).message}` };
    }
  }

  /** Flips bits in the slot an update is written to. */
  rot(place: number, mask: number): void {
    const { running } = this;
    const other = this.#view.slots.find(({ offset }) => offset !== running?.offset);
    if (!running || !other || this.app?.firmware !== this.parts.judge.kept) return;
    this.flash.flipBits(other.offset + Math.floor(place * SLOT_SIZE), mask);
  }

  /** An update long ago has left something everywhere in the slot that is written to next. */
  fillOtherSlot(): void {
    const [, slot] = this.#view.slots;
    this.quietly(() => this.#view.open(slot).write(new Uint8Array(SLOT_SIZE).fill(0x5a), 0));
  }

  /** Erase cycles of the sectors of the slot a firmware is in. */
  wearOf(firmware: Firmware): number[] {
    const slot = this.quietly(() => this.#view.slots.find((row) => this.identify(row).firmware === firmware));
    const first = (slot?.offset ?? 0) / SECTOR;
    return slot ? [...this.flash.wear.subarray(first, first + SLOT_SIZE / SECTOR)] : [];
  }

  #pal(control: ModelBootControl, clock: LifeClock): FlashPal {
    const { scenario, foundry } = this.parts;
    const storage = this.#view.partitions.find(({ label }) => label === "storage");
    const crypto: Crypto = { ...testCrypto, sha256: foundry.sha256 };
    this.store = {
      get: (key) => {
        this.#storeFails("get");
        return this.#stored.get(key);
      },
      set: (key, value) => {
        this.#storeFails("set");
        if (!clock.over) this.#stored.set(key, value);
      },
    };
    return new FlashPal({
      ...{ slot: this.#view.open(control.otherPartition), boot: control, crypto, store: this.store },
      ...{ trustedKeys: TEST_KEYS, clock: (this.agentClock = new CountingClock(clock)) },
      journal: storage && this.#view.open(storage),
      eraseLength: scenario.device.eraseLength,
    });
  }

  agentClock!: CountingClock;

  /** @throws Error while the store is to fail; a driver may throw anything */
  #storeFails(call: "get" | "set"): void {
    for (const { what } of this.parts.trouble.active("store"))
      if (what === "both" || what === call)
        throw what === "both" ? null : new Error("ESP_ERR_NVS_NOT_ENOUGH_SPACE");
  }

  /** The clock of agent and porting layer is `ms` ahead from now on. */
  leap(ms: number): void {
    if (this.on && this.app) this.agentClock.ahead += ms;
  }

  /** Where a byte of the chip belongs, seen from the application that runs. */
  zone(offset: number): Zone | undefined {
    const { running } = this;
    const at = this.#view.partitions.find((row) => offset >= row.offset && offset < row.offset + row.size);
    if (!at || at.label === running?.label) return undefined;
    if (at.label === "otadata") return "otadata";
    if (!running) return undefined;
    if (at.label === "storage") return "journal";
    if (!at.label.startsWith("ota_")) return undefined;
    return offset >= at.offset + SLOT_SIZE - SECTOR ? "journal" : "data";
  }

  #lost(off: number): void {
    if (!this.on) return;
    const { broker, note, trouble } = this.parts;
    this.on = false;
    this.app = undefined;
    this.mqtt?.halt();
    this.mqtt = undefined;
    this.clock.halt();
    note(trouble.over ? "restarts" : `loses power for ${off} ms`);
    broker.time.at(broker.time.now + off, () => this.powerOn());
  }
}
