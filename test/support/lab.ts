/**
 * The whole system for real: the development service, a broker, and a simulated device on a real connection.
 * @module
 */
import mqtt from "mqtt";
import type { AppConfig, AppEvent, Behaviour } from "../../hosts/emulated/device-app.js";
import { buildFlashDump, slotTable } from "../../hosts/emulated/flash-dump.js";
import { MemoryStorage, NorFlash } from "../../hosts/emulated/nor-flash.js";
import { buildImage, type ImageOptions } from "../../hosts/formats/image-builder.js";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import { type DeviceSetup, SimulatedDevice } from "../../hosts/node/device.js";
import type { EngineName } from "../../hosts/node/engine.js";
import { DdiServer } from "../../service/ddi.js";
import type { ServiceRequest } from "../../service/delivery.js";
import { type DeployOptions, DevelopmentService, type ServiceOptions } from "../../service/index.js";
import type { Execution } from "../../service/job-records.js";
import { generateIdentity, type SigningIdentity } from "../../service/signer.js";
import { type Mosquitto, startMosquitto } from "./mosquitto.js";

export type BrokerName = "aedes" | "mosquitto";

export const CERTIFICATE = "/certificates/ota.pem";
/** Small enough for many tests, large enough to be interrupted. */
const SIZE = 96 * 1024;
const SLOT_SIZE = 0x40000;
const FLASH_SIZE = 0x400000;

export function firmware(
  version: string,
  behaviour: Behaviour = "pass",
  options: Partial<ImageOptions> = {},
): Uint8Array {
  return buildImage({ version, projectName: "e2e", size: SIZE, behaviour, ...options }, () =>
    nodeCrypto.sha256(),
  );
}

export interface LabOptions {
  readonly broker?: BrokerName;
  /** The device speaks hawkBit's DDI, and nothing else. It polls every 30 s: `deploy` switches it on, or off and on. */
  readonly hawkbit?: boolean;
  readonly engine?: EngineName;
  readonly agent?: AppConfig["agent"];
  /** Which planes, in order of preference. Default: MQTT. */
  readonly protocols?: AppConfig["protocols"];
  readonly http?: AppConfig["http"];
  /** What the device trusts over HTTPS. */
  readonly tls?: DeviceSetup["tls"];
  /** Bytes of a slot. */
  readonly slotSize?: number;
  readonly service?: Omit<ServiceOptions, "broker" | "identity" | "intercept">;
  readonly network?: DeviceSetup["network"];
}

let identity: SigningIdentity | undefined;
let things = 0;

export class Lab {
  readonly thingName: string;
  readonly service: DevelopmentService;
  readonly device: SimulatedDevice;
  readonly identity: SigningIdentity;
  readonly events: AppEvent[] = [];
  /** "ota_0 0.9.0", one for each start. */
  readonly boots: string[] = [];
  readonly crashes: string[] = [];
  /** Block requests that reached the service. */
  readonly requests: ServiceRequest[];
  readonly #mosquitto: Mosquitto | undefined;
  #ddi: DdiServer | undefined;
  /** The agent's state in this life of the device; undefined while it is off. */
  #state: string | undefined;
  #power = Promise.resolve();

  /** A device that runs version 0.9.0, switched on. */
  static async start(options: LabOptions = {}): Promise<Lab> {
    identity ??= await generateIdentity();
    const mosquitto = options.broker === "mosquitto" ? await startMosquitto() : undefined;
    const requests: ServiceRequest[] = [];
    const service = await DevelopmentService.start({
      ...options.service,
      broker: mosquitto?.url,
      identity,
      intercept: {
        request: (request) => {
          if (request.operation === "get-stream") requests.push(request);
          return undefined;
        },
      },
    });
    const ddi = options.hawkbit ? await DdiServer.start({ service }) : undefined;
    const lab = new Lab({ service, mosquitto, ddi }, identity, requests, options);
    if (!ddi) await lab.device.powerOn();
    return lab;
  }

