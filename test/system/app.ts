/**
 * The application of a story: updates as it is told, tests itself, sends and receives messages of its own.
 * @module
 */
import type { ModelBootControl } from "../../hosts/emulated/boot-control.js";
import { decodeUtf8, encodeUtf8 } from "../../src/bytes.js";
import { authorized, ddi } from "../../src/ddi/index.js";
import {
  type CustomJob,
  OtaAgent,
  type OtaAgentOptions,
  type OtaEvent,
  type OtaJob,
} from "../../src/index.js";
import type { HttpClient, MqttConnection } from "../../src/ports.js";
import type { OtaPal } from "../../src/slot/pal.js";
import { HttpPlane } from "../../src/transfer/http.js";
import { seeded } from "../support/virtual-clock.js";
import { type HttpServer, objectServer, VirtualHttp } from "../support/virtual-http.js";
import type { VirtualMqtt } from "../support/virtual-network.js";
import { ASSETS_TYPE, type Assets, type Firmware, GEAR_TYPE, IMAGES, STATEMENT_TYPE } from "./images.js";
import type { LifeClock } from "./life.js";
import { type AppDevice, type HawkbitSite, ONE_WAY_MS } from "./parts.js";
import type { Anchor, AppAct, JobKind } from "./scenario.js";

export const THING = "story-1";
export const TELEMETRY = "story/telemetry";
export const COMMANDS = "story/commands";
const BEAT_MS = 5_000;
const WATCHDOG_MS = 8_000;
/** A bad image lives for this long. */
const CRASH_MS = 300;
const DEFER_MS = 10_000;
/** What an application would not stand to wait for: two block erases and their writes. */
const LONGEST_STALL_MS = 1_000;
/** What hawkBit calls the files. */
const PARTS = Object.freeze({ os: 0, assets: ASSETS_TYPE, statement: STATEMENT_TYPE, gear: GEAR_TYPE });

const NO_NETWORK: MqttConnection = Object.freeze({
  connected: false,
  publish: () => {},
  subscribe: () => {},
  unsubscribe: () => {},
  addObserver: () => {},
  removeObserver: () => {},
});

export class StoryApp {
  readonly firmware: Firmware;
  readonly agent: OtaAgent;
  /** Numbers of messages whose fate is open, and since when. */
  readonly open = new Map<number, number>();
  readonly #device: AppDevice;
  readonly #control: ModelBootControl;
  readonly #clock: LifeClock;
  readonly #mqtt: VirtualMqtt;
  #beats = 0;
  #decided = false;
  /** What it does: as the firmware, or as its assets make it. */
  readonly #kind: JobKind;
  readonly #assets: Assets | undefined;
  readonly #deferred = new Set<string>();

