/**
 * A simulated device: a flash chip, the model of ESP-IDF's boot loader, and an engine that runs the application
 * of the slot that boots; again and again, as resets come.
 * @module
 */
import { EventEmitter } from "node:events";
import type { AppDescription, BootImageState, Flash, Log, MqttConnection, Store } from "../../src/ports.js";
import { ModelBootControl } from "../emulated/boot-control.js";
import { boot } from "../emulated/boot-loader.js";
import { type AppConfig, type AppEvent, type Behaviour, NO_MQTT } from "../emulated/device-app.js";
import { DeviceFlash, type DeviceOptions } from "../emulated/device-flash.js";
import type { NorFlash } from "../emulated/nor-flash.js";
import { readBehaviour } from "../formats/image-builder.js";
import { appName, type Partition, TYPE_DATA } from "../formats/partition-table.js";
import { XsEngine } from "../xs/xs-engine.js";
import { nodeCrypto } from "./crypto.js";
import type { Engine, EngineName, EngineOptions } from "./engine.js";
import { NodeHttpClient } from "./http-client.js";
import { NodeMqttConnection, type NodeMqttOptions } from "./mqtt-connection.js";
import { NodeEngine } from "./node-engine.js";

export interface DeviceSetup {
  readonly engine: EngineName;
  readonly chip: NorFlash;
  /** `chip_id` of the image header. */
  readonly chipId: number;
  /** Default: none, for an application that needs no MQTT. */
  readonly broker?: Pick<NodeMqttOptions, "url" | "options" | "firstWait" | "longestWait"> | undefined;
  readonly app: Omit<AppConfig, "behaviour">;
  readonly store: Store;
  readonly log?: Log;
  /** Default true: the boot loader rolls back. */
  readonly rollback?: boolean;
  /** Secure version in the eFuses; given: anti-rollback is on. */
  readonly efuse?: DeviceOptions["efuse"];
  /** Overrules what an image says of its behaviour. */
  behaviour?(app: AppDescription): Behaviour | undefined;
  /** Puts something between device and broker. */
  network?(mqtt: MqttConnection): MqttConnection;
  /** TLS material for HTTPS. */
  readonly tls?: ConstructorParameters<typeof NodeHttpClient>[0];
  /** Default 5000. */
  readonly watchdogMs?: number;
  readonly onEngineReply?: ConstructorParameters<typeof XsEngine>[1];
}

export interface DeviceEvents {
  /** An application starts. */
  boot: [{ readonly slot: string; readonly app: AppDescription; readonly state: BootImageState }];
  /** A line of the boot loader. */
  "boot-loader": [text: string];
  app: [AppEvent];
  crash: [reason: string];
  /** The application asked for a restart. */
  restart: [];
  /** Nothing boots any more. */
  dead: [];
}

const BEHAVIOURS: readonly string[] = ["pass", "fail", "crash", "hang", "no-network"] satisfies Behaviour[];
const RESTART_MS = 50;
/** Subtypes of data partitions from here on are an application's own (`esp_partition_subtype_t`). */
const OWN_DATA = 0x40;

export class SimulatedDevice extends EventEmitter<DeviceEvents> {
  readonly #setup: DeviceSetup;
  readonly #loader: DeviceOptions;
  #engine: Engine | undefined;
  #mqtt: NodeMqttConnection | undefined;
  #http: NodeHttpClient | undefined;
  #running: Partition | undefined;
  #on = false;
  /** Every life has a number; what comes from an earlier one is ignored. */
  #life = 0;

  constructor(setup: DeviceSetup) {
    super();
    this.#setup = setup;
    const { chip: flash, chipId, rollback = true, efuse } = setup;
    this.#loader = { flash, target: { chipId }, sha256: () => nodeCrypto.sha256(), rollback, efuse };
  }

  /** Where the running application is. */
  get running(): Partition | undefined {
    return this.#running;
  }