  private constructor(
    { service, mosquitto, ddi }: { service: DevelopmentService; mosquitto?: Mosquitto; ddi?: DdiServer },
    signer: SigningIdentity,
    requests: ServiceRequest[],
    { engine = "node", agent, protocols, http, network, tls, slotSize = SLOT_SIZE }: LabOptions,
  ) {
    this.service = service;
    this.#mosquitto = mosquitto;
    this.#ddi = ddi;
    this.identity = signer;
    this.requests = requests;
    this.thingName = `thing-${++things}`;
    const table = slotTable({ slotSize });
    const dump = buildFlashDump({ flashSize: FLASH_SIZE, table, content: { ota_0: firmware("0.9.0") } });
    const store = new Map<string, string>();
    this.device = new SimulatedDevice({
      engine,
      chip: new NorFlash(new MemoryStorage(dump)),
      chipId: 5,
      broker: ddi ? undefined : { url: service.url, firstWait: 20, longestWait: 200 },
      app: {
        thingName: this.thingName,
        trustedKeys: { [CERTIFICATE]: signer.certificatePem },
        agent: { selfTestTimeoutMs: 10_000, ...agent },
        ...{ protocols, http },
        hawkbit: ddi && {
          url: `${ddi.origin}/DEFAULT/controller/v1/${this.thingName}`,
          authorization: "GatewayToken lab",
        },
      },
      store: { get: (key) => store.get(key), set: (key, value) => void store.set(key, value) },
      ...{ network, tls },
      // Longer than an engine waits for its turn on a busy machine.
      watchdogMs: 2_000,
    });
    this.device.on("app", (event) => {
      this.events.push(event);
      if (event.type === "state") this.#state = event.state;
    });
    this.device.on("boot", ({ slot, app }) => {
      this.boots.push(`${slot} ${app.version}`);
      this.#state = "";
    });
    this.device.on("crash", (reason) => this.crashes.push(reason));
  }

  /** Makes a signed update. @returns the job's id */
  deploy(image: Uint8Array, options: Partial<DeployOptions> = {}): string {
    const things = [this.thingName];
    const { jobId } = this.service.deploy({ image, things, certFile: CERTIFICATE, ...options });
    if (this.#ddi && (this.#state === undefined || this.#state === "WaitingForJob"))
      this.#power = this.#start();
    return jobId;
  }

  /** The device asks for jobs at once. */
  async #start(): Promise<void> {
    this.#state = "";
    await this.device.powerOff();
    await this.device.powerOn();
  }

  /** The execution once it has ended. */
  async ended(jobId: string, timeoutMs = 20_000): Promise<Execution> {
    await this.#power;
    return await this.service.ended(jobId, this.thingName, timeoutMs);
  }

  execution(jobId: string): Execution {
    return this.service.jobs.execution(this.thingName, jobId);
  }

  /** Updates to an image. @returns how the job ended */
  async update(image: Uint8Array, options: Partial<DeployOptions> = {}): Promise<string> {
    return (await this.ended(this.deploy(image, options))).status;
  }

  /** Resolves when `done()` is true. */
  async until(done: () => boolean, what: string, timeoutMs = 20_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!done()) {
      if (performance.now() > deadline) throw new Error(`${what}: not after ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Resolves when a transfer has brought so many bytes. */
  async received(bytes: number): Promise<void> {
    const from = this.events.length;
    const enough = () =>
      this.events.slice(from).some((event) => event.type === "progress" && event.bytes >= bytes);
    await this.until(enough, `${bytes} bytes received`);
  }

  /** Resolves when the device runs this version, confirmed. */
  async runs(version: string): Promise<void> {
    const now = () => {
      try {
        const { app, state } = this.device.status();
        return app.version === version && state === "valid";
      } catch {
        return false;
      }
    };
    await this.until(now, `${version} runs and is confirmed`);
  }

  /** What the application was told of its failures. */
  failures(): string[] {
    return this.events.flatMap((event) => (event.type === "fail" ? [event.error.code] : []));
  }

  /** The device loses its connection; `meanwhile` is done before it has it back. */
  async interrupt(meanwhile: () => void): Promise<void> {
    const { device, service } = this;
    if (this.#ddi) {
      const { port } = new URL(this.#ddi.origin);
      await this.#ddi.close();
      meanwhile();
      this.#ddi = await DdiServer.start({ service, port: Number(port) });
    } else {
      device.dropConnection();
      await this.until(() => !device.connected, "the device is disconnected");
      meanwhile();
    }
  }

  /**
   * A second client of the same name connects, so that the broker drops the device; then it goes away. It tries again when it is
   * refused: the service takes one connection a second of a client. With hawkBit, the server is started again.
   */
  async kick(): Promise<void> {
    if (this.#ddi) return await this.interrupt(() => {});
    const intruder = mqtt.connect(this.service.url, { clientId: this.thingName, reconnectPeriod: 300 });
    await this.until(() => !this.device.connected, "the device is dropped");
    await intruder.endAsync(true);
    await this.until(() => this.device.connected, "the device is back");
  }

  async close(): Promise<void> {
    await this.#power;
    await this.device.powerOff();
    await this.#ddi?.close();
    await this.service.close();
    await this.#mosquitto?.stop();
  }
}

/** Runs `body` with a device and takes everything down again. */
export async function withLab(options: LabOptions, body: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await Lab.start(options);
  try {
    await body(lab);
  } finally {
    await lab.close();
  }
}
