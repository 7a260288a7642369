/**
 * A fleet of one, whole and in virtual time: the development service, a network, and a device with flash, the boot
 * loader's model, the agent and a small application, through any number of lives. Runs on Node and on XS.
 * @module
 */
import { ModelBootControl } from "../../hosts/emulated/boot-control.js";
import { boot } from "../../hosts/emulated/boot-loader.js";
import { DeviceFlash, type DeviceOptions } from "../../hosts/emulated/device-flash.js";
import { buildFlashDump, slotTable } from "../../hosts/emulated/flash-dump.js";
import { MemoryStorage, NorFlash } from "../../hosts/emulated/nor-flash.js";
import { buildImage, type ImageOptions } from "../../hosts/formats/image-builder.js";
import { appName, type Partition } from "../../hosts/formats/partition-table.js";
import type { Intercept } from "../../service/delivery.js";
import type { Execution, Job } from "../../service/job-records.js";
import { JobService } from "../../service/jobs.js";
import { StreamService } from "../../service/streams.js";
import { createUpdate, type UpdateOptions } from "../../service/updates.js";
import { decodeUtf8, encodeUtf8 } from "../../src/bytes.js";
import {
  type BootImageState,
  FlashPal,
  type FlashPalOptions,
  OtaAgent,
  type OtaAgentOptions,
  type OtaEvent,
  type Store,
} from "../../src/index.js";
import { StagedPal } from "../../src/payload/index.js";
import { jsDecoder } from "../../src/payload/js-decoder.js";
import type { OtaPal } from "../../src/slot/pal.js";
import { newSha256, sha256 } from "./sha256.js";
import { KEY_POINT, signDigest, TEST_KEYS, testCrypto } from "./test-crypto.js";
import { seeded, VirtualClock, VirtualTime } from "./virtual-clock.js";
import { type Link, VirtualBroker, type VirtualMqtt } from "./virtual-network.js";

export { KEY_POINT };
export const THING = "thing-1";
const SLOT_SIZE = 0x20000;

export function image(version: string, options: Partial<ImageOptions> = {}): Uint8Array {
  return buildImage({ version, projectName: "world", size: 20_000, ...options }, newSha256);
}

/** A signature over an image as it stands in a job document, by the one key the device trusts. */
export function sign(bytes: Uint8Array): NonNullable<UpdateOptions["signature"]> {
  return { key: "sig-sha256-ecdsa", value: signDigest(sha256(bytes)) };
}

type TestOptions = Partial<Omit<OtaAgentOptions, "onEvent">>;

export interface WorldOptions {
  readonly link?: Partial<Link>;
  readonly agent?: TestOptions;
  readonly pal?: Partial<FlashPalOptions>;
  /** Takes deltas and compressed images, too. */
  readonly staged?: boolean;
  /** Puts a porting layer around that of firmware. */
  readonly around?: (firmware: FlashPal, parts: FlashPalOptions, world: World) => OtaPal;
  /** What runs first. */
  readonly image?: Uint8Array;
  readonly device?: Partial<Omit<DeviceOptions, "flash" | "sha256">>;
  /** Where it runs: the table has a factory application before the slots. */
  readonly factory?: boolean;
  /** Replaces the default callback; `life` counts from 1. */
  readonly onEvent?: (event: OtaEvent, world: World, life: number) => void;
  /** Makes the agent of each life. */
  readonly makeAgent?: (options: OtaAgentOptions) => OtaAgent;
}