  constructor(
    device: AppDevice,
    control: ModelBootControl,
    pal: OtaPal,
    clock: LifeClock,
    mqtt: VirtualMqtt,
    firmware: Firmware,
    kind: JobKind = firmware.kind,
    assets: Assets | undefined = undefined,
  ) {
    this.#device = device;
    this.#control = control;
    this.#clock = clock;
    this.#mqtt = mqtt;
    this.firmware = firmware;
    this.#kind = kind;
    this.#assets = assets;
    const { scenario, note } = device.parts;
    const options: OtaAgentOptions = {
      ...{ thingName: THING, pal, clock: device.agentClock, store: device.store, ...scenario.agent },
      mqtt: kind === "no-network" ? NO_NETWORK : mqtt,
      otherPals: device.otherPals,
      random: seeded(scenario.seed * 31 + device.lives),
      log: (level, text) => (clock.over ? undefined : note(`${level}: ${text}`)),
      onState: (state) => (clock.over ? undefined : note(`agent: ${state}`)),
    };
    if (device.parts.hawkbit) Object.assign(options, this.#hawkbit(device.parts.hawkbit, mqtt));
    else if (scenario.device.http) options.dataPlanes = [this.#httpPlane(scenario.link.rtt)];
    if (scenario.app.claims) options.onCustomJob = (job) => this.#claim(job);
    if (!scenario.app.bare) {
      options.onEvent = (event) => this.#handle(event);
      options.onUpdateAvailable = (job) => this.#answer(job);
    }
    this.agent = new OtaAgent(options);
    if (scenario.app.bare) this.#accept();
    void this.agent.init();
    mqtt.subscribe({ filter: COMMANDS, qos: 1, message: (_, payload) => this.#command(payload) });
    if (kind === "crash") clock.set(() => device.reset(), CRASH_MS);
    if (kind === "hang") clock.set(() => device.hang(WATCHDOG_MS), CRASH_MS);
    this.#arrangeBeat();
  }

  /** Numbers of commands that arrived. */
  readonly commands: number[] = [];

  get connected(): boolean {
    return this.#mqtt.connected;
  }

  act(what: AppAct, span: number): void {
    const { agent } = this;
    const clock = this.#clock;
    const later = (action: () => void) => clock.set(action, span);
    this.#device.parts.note(`the application calls ${what}`);
    try {
      switch (what) {
        case "suspend":
          agent.suspend();
          return void later(() => this.#soon(0, () => agent.resume()));
        case "check":
          return void agent.checkForUpdate();
        case "abort":
          return agent.setImageState("aborted");
        case "reject":
          return this.#decide("rejected");
        case "accept":
          return this.#decide("accepted");
        case "restart":
          void agent.shutdown(span % 2 ? 0 : 3_000).then(() => later(() => void agent.init()));
      }
    } catch (error) {
      this.#device.parts.note(`refused: ${(error as Error).message}`);
    }
  }

  #handle(event: OtaEvent): void {
    const { parts } = this.#device;
    if (this.#clock.over) return;
    const { app, agent } = parts.scenario;
    const { activateMs } = app;
    // A test that takes too long is a fault, too, and ends with the others.
    const testMs = parts.trouble.over ? Math.min(app.testMs, agent.selfTestTimeoutMs / 3) : app.testMs;
    if (event.type !== "progress") parts.note(describe(event));
    if (event.type !== "notice" && event.type !== "no-active-job")
      parts.trouble.happened(event.type as Anchor);
    if (event.type === "activate") this.#soon(activateMs, () => this.agent.activateNewImage());
    if (event.type === "start-test")
      this.#soon(testMs, () => this.#decide(this.#kind === "fail" ? "rejected" : "accepted"));
  }

  #soon(ms: number, action: () => void): void {
    const guarded = () => {
      try {
        action();
      } catch (error) {
        this.#device.parts.note(`refused: ${(error as Error).message}`);
      }
    };
    if (ms) this.#clock.set(guarded, ms);
    else guarded();
  }

  #decide(decision: "accepted" | "rejected"): void {
    // Whoever accepts an image that cannot live has given the device away.
    if ((this.#decided || this.#kind !== "good") && decision === "accepted") return;
    this.#decided = true;
    // Whoever is on trial may be confirmed from now on.
    if (decision === "accepted") this.#accept();
    this.agent.setImageState(decision);
  }

  #accept(): void {
    const { judge } = this.#device.parts;
    judge.accepted.add(this.firmware);
    if (this.#assets) judge.acceptedAssets.add(this.#assets);
  }

  #answer({ jobId }: OtaJob): ReturnType<NonNullable<OtaAgentOptions["onUpdateAvailable"]>> {
    const { scenario, trouble } = this.#device.parts;
    const { hawkbit } = this.#device.parts;
    const story = hawkbit ? hawkbit.deployment(jobId)?.story : scenario.jobs[Number(jobId.split("-")[1])];
    const answer = story?.answer ?? "apply";
    if (answer === "refuse" && !trouble.over) return { refuse: "not now, not ever" };
    if (answer === "defer" && !this.#deferred.has(jobId)) {
      this.#deferred.add(jobId);
      return { defer: DEFER_MS, reason: "busy" };
    }
    return "apply";
  }

  #claim(job: CustomJob): boolean {
    job.update("SUCCEEDED", { done: "yes" });
    return true;
  }

  #command(payload: Uint8Array): void {
    this.commands.push(Number(decodeUtf8(payload)));
  }

  /** A message of the application's own, and a look at the agent's manners. */
  #beat(due: number): void {
    const device = this.#device;
    const { judge } = device.parts;
    const clock = this.#clock;
    if (clock.now() - due > LONGEST_STALL_MS)
      judge.fail(`the application waited ${clock.now() - due} ms for its turn`);
    const number = device.lives * 1_000_000 + this.#beats++;
    this.open.set(number, clock.now());
    this.#mqtt.publish(TELEMETRY, encodeUtf8(String(number)), 1, (error) => {
      if (!this.open.delete(number)) judge.fail(`message ${number} ended twice`);
      if (!error && !device.telemetry.has(number))
        judge.fail(`message ${number} was acknowledged but is lost`);
    });
    judge.memory(device.agentClock.pending, this.#mqtt.subscriptions, this.#mqtt.observers, this.open.size);
    this.#arrangeBeat();
  }

