/**
 * From power-on to reachable on ESP32: Wi-Fi and the time, over the SDK's modules.
 * @module
 */
import WiFi from "embedded:network/interface/wifi";
import config from "mc/config";
import Preference from "preference";
import SNTP from "sntp";
import Time from "time";
import { ModdableClock } from "../moddable/clock.js";
import { traceLog } from "../moddable/log.js";
import {
  type Network,
  NetworkKeeper,
  type NetworkOptions,
  type SntpConstructor,
} from "../moddable/network-keeper.js";

export type { Network, NetworkEvent, NetworkOptions } from "../moddable/network-keeper.js";

/** Domain of the preferences (namespace of NVS) that holds the network's name and password: keys `ssid`, `password`. */
const DOMAIN = "wifi";

/**
 * Connects to Wi-Fi and sets the clock, and keeps at both for as long as the device runs. Name and password come from
 * the options, or NVS (domain "wifi", keys "ssid" and "password"), or `config.wifi` of the manifest, in this order; time
 * servers from the options or `config.sntp`, else pool.ntp.org.
 * @throws TypeError, RangeError when there is no name, or an option is out of range
 */
export function startNetwork(options: NetworkOptions = {}): Network {
  const stored = (key: string) => {
    const value = Preference.get(DOMAIN, key);
    return typeof value === "string" && value ? value : undefined;
  };
  const { wifi = {}, sntp = "pool.ntp.org" } = config as {
    wifi?: { ssid?: string; password?: string };
    sntp?: string;
  };
  // A password belongs to its network's name: both come from one place.
  const name = stored("ssid");
  const found = name ? { ssid: name, password: stored("password") } : wifi;
  return new NetworkKeeper({
    servers: [sntp],
    log: traceLog,
    ...(options.ssid ? undefined : found),
    ...options,
    ssid: options.ssid ?? found.ssid ?? "",
    WiFi,
    Sntp: SNTP as unknown as SntpConstructor,
    clock: new ModdableClock(),
    random: () => Math.random(),
    now: () => Date.now(),
    setTime: (seconds) => Time.set(seconds),
  });
}