  /** The flash as ESP-IDF sees it. */
  get flash(): DeviceFlash {
    return new DeviceFlash(this.#loader);
  }

  /** What runs now, and in which state. @throws Error when nothing does */
  status(): { slot: string; app: AppDescription; state: BootImageState } {
    if (!this.#running) throw new Error("the device is off, or nothing boots");
    const control = new ModelBootControl(this.flash, this.#running, () => {});
    return { slot: appName(this.#running), app: control.running, state: control.imageState() };
  }

  /** Connected to the broker. */
  get connected(): boolean {
    return this.#mqtt?.connected ?? false;
  }

  /** Switches the power on. Resolves when the application has started. */
  async powerOn(): Promise<void> {
    if (this.#on) return;
    this.#on = true;
    await this.#reset();
  }

  /** Switches the power off, in the middle of whatever happens. */
  async powerOff(): Promise<void> {
    this.#on = false;
    this.#life++;
    await this.#end();
  }

  /** Drops the connection to the broker; it comes back by itself. */
  dropConnection(): void {
    this.#mqtt?.drop();
  }

  async #reset(): Promise<void> {
    const life = ++this.#life;
    await this.#end();
    if (life !== this.#life) return;
    const log = (text: string) => void this.emit("boot-loader", text);
    const partition = boot({ ...this.#loader, log });
    this.#running = partition;
    if (!partition) {
      this.emit("dead");
      return;
    }
    const { broker, app, engine, store, tls, network, watchdogMs = 5000, onEngineReply } = this.#setup;
    const logger: Log = this.#setup.log ?? (() => {});
    const control = new ModelBootControl(this.flash, partition, () =>
      setTimeout(() => {
        if (life !== this.#life) return;
        this.emit("restart");
        this.#again();
      }, RESTART_MS),
    );
    this.emit("boot", this.status());
    this.#mqtt = broker && new NodeMqttConnection({ ...broker, clientId: app.thingName, log: logger });
    const mqtt = this.#mqtt ?? NO_MQTT;
    this.#http = new NodeHttpClient(tls);
    const options: EngineOptions = {
      app: { ...app, behaviour: this.#behaviour(control.running, partition) },
      mqtt: network?.(mqtt) ?? mqtt,
      http: this.#http,
      slot: this.flash.open(control.otherPartition),
      running: this.flash.open(partition),
      data: this.#data(),
      boot: control,
      crypto: nodeCrypto,
      ...{ store, watchdogMs },
      log: logger,
      onEvent: (event) => {
        if (life === this.#life) this.emit("app", event);
      },
      onCrash: (reason) => {
        if (life !== this.#life) return;
        this.emit("crash", reason);
        this.#again();
      },
    };
    this.#engine = engine === "xs" ? new XsEngine(options, onEngineReply) : new NodeEngine(options);
    await this.#engine.start();
  }

  #again(): void {
    this.#reset().catch((error: Error) => this.emit("crash", error.message));
  }

  async #end(): Promise<void> {
    const engine = this.#engine;
    const mqtt = this.#mqtt;
    const http = this.#http;
    this.#engine = undefined;
    this.#mqtt = undefined;
    this.#http = undefined;
    this.#running = undefined;
    await engine?.kill();
    http?.close();
    await mqtt?.close(true);
  }

  /** The data partitions of the application's own. */
  #data(): Record<string, Flash> {
    const own = this.flash.partitions.filter(
      ({ type, subtype }) => type === TYPE_DATA && subtype >= OWN_DATA,
    );
    return Object.fromEntries(own.map((row) => [row.label, this.flash.open(row)]));
  }

  #behaviour(app: AppDescription, partition: Partition): Behaviour {
    const text = this.#setup.behaviour?.(app) ?? readBehaviour(this.flash.image(partition)) ?? "pass";
    if (!BEHAVIOURS.includes(text)) throw new Error(`the image asks for an unknown behaviour: ${text}`);
    return text as Behaviour;
  }
}
