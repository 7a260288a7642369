/**
 * A device that lives through a story: chip, boot loader, connection, agent and application, life by life.
 * @module
 */
import { ModelBootControl } from "../../hosts/emulated/boot-control.js";
import { boot } from "../../hosts/emulated/boot-loader.js";
import { DeviceFlash, type DeviceOptions } from "../../hosts/emulated/device-flash.js";
import { buildFlashDump } from "../../hosts/emulated/flash-dump.js";
import type { FlashCommand } from "../../hosts/emulated/flash-faults.js";
import { MemoryStorage, NorFlash, PowerCut } from "../../hosts/emulated/nor-flash.js";
import { describeApp, readImageLayout } from "../../hosts/formats/esp-image-layout.js";
import { activeEntry, makeEntry, STATE_VALID, slotOf } from "../../hosts/formats/otadata.js";
import type { Partition } from "../../hosts/formats/partition-table.js";
import { Components } from "../../src/components/components.js";
import { COMPONENT_HEADER_LENGTH } from "../../src/components/header.js";
import { StagedPal } from "../../src/payload/index.js";
import { jsDecoder } from "../../src/payload/js-decoder.js";
import type { Crypto, Store } from "../../src/ports.js";
import { FlashPal } from "../../src/slot/flash-pal.js";
import type { OtaPal } from "../../src/slot/pal.js";
import { TEST_KEYS, testCrypto } from "../support/test-crypto.js";
import type { VirtualMqtt } from "../support/virtual-network.js";
import { StoryApp } from "./app.js";
import { Gearbox } from "./gear.js";
import { ASSETS, ASSETS_TYPE, type Assets, type Firmware, GEAR_TYPE, SLOT_SIZE } from "./images.js";
import type { Kept } from "./judge.js";
import { partitionsOf, zoneOf } from "./layout.js";
import { CountingClock, LifeClock } from "./life.js";
import { ModPart } from "./mod-part.js";
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
/** What counts as a leap of the clock, milliseconds. */
const LEAP_MS = 60_000;

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
  #components: Components | undefined;
  #mod: ModPart | undefined;
  /** The mod that runs. */
  #modRuns: Assets | undefined;
  #firmware: Firmware | undefined;
  /** Where the confirmed mod lies as the confirmed firmware needs it. */
  #keptPlace: Partition | undefined;
  /** Starts of a mod, in memory that a reset leaves alone. */
  #starts = 0;
  readonly #gearbox: Gearbox | undefined;
  otherPals: Readonly<Record<number, OtaPal>> = {};
  /** The place of the assets in use: nothing may be written there. */
  #inUse: Partition | undefined;
  /** Until when there is no way to the broker. */
  offlineUntil = 0;
  /** Boots in a row that found nothing to start. */
  #dead = 0;
  readonly #options: DeviceOptions;
  readonly #view: DeviceFlash;

  constructor(parts: DeviceParts) {
    this.parts = parts;
    const { scenario, broker, foundry, firmware, trouble } = parts;
    const { encrypted, efuse, processor } = scenario.device;
    this.#gearbox = processor ? new Gearbox(parts) : undefined;
    const table = partitionsOf(scenario.device);
    const content = { ota_0: firmware[0].bytes };
    const otadata = [makeEntry(1, STATE_VALID)];
    const dump = buildFlashDump({ flashSize: FLASH_SIZE, table, content, otadata, encrypted });
    // Not in otadata: the checksum of its entries leaves out their state, so that there is nothing an image could do about
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
      took: (name: string) => trouble.took(name),
      get over() {
        return trouble.over;
      },
    };
    const slots = this.#view.slots.map(({ offset }) => offset);
    const faults = new FlashTrouble(scenario.faults, view, slots, SLOT_SIZE);
    this.flash.faults = {
      fate: (command) => {
        this.#watch(command);
        return faults.fate(command);
      },
      alter: (offset, bits) => faults.alter(offset, bits),
    };
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
    this.running = this.#inUse = this.#modRuns = undefined;
    let running: Partition | undefined;
    try {
      running = boot(this.#options);
    } catch (error) {
      if (error instanceof PowerCut) return;
      throw error;
    }
    if (!running) {
      // A chip that cannot boot resets, and tries again: a command that failed may work this time.
      if (++this.#dead > PATIENT_RESETS) return judge.fail("the boot loader finds nothing to start");
      this.on = false;
      broker.time.at(broker.time.now + RESTART_MS, () => this.powerOn());
      return;
    }
    this.#dead = 0;
    this.running = running;
    const clock = (this.clock = new LifeClock(broker.time));
    flash.onBusy = (ms) => clock.busy(ms);
    let restarts = false;
    const control = new ModelBootControl(this.#view, running, () => {
      restarts = true;
      clock.set(() => this.reset(), RESTART_MS);
    });
    const onTrial = this.quietly(() => control.imageState() === "pending-verify");
    const found = this.quietly(() => this.identify(running));
    note(`boots ${found.description}${onTrial ? " on trial" : ""}`);
    judge.booted(found, onTrial);
    this.look();
    if (judge.violation) return;
    this.mqtt = broker.connect(clock, scenario.link);
    this.mqtt.link = trouble.over ? { rtt: 40 } : scenario.link;
    this.mqtt.disconnect();
    this.mqtt.refuse = () => {
      if (!trouble.active("refuse").length) return undefined;
      trouble.took("SUBSCRIBE refused");
      return new Error("not authorized");
    };
    const { mqtt } = this;
    mqtt.mute = () => {
      const mute = trouble.active("mute").length > 0;
      if (mute) trouble.took("silent SUBACK");
      return mute;
    };
    // As the adapters do: a connection that does not answer is replaced.
    mqtt.onSilence = () => {
      mqtt.disconnect();
      clock.set(() => this.reconnect(), REPLACE_MS);
    };
    clock.set(() => this.reconnect(), scenario.device.connect);
    const firmware = (this.#firmware = found.firmware!);
    let pal: OtaPal;
    try {
      pal = this.#pal(control, clock, firmware);
    } catch (error) {
      // Without its records nothing is known of the assets: as a product that starts again.
      note(`cannot start: ${(error as Error).message}`);
      if (this.on) clock.set(() => this.reset(), RESTART_MS);
      return;
    }
    if (!this.on) {
      // The power went while they were read: of what that life made nothing is left.
      this.#components = this.#mod = undefined;
      return;
    }
    // Neither mod nor firmware on trial can stay.
    if (restarts) return;
    const assets = this.quietly(() => this.#findAssets());
    this.#modRuns = this.#mod && assets;
    const isOnTrial = pal.getPlatformImageState() === "pending-commit";
    if (scenario.device.components) judge.uses(assets, firmware, isOnTrial, this.#mod?.excused);
    if (judge.violation) return;
    // Whatever is amiss shows in what the application does.
    const kind = firmware.kind === "good" && assets ? assets.kind : firmware.kind;
    this.app = new StoryApp(this, control, pal, clock, this.mqtt, firmware, kind, assets);
    trouble.happened("boot");
  }

  /** Loses power in the middle of whatever happens, for `off` ms. */
  power(off: number): void {
    if (!this.on) return;
    this.flash.cutPower();
    this.#lost(off);
  }

  /** The chip alone: memory that needs no more than power keeps what it has, and so does what else is on the board. */
  reset(): void {
    if (!this.on) return;
    this.flash.cutPower();
    this.#lost(0, false);
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
    const components = this.#components;
    this.quietly(() => {
      const entries = this.#view.entries();
      const active = activeEntry(entries);
      if (active < 0 || entries[active].state !== STATE_VALID) return;
      const slot = this.#view.slots[slotOf(entries[active].sequence, 2)];
      const { firmware } = this.identify(slot);
      if (firmware) this.parts.judge.confirms(firmware);
    });
    if (!components || components.getPlatformImageState() === "pending-commit") return;
    const assets = this.#mod ? this.#modInUse() : this.quietly(() => this.#findAssets());
    const { judge } = this.parts;
    // Those of a set are confirmed as its firmware is.
    if (assets && judge.sets.get(this.app?.firmware as Firmware) !== assets) judge.confirmsAssets(assets);
    const isKept = this.#modRuns && this.#modRuns === judge.keptAssets && this.#firmware === judge.kept;
    if (isKept) this.#keptPlace = this.#inUse;
  }

  /** What runs, unless it has been given up and waits for the restart. */
  #modInUse(): Assets | undefined {
    const open = this.quietly(() => this.#components?.open(ASSETS));
    return open?.header.version === this.#modRuns?.version ? this.#modRuns : undefined;
  }

  /** The assets in use. */
  #findAssets(): Assets | undefined {
    if (this.#mod) return this.#mod.run();
    const open = this.#components?.open(ASSETS);
    if (!open) return undefined;
    const { byteLength, header } = open;
    const content = new Uint8Array(byteLength);
    open.read(0, content);
    this.#inUse = this.#place(this.#components?.use(ASSETS)?.place);
    const found = this.parts.assets.find(
      ({ version, bytes }) =>
        version === header.version && sameBytes(bytes.subarray(COMPONENT_HEADER_LENGTH), content),
    );
    if (!found) this.parts.judge.fail(`assets ${header.version} are none that were made`);
    return found;
  }

  #place(number: number | undefined): Partition | undefined {
    return this.#view.partitions.find(({ label }) => label === `assets_${number}`);
  }

  /** Nothing may happen to what is in use, nor to the mod that is there again when what is on trial gives way. */
  #watch({ kind, offset }: FlashCommand): void {
    if (kind === "read") return;
    const hit = () =>
      [this.#inUse, this.#keptPlace].find(
        (place) => place && offset >= place.offset && offset < place.offset + place.size,
      );
    if (!hit()) return;
    // What was confirmed since, without a word that the service took, has moved.
    this.look();
    const place = hit();
    if (place) this.parts.judge.fail(`the place in use, ${place.label}, is written to`);
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
      const firmware = this.parts.firmware.find((made) => sameBytes(made.bytes, bytes));
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

  /** @throws Error when the record of the components cannot be read, or written */
  #pal(control: ModelBootControl, clock: LifeClock, version: Firmware): OtaPal {
    const { scenario, foundry, note } = this.parts;
    const { staged, components, eraseLength } = scenario.device;
    const open = (label: string) =>
      this.#view.open(this.#view.partitions.find((row) => row.label === label)!);
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
    const shared = {
      ...{ boot: control, crypto, trustedKeys: TEST_KEYS },
      clock: (this.agentClock = new CountingClock(clock)),
      journal: storage && this.#view.open(storage),
    };
    const slot = { slot: this.#view.open(control.otherPartition), store: this.store, eraseLength };
    const running = this.#view.open(this.running as Partition);
    const firmware = staged
      ? new StagedPal({ ...shared, ...slot, running, decoder: jsDecoder, packed: true })
      : new FlashPal({ ...shared, ...slot });
    this.#components = this.#mod = undefined;
    if (this.#gearbox)
      this.otherPals = { [GEAR_TYPE]: this.#gearbox.pal(this.agentClock, crypto, open("gear")) };
    if (!components) return firmware;
    const places = [open("assets_0"), open("assets_1")] as const;
    const mod = scenario.device.mod
      ? new ModPart({ ...shared, parts: this.parts, places, links: open("links"), device: this }, version)
      : undefined;
    this.#components = new Components({
      ...{ ...shared, firmware, log: open("components") },
      components: [mod?.mods.definition ?? { name: ASSETS, fileType: ASSETS_TYPE, places }],
      onNotice: (error) => note(`components: ${error.message}`),
    });
    this.#mod = mod;
    const place = mod?.prepare(this.#components);
    // From here on it runs from there.
    this.#inUse = this.#place(place);
    return this.#components;
  }

  /** What memory keeps through a reset, and what restarts the chip whatever the application does. */
  readonly starts = {
    get: () => this.#starts,
    set: (count: number) => void (this.#starts = count),
  };

  watch(ms: number): () => void {
    const { lives } = this;
    const { time } = this.parts.broker;
    const event = time.at(time.now + ms, () => {
      if (lives === this.lives) this.reset();
    });
    return () => time.cancel(event);
  }

  agentClock!: CountingClock;

  /** @throws Error while the store is to fail; a driver may throw anything */
  #storeFails(call: "get" | "set"): void {
    for (const { what } of this.parts.trouble.active("store"))
      if (what === "both" || what === call) {
        this.parts.trouble.took(`store fails to ${call}`);
        throw what === "both" ? null : new Error("ESP_ERR_NVS_NOT_ENOUGH_SPACE");
      }
  }

  /** The clock of agent and porting layer is `ms` ahead from now on. */
  leap(ms: number): void {
    if (!this.on || !this.app) return;
    this.agentClock.ahead += ms;
    if (ms >= LEAP_MS) this.parts.trouble.took("clock leaps by more than a minute");
  }

  /** Where a byte of the chip belongs, seen from the application that runs. */
  zone(offset: number): Zone | undefined {
    return zoneOf(offset, this.#view.partitions, this.running);
  }

  #lost(off: number, powerLost = true): void {
    if (!this.on) return;
    const { broker, note, trouble } = this.parts;
    this.on = false;
    this.app = this.#components = this.#mod = this.#inUse = undefined;
    this.#gearbox?.lifeOver(powerLost);
    if (powerLost) this.#starts = 0;
    this.mqtt?.halt();
    this.mqtt = undefined;
    this.clock.halt();
    note(trouble.over ? "restarts" : `loses power for ${off} ms`);
    broker.time.at(broker.time.now + off, () => this.powerOn());
  }
}

/** With a loop of its own: a story compares megabytes. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
