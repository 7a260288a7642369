/**
 * Keeps a device in its Wi-Fi and its clock right, for as long as it runs: a device that stays offline after a lost access
 * point is out of reach for every update, and without the time no certificate can be checked. The SDK's classes are
 * injected: `embedded:network/interface/wifi`, which connects once and tells, and `sntp`, which asks for a while and gives
 * up. Pure.
 * @module
 */
import { encodeUtf8 } from "../../src/bytes.js";
import { wordsOf } from "../../src/errors.js";
import type { Clock, Log, Random, Timer } from "../../src/ports.js";
import { Reconnect } from "../mqtt/reconnect.js";

/** A station, as ECMA-419 has it. */
export interface WifiStation {
  /** 200: not connected, 300: connecting, 400: to the access point, 500: with an address. */
  readonly connection: number;
  readonly address: string | undefined;
  /** @throws Error when it cannot be tried now */
  connect(options: { readonly SSID: string; readonly password?: string; readonly secure?: boolean }): void;
  disconnect(): void;
  close(): void;
}

export type WifiConstructor = new (options: { readonly onChanged: () => void }) => WifiStation;

/** The SDK's SNTP client: tells the time in seconds, or an error after five attempts; then it is closed. */
export interface SntpConstructor {
  new (
    options: { readonly host: string },
    callback: (message: number, value?: unknown) => undefined,
  ): {
    close(): void;
  };
  readonly time: number;
  readonly error: number;
}

export type NetworkEvent =
  | { readonly type: "connected"; readonly address: string | undefined }
  | { readonly type: "disconnected"; readonly reason: string; readonly retryMs: number }
  | { readonly type: "time"; readonly seconds: number; readonly server: string }
  | { readonly type: "no-time"; readonly reason: string; readonly retryMs: number };

/** What an application may say. */
export interface NetworkOptions {
  /** Default: `ssid` of NVS, domain "wifi", else of `config.wifi` in the manifest. */
  readonly ssid?: string;
  /** Absent: an open network. Default: beside the `ssid` that is taken. */
  readonly password?: string;
  /** Time servers, asked in turn. Default: `config.sntp` of the manifest, else pool.ntp.org. */
  readonly servers?: readonly string[];
  /** Called once, when the device has an address and knows the time: TLS can be spoken from here on. */
  readonly onReady?: () => void;
  readonly onEvent?: (event: NetworkEvent) => void;
  readonly log?: Log;
  /** How long an attempt may take until there is an address, milliseconds. Default 30000. */
  readonly connectTimeoutMs?: number;
  /** Longest wait between two attempts, milliseconds. Default 20000: several fit in the trial of an image. */
  readonly longestWaitMs?: number;
}

export interface NetworkKeeperOptions extends NetworkOptions {
  readonly WiFi: WifiConstructor;
  readonly Sntp: SntpConstructor;
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds since 1970, right or wrong. */
  readonly now: () => number;
  /** Sets the device's clock, seconds since 1970. */
  readonly setTime: (seconds: number) => void;
  readonly ssid: string;
  readonly servers: readonly string[];
}

/** A network that is kept. */
export interface Network {
  /** The device has an address. */
  readonly online: boolean;
  /** The device's clock can be right. */
  readonly timeKnown: boolean;
  /** Ends it for good; the device stays connected as it is. */
  close(): void;
}

/** First wait after a failure, milliseconds. */
const FIRST_WAIT_MS = 1_000;
/** Longest wait until the time is asked for again, milliseconds. */
const LONGEST_TIME_WAIT_MS = 300_000;
/** The SDK's client gives up after 25 s; one that does not is given up here. */
const TIME_TIMEOUT_MS = 60_000;
/** The clock of a chip drifts by seconds a day. */
const TIME_AGAIN_MS = 86_400_000;
/** 2025: before this version was written. An earlier time is none. */
const LEAST_SECONDS = 1_735_689_600;
const HAS_ADDRESS = 500;

export class NetworkKeeper implements Network {
  readonly #options: NetworkKeeperOptions;
  readonly #waits: Reconnect;
  readonly #timeWaits: Reconnect;
  readonly #station: WifiStation;
  #online = false;
  #ready = false;
  #closed = false;
  #timer: Timer | undefined;
  #timeTimer: Timer | undefined;
  #proof: Timer | undefined;
  #sntp: { close(): void } | undefined;
  #asked = 0;

