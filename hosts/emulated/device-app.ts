/**
 * The application of a simulated device: a small one, as a product would write it around the agent. It updates
 * when it can, tests itself after an update, and misbehaves when its image says so. Runs on Node and on XS.
 * @module
 */

import { toHex } from "../../src/bytes.js";
import { Components } from "../../src/components/index.js";
import { FailureLog } from "../../src/control/failure-log.js";
import { authorized, type DdiOptions, ddi } from "../../src/ddi/index.js";
import {
  type AppDescription,
  type BootControl,
  type Clock,
  type Crypto,
  type DataPlane,
  type Flash,
  FlashPal,
  type FlashPalOptions,
  type HttpClient,
  type HttpHandler,
  type Log,
  type MqttConnection,
  OtaAgent,
  type OtaAgentOptions,
  type OtaError,
  type OtaEvent,
  type Random,
  type Store,
  StreamPlane,
  TrustedKeys,
} from "../../src/index.js";
import { StagedPal } from "../../src/payload/index.js";
import { jsDecoder } from "../../src/payload/js-decoder.js";
import { HttpPlane, type HttpPlaneOptions } from "../../src/transfer/http.js";

/** What an image does on booting. `fail`: its self-test fails; `no-network`: it never connects. */
export type Behaviour = "pass" | "fail" | "crash" | "hang" | "no-network";

export interface ComponentConfig {
  readonly name: string;
  readonly fileType: number;
}

/** Label of the partition of the record log. */
export const COMPONENT_LOG = "components";

/** Labels of a component's partitions. */
export function placesOf({ name }: ComponentConfig): readonly [string, string] {
  return [`${name}_0`, `${name}_1`];
}

/** Must survive JSON. */
export interface AppConfig {
  readonly thingName: string;
  readonly behaviour: Behaviour;
  /** PEM by the name a job's `certfile` gives. */
  readonly trustedKeys: Readonly<Record<string, string>>;
  /** Numeric options of the agent. */
  readonly agent?: Readonly<
    Partial<
      Pick<
        OtaAgentOptions,
        | "blockSize"
        | "maxOutstandingBytes"
        | "statusInterval"
        | "selfTestTimeoutMs"
        | "noProgressTimeoutMs"
        | "totalDeadlineMs"
        | "minRate"
        | "rateLimit"
        | "blockIntervalMs"
        | "pollMs"
      >
    >
  >;
  readonly allowDowngrade?: boolean;
  /** Say why an update failed. */
  readonly failureLog?: boolean;
  /** Take deltas and packed images. */
  readonly payloads?: boolean;
  /** Files beside the firmware, each with two data partitions. */
  readonly components?: readonly ComponentConfig[];
  /** Data planes, in order of preference. Default: the agent's own choice. */
  readonly protocols?: readonly ("MQTT" | "HTTP")[];
  /** Numeric options of the HTTP plane. */
  readonly http?: Readonly<Pick<HttpPlaneOptions, "rangeBytes" | "stallTimeoutMs">>;
  /** hawkBit is the fleet's service, in place of AWS IoT: where this device is to ask, and what it shows. */
  readonly hawkbit?: Readonly<Pick<DdiOptions, "url"> & { authorization: string }>;
}

export interface AppPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: Crypto;
  readonly mqtt: MqttConnection;
  readonly http: HttpClient;
  /** The slot an update is written to. */
  readonly slot: Flash;
  /** The slot that runs. */
  readonly running: Flash;
  /** Data partitions by their labels. */
  readonly data: Readonly<Record<string, Flash>>;
  readonly boot: BootControl;
  readonly store: Store;
  readonly log: Log;
  /** Tells the world outside what happens. */
  report(event: AppEvent): void;
  /** Never returns; where that cannot be, nothing reaches the application any more. */
  hang(): void;
}

