/**
 * What runs the application of a simulated device for one boot.
 * @module
 */
import type { BootControl, Crypto, Flash, HttpClient, Log, MqttConnection, Store } from "../../src/ports.js";
import type { AppConfig, AppEvent } from "../emulated/device-app.js";

/** What a device gives an engine for one boot. */
export interface EngineOptions {
  readonly app: AppConfig;
  readonly mqtt: MqttConnection;
  readonly http: HttpClient;
  /** The slot an update is written to. */
  readonly slot: Flash;
  /** The slot that runs. */
  readonly running: Flash;
  /** Data partitions by their labels. */
  readonly data: Readonly<Record<string, Flash>>;
  readonly boot: BootControl;
  readonly crypto: Crypto;
  readonly store: Store;
  readonly log: Log;
  /** How long the application may be unresponsive before the watchdog resets the device, in ms. */
  readonly watchdogMs: number;
  onEvent(event: AppEvent): void;
  /** The application crashed, or the watchdog bit. At most one call; nothing else comes after it. */
  onCrash(reason: string): void;
}

export interface Engine {
  /** Starts the application. */
  start(): Promise<void>;
  /** Ends it at once, as a reset does: no call of a port, no event comes after this. Harmless when it has ended. */
  kill(): Promise<void>;
}

export type EngineName = "xs" | "node";