  /** @throws TypeError, RangeError naming an option */
  constructor(options: NetworkKeeperOptions) {
    const { ssid, password, servers, random, longestWaitMs = 20_000, connectTimeoutMs = 30_000 } = options;
    // IEEE 802.11: 1 to 32 bytes; WPA2: 8 to 63 characters, or 64 hexadecimal digits.
    if (typeof ssid !== "string" || !ssid || encodeUtf8(ssid).length > 32)
      throw new TypeError('network: "ssid" has 1 to 32 bytes');
    if (password !== undefined && (typeof password !== "string" || password.length > 64))
      throw new TypeError('network: "password" has at most 64 characters');
    if (!servers.length) throw new TypeError('network: "servers" is empty');
    for (const ms of [longestWaitMs, connectTimeoutMs])
      if (!(ms >= 1_000 && ms <= 3_600_000)) throw new RangeError("network: waits of 1 s to 1 h");
    this.#options = options;
    this.#waits = new Reconnect(FIRST_WAIT_MS, longestWaitMs, random);
    this.#timeWaits = new Reconnect(FIRST_WAIT_MS, LONGEST_TIME_WAIT_MS, random);
    this.#station = new options.WiFi({ onChanged: () => this.#changed() });
    // It may be connected from before, by a setup module or an earlier machine.
    if (this.#station.connection === HAS_ADDRESS) options.clock.set(() => this.#changed(), 0);
    else this.#connect();
  }

  get online(): boolean {
    return this.#online;
  }

  get timeKnown(): boolean {
    return this.#options.now() >= LEAST_SECONDS * 1000;
  }

  close(): void {
    this.#closed = true;
    this.#clear();
    this.#station.close();
  }

  #clear(): void {
    const { clock } = this.#options;
    for (const timer of [this.#timer, this.#timeTimer, this.#proof]) clock.clear(timer);
    this.#sntp?.close();
    this.#sntp = undefined;
  }

  #tell(event: NetworkEvent): void {
    const { onEvent, log } = this.#options;
    const { type, ...rest } = event;
    log?.(
      type === "connected" || type === "time" ? "info" : "warn",
      `network: ${type} ${JSON.stringify(rest)}`,
    );
    this.#guard(() => onEvent?.(event));
  }

  /** A fault in the application's code must not leave the device offline. */
  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.log?.("error", `network: the application failed: ${wordsOf(error)}`);
    }
  }

  #connect(): void {
    const { clock, ssid, password, connectTimeoutMs = 30_000 } = this.#options;
    this.#timer = clock.set(() => this.#lost("no address in time"), connectTimeoutMs);
    try {
      this.#station.connect(password ? { SSID: ssid, password, secure: true } : { SSID: ssid });
    } catch (error) {
      this.#lost(wordsOf(error));
    }
  }

  /** Something about the station is different. */
  #changed(): void {
    if (this.#closed) return;
    const { connection, address } = this.#station;
    const { clock } = this.#options;
    if (connection < HAS_ADDRESS) {
      // On its way there: the attempt's timer runs. Not connected: the attempt, or the connection, is over.
      if (this.#online || connection <= 200) this.#lost(this.#online ? "connection lost" : "not admitted");
      return;
    }
    if (this.#online) return;
    clock.clear(this.#timer);
    this.#online = true;
    this.#proof = clock.set(() => this.#waits.proved(), this.#waits.proof);
    this.#tell({ type: "connected", address });
    if (this.timeKnown) this.#becomeReady();
    this.#askTime();
  }

  /** The attempt, or the connection, is over; the next attempt is arranged. */
  #lost(reason: string): void {
    this.#clear();
    this.#online = false;
    try {
      // The SDK's class refuses to connect while it takes itself for connecting.
      this.#station.disconnect();
    } catch {
      // not connected
    }
    const retryMs = this.#waits.wait();
    this.#waits.failed();
    this.#timer = this.#options.clock.set(() => this.#connect(), retryMs);
    this.#tell({ type: "disconnected", reason, retryMs });
  }

  #becomeReady(): void {
    if (this.#ready) return;
    this.#ready = true;
    const { onReady } = this.#options;
    if (onReady) this.#options.clock.set(() => this.#guard(onReady), 0);
  }

  #askTime(): void {
    const { Sntp, clock, servers, setTime } = this.#options;
    const server = servers[this.#asked++ % servers.length];
    let client: { close(): void } | undefined;
    const current = () => !this.#closed && this.#online && (client === undefined || client === this.#sntp);
    this.#timeTimer = clock.set(() => this.#noTime(`no answer from ${server}`), TIME_TIMEOUT_MS);
    try {
      client = new Sntp({ host: server }, (message, value) => {
        if (!current() || (message !== Sntp.time && message !== Sntp.error)) return undefined;
        this.#sntp = undefined;
        if (message === Sntp.error) this.#noTime(`${server}: ${String(value)}`);
        else if (!(Number(value) >= LEAST_SECONDS)) this.#noTime(`${server} says ${String(value)}`);
        else {
          clock.clear(this.#timeTimer);
          this.#timeWaits.proved();
          this.#timeTimer = clock.set(() => this.#askTime(), TIME_AGAIN_MS);
          setTime(Number(value));
          this.#tell({ type: "time", seconds: Number(value), server });
          this.#becomeReady();
        }
        return undefined;
      });
      this.#sntp = client;
    } catch (error) {
      this.#noTime(wordsOf(error));
    }
  }

  #noTime(reason: string): void {
    const { clock } = this.#options;
    clock.clear(this.#timeTimer);
    this.#sntp?.close();
    this.#sntp = undefined;
    const retryMs = this.#timeWaits.wait();
    this.#timeWaits.failed();
    this.#timeTimer = clock.set(() => this.#askTime(), retryMs);
    this.#tell({ type: "no-time", reason, retryMs });
  }
}
