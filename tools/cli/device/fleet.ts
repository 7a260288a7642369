/**
 * Simulated devices that connect to a broker, report what they run, and update themselves.
 * @module
 */

import { join } from "node:path";
import {
  type AppConfig,
  type AppEvent,
  type Behaviour,
  COMPONENT_LOG,
  placesOf,
} from "../../../hosts/emulated/device-app.js";
import { buildFlashDump, slotTable } from "../../../hosts/emulated/flash-dump.js";
import { NorFlash, SECTOR_SIZE } from "../../../hosts/emulated/nor-flash.js";
import { chipById } from "../../../hosts/formats/chips.js";
import { describeApp, imageBytes } from "../../../hosts/formats/esp-image-layout.js";
import { makeEntry, STATE_VALID } from "../../../hosts/formats/otadata.js";
import { SimulatedDevice } from "../../../hosts/node/device.js";
import type { EngineName } from "../../../hosts/node/engine.js";
import { FileStorage } from "../../../hosts/node/file-storage.js";
import { FileStore } from "../../../hosts/node/file-store.js";
import { makeFolder } from "../../../service/make-folder.js";
import { encodeUtf8 } from "../../../src/bytes.js";
import type { MqttConnection, Store } from "../../../src/ports.js";
import { lockFolder } from "../lock.js";
import { SparseStorage } from "./sparse-storage.js";

export interface FleetOptions {
  readonly things: readonly string[];
  readonly engine: EngineName;
  /** URL of the broker. */
  readonly broker: string;
  /** PEM of the authority that broker and image server are trusted by. */
  readonly ca?: string;
  /** What the only device shows the broker; PEM. */
  readonly credentials?: { readonly password?: string; readonly cert?: string; readonly key?: string };
  /** What runs at first. */
  readonly image: Uint8Array;
  /** Bytes of a slot. */
  readonly slotSize: number;
  readonly trustedKeys: AppConfig["trustedKeys"];
  readonly agent?: AppConfig["agent"];
  readonly allowDowngrade: boolean;
  /** Files beside the firmware. */
  readonly components?: AppConfig["components"];
  /** What every image but the first does; undefined: what it says itself. */
  readonly behaviour?: Behaviour;
  /** Folder in which devices are kept. */
  readonly keep?: string;
}

/** What a device tells, for a person. */
export interface FleetEvents {
  boot(thingName: string, firmware: Firmware): void;
  app(thingName: string, event: AppEvent): void;
  /** It crashed, or nothing boots any more. */
  trouble(thingName: string, text: string): void;
}

/** As reported in the shadow, under "firmware". */
export interface Firmware {
  readonly project: string;
  readonly version: string;
  readonly chip: string;
  readonly slot: string;
  readonly state: string;
  readonly build: string;
}

const MEGABYTE = 1_048_576;
/** Bytes of a component's place. */
const PLACE_SIZE = 0x40000;
/** Reconnecting is quick here: the broker is near. */
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 4000;
/** Devices are switched on one after the other, so that the first connections do not wait for each other. */
const AT_ONCE = 10;

export class Fleet {
  readonly #options: FleetOptions;
  readonly #events: FleetEvents;
  readonly #devices = new Map<string, SimulatedDevice>();
  readonly #closers: (() => void)[] = [];