/** What the application reports: the agent's events in a form that survives JSON. */
export type AppEvent =
  | {
      readonly type: "job";
      readonly jobId: string;
      /** Of the first file. */
      readonly bytes: number;
      readonly files: number;
      /** They are installed together; otherwise they are the same image, and the device takes one. */
      readonly together: boolean;
      readonly protocols: readonly string[];
    }
  | { readonly type: "image"; readonly app: AppDescription }
  | { readonly type: "progress"; readonly received: number; readonly total: number; readonly bytes: number }
  | { readonly type: "applying"; readonly bytes: number; readonly total: number }
  | { readonly type: "verified"; readonly jobId: string; readonly statistics: unknown }
  | { readonly type: "start-test"; readonly jobId: string }
  | { readonly type: "decided"; readonly decision: "accepted" | "rejected" }
  | { readonly type: "complete"; readonly jobId: string }
  | {
      readonly type: "status";
      readonly jobId: string;
      readonly status: string;
      readonly details: unknown;
      readonly result: unknown;
    }
  | {
      readonly type: "fail" | "self-test-failed" | "notice";
      readonly jobId: string | undefined;
      readonly error: { readonly code: string; readonly message: string; readonly phase: string };
      readonly statistics?: unknown;
    }
  | { readonly type: "state"; readonly state: string }
  /** At the start: what is in use of each component. */
  | { readonly type: "components"; readonly components: Readonly<Record<string, ComponentInUse | null>> }
  | { readonly type: "idle" };

export interface ComponentInUse {
  readonly version: string;
  /** Bytes of the content, and its SHA-256 in hexadecimal digits, as the application reads it. */
  readonly bytes: number;
  readonly sha256: string;
}

/** How long the self-test takes, in ms. */
const SELF_TEST_MS = 200;
/** Bytes of a component that are read at a time. */
const PIECE = 4096;
/** Longest life of a bad image, in ms: it ends before that, as soon as the service knows of the self-test. */
const LIFE_OF_A_BAD_IMAGE_MS = 5_000;

/** Thrown by an image that is built to crash. */
export class DeliberateCrash extends Error {
  override name = "DeliberateCrash";
}

function planesOf({ mqtt, http, clock }: AppPorts, config: AppConfig): readonly DataPlane[] | undefined {
  const { thingName, protocols } = config;
  return protocols?.map((protocol) =>
    protocol === "HTTP"
      ? new HttpPlane({ ...config.http, http, clock, mqtt })
      : new StreamPlane({ mqtt, thingName }),
  );
}

/** Where jobs and blocks come from. */
function serviceOf(
  ports: AppPorts,
  config: AppConfig,
): Pick<OtaAgentOptions, "mqtt" | "controlPlane" | "dataPlanes"> {
  const { hawkbit } = config;
  if (!hawkbit) return { mqtt: ports.mqtt, dataPlanes: planesOf(ports, config) };
  const http = authorized(ports.http, hawkbit.url, hawkbit.authorization);
  return {
    controlPlane: ddi({ http, url: hawkbit.url }),
    dataPlanes: [new HttpPlane({ ...config.http, http, clock: ports.clock })],
  };
}

/** A connection that never comes up. */
export const NO_MQTT: MqttConnection = Object.freeze({
  connected: false,
  publish: () => {},
  subscribe: () => {},
  unsubscribe: () => {},
  addObserver: () => {},
  removeObserver: () => {},
});

/** Every request fails, in a turn of its own. */
function noHttp(clock: Clock): HttpClient {
  const fail = (handler: HttpHandler) => {
    const timer = clock.set(() => handler.done(new Error("there is no network")), 0);
    return () => clock.clear(timer);
  };
  return {
    get: (_url, _headers, handler) => fail(handler),
    send: (_method, _url, _headers, _body, handler) => fail(handler),
    close: () => {},
  };
}