  #arrangeBeat(): void {
    const due = this.#clock.now() + BEAT_MS;
    this.#clock.set(() => this.#beat(due), BEAT_MS);
  }

  /** Control and data plane over HTTP, through the same air as MQTT. */
  #hawkbit(cloud: HawkbitSite, mqtt: VirtualMqtt): Partial<OtaAgentOptions> {
    const { parts } = this.#device;
    const { root, token } = cloud.server;
    const serve: HttpServer = (request) => {
      if (mqtt.dark) return { status: 0, silent: true };
      if (!mqtt.connected || this.#kind === "no-network") return { status: 0, refused: true };
      return cloud.serve(request);
    };
    const client = () => authorized(new VirtualHttp(this.#clock, serve, ONE_WAY_MS), root, token);
    const clock = this.#device.agentClock;
    return {
      mqtt: undefined,
      controlPlane: ddi({ http: client(), url: root, parts: PARTS }),
      dataPlanes: [new HttpPlane({ http: counted(client(), parts.fetched), clock })],
    };
  }

  #httpPlane(rtt: number): HttpPlane {
    const { parts } = this.#device;
    const serve: HttpServer = (request) => {
      const version = request.url.slice(IMAGES.length);
      const firmware = parts.firmware.find((made) => made.version === version);
      if (!firmware) return { status: 404 };
      // In pieces of one TCP segment: a power cut loses what is on its way.
      return { ...objectServer(firmware.bytes)(request), interval: 1 };
    };
    const http = counted(new VirtualHttp(this.#clock, serve, rtt), parts.fetched);
    return new HttpPlane({ http, clock: this.#device.agentClock, mqtt: this.#mqtt });
  }

  /** State of the image that runs. */
  get imageState(): string {
    return this.#control.imageState();
  }
}

/** Tells of the bytes of bodies. */
function counted(http: HttpClient, fetched: ((bytes: number) => void) | undefined): HttpClient {
  return {
    get: (url, headers, handler) =>
      http.get(url, headers, {
        headers: (status, fields) => handler.headers(status, fields),
        buffer: () => handler.buffer(),
        data: (length) => {
          fetched?.(length);
          return handler.data(length);
        },
        done: (error) => handler.done(error),
      }),
    close: () => http.close(),
  };
}

function describe(event: OtaEvent): string {
  switch (event.type) {
    case "status":
      return `status ${event.status} ${JSON.stringify(event.details)} of ${event.jobId}: ${event.result}`;
    case "fail":
    case "self-test-failed":
    case "notice":
      return `event ${event.type}: ${event.error.code}: ${event.error.message}`;
    case "image":
      return `event image ${event.app.version}`;
    default:
      return `event ${event.type}${"job" in event && event.job ? ` ${event.job.jobId}` : ""}`;
  }
}