  constructor(options: FleetOptions, events: FleetEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** @throws Error when the image does not fit, or the folder cannot be used */
  async start(): Promise<void> {
    const { keep } = this.#options;
    if (keep !== undefined) {
      makeFolder(keep);
      this.#closers.push(lockFolder(keep));
    }
    const flash = this.#factoryFlash();
    const { things } = this.#options;
    for (const thingName of things) this.#devices.set(thingName, this.#make(thingName, flash));
    const waiting = [...this.#devices.values()];
    const work = async () => {
      for (let device = waiting.shift(); device; device = waiting.shift()) await device.powerOn();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  get connected(): number {
    return [...this.#devices.values()].filter((device) => device.connected).length;
  }

  /** How many devices run which version. */
  versions(): Map<string, number> {
    const versions = new Map<string, number>();
    for (const device of this.#devices.values()) {
      const version = device.running ? device.status().app.version : "nothing";
      versions.set(version, (versions.get(version) ?? 0) + 1);
    }
    return versions;
  }

  /** Switches everything off. */
  async stop(): Promise<void> {
    await Promise.all([...this.#devices.values()].map((device) => device.powerOff()));
    for (const close of this.#closers.splice(0).reverse()) close();
  }

  #make(thingName: string, flash: Uint8Array): SimulatedDevice {
    const {
      engine,
      broker,
      ca,
      credentials,
      image,
      trustedKeys,
      agent,
      allowDowngrade,
      components,
      behaviour,
    } = this.#options;
    const first = describeApp(imageBytes(image));
    const { chip, store } = this.#open(thingName, flash);
    const report: ShadowReport = new ShadowReport(thingName, () => firmwareOf(device));
    const device: SimulatedDevice = new SimulatedDevice({
      ...{ engine, chip, store, chipId: first.chipId },
      broker: {
        url: broker,
        firstWait: FIRST_WAIT_MS,
        longestWait: LONGEST_WAIT_MS,
        options: { ca, ...credentials, ...(credentials?.password && { username: thingName }) },
      },
      tls: ca === undefined ? undefined : { ca },
      app: {
        ...{ thingName, trustedKeys, allowDowngrade, agent, protocols: ["MQTT", "HTTP"] },
        ...{ failureLog: true, payloads: true, components },
      },
      behaviour: ({ buildId }) => (buildId === first.buildId ? undefined : behaviour),
      network: (mqtt) => report.attach(mqtt),
    });
    device.on("boot", () => this.#events.boot(thingName, firmwareOf(device)));
    device.on("crash", (reason) => this.#events.trouble(thingName, `crashed: ${reason}`));
    device.on("dead", () => this.#events.trouble(thingName, "nothing boots any more"));
    device.on("app", (event) => {
      if (event.type === "complete" || event.type === "decided") report.send();
      this.#events.app(thingName, event);
    });
    return device;
  }

  #open(thingName: string, flash: Uint8Array): { chip: NorFlash; store: Store } {
    const { keep } = this.#options;
    if (keep === undefined) return { chip: new NorFlash(new SparseStorage(flash)), store: new MemoryStore() };
    const folder = join(keep, folderName(thingName));
    makeFolder(folder);
    const storage = new FileStorage(join(folder, "flash.bin"), () => flash);
    this.#closers.push(() => storage.close());
    return { chip: new NorFlash(storage), store: new FileStore(join(folder, "store.json")) };
  }

  /** A chip as it leaves the factory: two slots, the image in the first. */
  #factoryFlash(): Uint8Array {
    const { image, slotSize, components = [] } = this.#options;
    const places = components.flatMap(placesOf).map((label) => ({ label, size: PLACE_SIZE }));
    const log = { label: COMPONENT_LOG, size: 2 * SECTOR_SIZE };
    const table = slotTable({ slotSize, data: components.length > 0 ? [log, ...places] : [] });
    const end = Math.max(...table.map(({ offset, size }) => offset + size));
    let flashSize = 4 * MEGABYTE;
    while (flashSize < end) flashSize *= 2;
    const otadata = [makeEntry(1, STATE_VALID)];
    return buildFlashDump({ flashSize, table, otadata, content: { ota_0: image } });
  }
}

/** A folder for each thing, also where a colon may not stand in names, or small and capital letters are the same. */
export function folderName(thingName: string): string {
  return thingName.replace(/[A-Z:]/g, (character) =>
    character === ":" ? "%3A" : `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function firmwareOf(device: SimulatedDevice): Firmware {
  const { slot, app, state } = device.status();
  const { projectName: project, version, chipId, buildId: build } = app;
  return { project, version, build, chip: chipById(chipId)?.title ?? `chip ${chipId}`, slot, state };
}

/** Writes what the device runs into its shadow, whenever it connects or that changes. */
class ShadowReport {
  readonly #topic: string;
  readonly #firmware: () => Firmware;
  #mqtt: MqttConnection | undefined;

  constructor(thingName: string, firmware: () => Firmware) {
    this.#topic = `$aws/things/${thingName}/shadow/update`;
    this.#firmware = firmware;
  }

  /** A new life of the device uses this connection. */
  attach(mqtt: MqttConnection): MqttConnection {
    this.#mqtt = mqtt;
    mqtt.addObserver({ online: () => this.send(), offline: () => {} });
    return mqtt;
  }

  send(): void {
    if (!this.#mqtt?.connected) return;
    const document = { state: { reported: { firmware: this.#firmware() } } };
    this.#mqtt.publish(this.#topic, encodeUtf8(JSON.stringify(document)), 1);
  }
}

class MemoryStore implements Store {
  readonly #values = new Map<string, string>();

  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: string): void {
    this.#values.set(key, value);
  }
}