/** Starts the application. */
export function startApp(ports: AppPorts, config: AppConfig): OtaAgent {
  const { clock, random, crypto, slot, running, data, boot, store, log, report } = ports;
  const { thingName, behaviour, allowDowngrade, payloads, components } = config;
  const net = behaviour === "no-network" ? { ...ports, mqtt: NO_MQTT, http: noHttp(clock) } : ports;
  const options: FlashPalOptions & { boot: BootControl } = {
    ...{ slot, boot, crypto, clock, store, allowDowngrade },
    trustedKeys: new TrustedKeys(config.trustedKeys),
    onNoResume: (reason) => log("warn", `no resume: ${reason}`),
  };
  const firmware = payloads
    ? new StagedPal({ ...options, running, decoder: jsDecoder, packed: true })
    : new FlashPal(options);
  const parts =
    components &&
    new Components({
      ...{ firmware, boot, crypto, clock, allowDowngrade, trustedKeys: options.trustedKeys },
      log: data[COMPONENT_LOG],
      components: components.map(({ name, fileType }) => ({
        ...{ name, fileType },
        places: placesOf({ name, fileType }).map((label) => data[label]),
      })),
      onNotice: (error) => log("warn", error.message),
    });
  const pal = parts ?? firmware;
  const agent: OtaAgent = new OtaAgent({
    ...config.agent,
    ...serviceOf(net, config),
    ...{ thingName, pal, clock, random, log, store },
    ...(config.failureLog ? { failureLog: new FailureLog(store) } : {}),
    onState: (state) => report({ type: "state", state }),
    onEvent: (event) => handle(event),
  });

  function handle(event: OtaEvent): void {
    switch (event.type) {
      case "received-job": {
        const { jobId, files, protocols } = event.job;
        const [{ fileSize: bytes, fileType }] = files;
        const together = files.some((file) => file.fileType !== fileType);
        return report({ type: "job", jobId, bytes, files: files.length, together, protocols });
      }
      case "image":
        return report({ type: "image", app: event.app });
      case "progress": {
        const { received, total, bytes } = event;
        return report({ type: "progress", received, total, bytes });
      }
      case "applying":
        return report({ type: "applying", bytes: event.bytes, total: event.total });
      case "activate":
        report({ type: "verified", jobId: event.job.jobId, statistics: agent.statistics });
        return agent.activateNewImage();
      case "start-test":
        report({ type: "start-test", jobId: event.job.jobId });
        return selfTest();
      case "update-complete":
        return report({ type: "complete", jobId: event.job.jobId });
      case "fail":
        return failed("fail", event.error, event.job?.jobId);
      case "self-test-failed":
        return failed("self-test-failed", event.error);
      case "notice":
        return failed("notice", event.error);
      case "status": {
        const { jobId, status, details, result } = event;
        return report({ type: "status", jobId, status, details, result });
      }
      case "no-active-job":
        return report({ type: "idle" });
    }
  }

  function selfTest(): void {
    // A bad image does not live long enough to decide.
    if (behaviour === "crash" || behaviour === "hang") return;
    clock.set(() => {
      const decision = behaviour === "fail" ? "rejected" : "accepted";
      report({ type: "decided", decision });
      agent.setImageState(decision);
    }, SELF_TEST_MS);
  }

  function failed(type: "fail" | "self-test-failed" | "notice", error: OtaError, jobId?: string): void {
    const { code, message, phase } = error;
    report({ type, jobId, error: { code, message, phase }, statistics: agent.statistics });
  }

  function fallOver(): void {
    if (behaviour === "hang") ports.hang();
    if (behaviour === "crash") throw new DeliberateCrash("the image crashes, as it was built to");
  }

  /** Opens what is in use, as an application would that serves it. */
  function inUse(name: string): ComponentInUse | null {
    const component = parts?.open(name);
    if (!component) return null;
    const { header, byteLength } = component;
    const hash = crypto.sha256();
    for (let at = 0; at < byteLength; at += PIECE) {
      const piece = new Uint8Array(Math.min(PIECE, byteLength - at));
      component.read(at, piece);
      hash.update(piece);
    }
    return { version: header.version, bytes: byteLength, sha256: toHex(hash.digest()) };
  }

  if (components)
    report({
      type: "components",
      components: Object.fromEntries(components.map(({ name }) => [name, inUse(name)])),
    });
  void agent.init();
  clock.set(fallOver, LIFE_OF_A_BAD_IMAGE_MS);
  return agent;
}