export class World {
  readonly time = new VirtualTime();
  readonly broker = new VirtualBroker(this.time, seeded(1));
  readonly clock = new VirtualClock(this.time);
  readonly jobs: JobService;
  readonly streams: StreamService;
  /** Faults of the service; may be changed at any time. */
  readonly intercept: Intercept = {};
  readonly link: Link;
  readonly flash: NorFlash;
  readonly store = new Map<string, string>();
  /** Every event of every life. */
  readonly events: OtaEvent[] = [];
  readonly log: string[] = [];
  /** What the boot loader started, life by life: "ota_0 1.0.0 valid". */
  readonly boots: string[] = [];
  agent!: OtaAgent;
  pal!: OtaPal;
  mqtt!: VirtualMqtt;
  control!: ModelBootControl;
  running!: Partition;
  readonly #clock = new VirtualClock(this.time);
  readonly #device: DeviceOptions;
  readonly #options: WorldOptions;
  #deployed = 0;
  #on = false;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.link = { rtt: 40, ...options.link };
    const publish = (topic: string, payload: Uint8Array, qos: 0 | 1) =>
      this.broker.publish(topic, payload, qos);
    const intercept: Intercept = {
      request: (request) => this.intercept.request?.(request),
      message: (message) => this.intercept.message?.(message),
    };
    this.jobs = new JobService({ clock: this.clock, publish, intercept });
    this.streams = new StreamService({ clock: this.clock, publish, intercept });
    this.broker.onMessage = (topic, payload) => {
      if (!this.jobs.handle(topic, payload)) this.streams.handle(topic, payload);
    };
    const { factory = false } = options;
    const table = slotTable({ slotSize: SLOT_SIZE, factory, storageSize: 0x10000 });
    const content = { [factory ? "factory" : "ota_0"]: options.image ?? image("1.0.0") };
    const dump = buildFlashDump({ flashSize: 0x80000, table, content });
    this.flash = new NorFlash(new MemoryStorage(dump));
    this.#device = {
      target: { chipId: 5 },
      rollback: true,
      ...options.device,
      flash: this.flash,
      sha256: newSha256,
    };
  }

  /** The flash as ESP-IDF sees it. */
  get device(): DeviceFlash {
    return new DeviceFlash(this.#device);
  }

  /** Switches the device on; it boots and starts its agent. */
  powerOn(): this {
    this.#on = true;
    this.flash.restorePower();
    const running = boot({ ...this.#device, log: (text) => this.log.push(text) });
    if (!running) {
      this.boots.push("dead");
      return this;
    }
    const flash = new DeviceFlash(this.#device);
    const clock = this.#clock;
    this.running = running;
    const life = this.boots.length + 1;
    this.control = new ModelBootControl(flash, running, () => {
      clock.set(() => {
        this.powerOff();
        this.powerOn();
      }, 500);
    });
    this.boots.push(this.state);
    this.mqtt = this.broker.connect(clock, this.link);
    const store: Store = this.#options.pal?.store ?? {
      get: (key) => this.store.get(key),
      set: (key, value) => void this.store.set(key, value),
    };
    const parts = {
      slot: flash.open(this.control.otherPartition),
      boot: this.control,
      crypto: testCrypto,
      clock,
      trustedKeys: TEST_KEYS,
      store,
      ...this.#options.pal,
    };
    this.pal = this.#options.staged
      ? new StagedPal({ ...parts, running: flash.open(running), decoder: jsDecoder, packed: true })
      : new FlashPal(parts);
    const { around } = this.#options;
    if (around) this.pal = around(this.pal as FlashPal, parts, this);
    const { onEvent } = this.#options;
    const make = this.#options.makeAgent ?? ((options) => new OtaAgent(options));
    const agent = make({
      ...{ mqtt: this.mqtt, pal: this.pal, clock, thingName: THING, random: seeded(life), store },
      log: (level, text) => this.log.push(`${level}: ${text}`),
      onEvent: (event) => {
        this.events.push(event);
        if (onEvent) onEvent(event, this, life);
        else if (event.type === "activate") agent.activateNewImage();
        else if (event.type === "start-test") agent.setImageState("accepted");
      },
      ...this.#options.agent,
    });
    this.agent = agent;
    void agent.init();
    return this;
  }

  /** Switches the device off, in the middle of whatever happens. */
  powerOff(): void {
    if (!this.#on) return;
    this.#on = false;
    this.mqtt.halt();
    this.#clock.halt();
  }

  /** A reset by the watchdog, say. */
  reset(): void {
    this.powerOff();
    this.powerOn();
  }

  /** Slot, version and state of what runs: "ota_1 2.0.0 pending-verify". */
  get state(): string {
    const { running, imageState } = this.control;
    return `${appName(this.running)} ${running.version} ${imageState.call(this.control) satisfies BootImageState}`;
  }

  /** Publishes and signs an image, and makes a job of it. @returns the job's id */
  deploy(bytes: Uint8Array, options: Partial<UpdateOptions> = {}): string {
    const uuid = `00000000-0000-0000-0000-${String(++this.#deployed).padStart(12, "0")}`;
    return this.#create({
      updateId: `u${this.#deployed}`,
      uuid,
      image: bytes,
      things: [THING],
      signature: sign(bytes),
      ...options,
    }).jobId;
  }

  #create(options: UpdateOptions): Job {
    return createUpdate(this, options);
  }

  execution(jobId: string): Execution {
    return this.jobs.execution(THING, jobId);
  }

  /** Lets time pass until a job has ended; fails when that takes longer than `ms`. */
  ended(jobId: string, ms = 900_000): Execution {
    const over = () => !["QUEUED", "IN_PROGRESS"].includes(this.execution(jobId).status);
    if (!this.time.runUntilDone(over, ms))
      throw new Error(
        `${jobId} is ${JSON.stringify(this.execution(jobId))}\n${this.log.slice(-20).join("\n")}`,
      );
    return this.execution(jobId);
  }

  /** Lets time pass until the application is told of something; fails when it is not. */
  until<T extends OtaEvent["type"]>(type: T, ms = 900_000): Extract<OtaEvent, { type: T }> {
    const from = this.events.length;
    const found = () => this.events.slice(from).find((event) => event.type === type);
    if (!this.time.runUntilDone(() => found() !== undefined, ms))
      throw new Error(`no "${type}" in ${ms} ms\n${this.log.slice(-20).join("\n")}`);
    return found() as Extract<OtaEvent, { type: T }>;
  }

  /** Lets time pass until `done`; fails when that takes longer than `ms`. */
  wait(done: () => boolean, ms = 900_000): void {
    if (!this.time.runUntilDone(done, ms))
      throw new Error(`not so after ${ms} ms\n${this.log.slice(-20).join("\n")}`);
  }

  run(ms: number): void {
    this.time.run(ms);
  }

  /** How often the application was told of something. */
  count(type: OtaEvent["type"]): number {
    return this.events.filter((event) => event.type === type).length;
  }

  /** A message from anybody to the device's topics. */
  inject(suffix: string, body: unknown): void {
    const payload = body instanceof Uint8Array ? body : encodeUtf8(JSON.stringify(body));
    this.broker.publish(`$aws/things/${THING}/${suffix}`, payload, 1);
  }

  /** Keeps what the device publishes to topics that end with `suffix`, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of any shape
  listen(suffix: string): any[] {
    // biome-ignore lint/suspicious/noExplicitAny: see above
    const heard: any[] = [];
    const before = this.broker.onMessage;
    this.broker.onMessage = (topic, payload, qos, from) => {
      if (topic.endsWith(suffix)) heard.push(JSON.parse(decodeUtf8(payload)));
      before?.(topic, payload, qos, from);
    };
    return heard;
  }
}
