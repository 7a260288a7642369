/**
 * `embedded:network/interface/wifi` on ESP32 (modules/io/wifi/esp32/wifi-esp32.c):
 * - It connects once; afterwards nobody tries again. Connecting while it is connecting throws.
 * - `connection` is 500 only with an IPv4 and an IPv6 address; an access point without DHCP leaves it at 400 for ever.
 * - What is refused, or lost, comes to 200, and `onChanged` hears of it; `disconnect` is not told at all.
 * - A lease that runs out is not told either.
 * After `close` every use throws.
 * @module
 */
import type { WifiStation } from "../../../hosts/moddable/network-keeper.js";
import { encodeUtf8 } from "../../../src/bytes.js";
import { sdk } from "./machine.js";

/** The access points around. */
export const air = {
  /** Password by network name; "" for an open one. */
  networks: new Map<string, string>(),
  /** False: associated, but no address is given out. */
  dhcp: true,
  /** Milliseconds from `connect` to the access point, and on to the address. */
  associateMs: 2_000,
  addressMs: 1_500,
  /** Attempts made. */
  attempts: 0,
  stations: [] as WiFi[],
  reset(): void {
    Object.assign(air, {
      networks: new Map([["home", "secret12"]]),
      dhcp: true,
      associateMs: 2_000,
      addressMs: 1_500,
      attempts: 0,
      stations: [],
    });
  },
  /** The access point goes out of reach; who is connected notices. */
  lose(): void {
    air.networks.clear();
    for (const station of air.stations) station.drop();
  },
};

type State = "idle" | "connecting" | "associated" | "addressed" | "closed";

export default class WiFi implements WifiStation {
  readonly #onChanged: ((property: string) => void) | undefined;
  #state: State = "idle";
  /** Counts attempts: what an earlier one comes to is no matter of this one. */
  #attempt = 0;

  constructor(options: { readonly onChanged?: (property: string) => void }) {
    this.#onChanged = options.onChanged;
    air.stations.push(this);
  }

  get connection(): number {
    this.#alive();
    return { idle: 200, connecting: 300, associated: 400, addressed: 500, closed: 0 }[this.#state];
  }

  get address(): string | undefined {
    this.#alive();
    return this.#state === "addressed" ? "192.0.2.17" : undefined;
  }

  connect(options: { readonly SSID: string; readonly password?: string }): void {
    this.#alive();
    if (this.#state === "connecting") throw new Error("already connecting");
    const { SSID, password = "" } = options;
    if (SSID === undefined) throw new Error("SSID required");
    if (encodeUtf8(SSID).length > 32 || encodeUtf8(password).length > 64) throw new RangeError("too long");
    if (this.#state !== "idle") throw new Error("connect failed");
    air.attempts++;
    this.#state = "connecting";
    this.#later(air.associateMs, () => {
      if (air.networks.get(SSID) !== password) return this.#become("idle");
      this.#become("associated");
      this.#later(air.addressMs, () => air.dhcp && this.#become("addressed"));
    });
  }

  disconnect(): void {
    this.#alive();
    this.#attempt++;
    this.#state = "idle";
  }

  close(): void {
    this.#state = "closed";
  }

  /** The access point is gone. */
  drop(): void {
    if (this.#state === "closed" || this.#state === "idle") return;
    this.#attempt++;
    this.#state = "idle";
    sdk.clock.set(() => this.#tell(), 1);
  }

  /** Unless it is closed by then. */
  #tell(): void {
    if (this.#state !== "closed") this.#onChanged?.("connection");
  }

  #alive(): void {
    if (this.#state === "closed") throw new SyntaxError("this: no Wi-Fi instance");
  }

  #become(state: State): void {
    this.#state = state;
    this.#onChanged?.("connection");
    if (state === "addressed" && this.#state === state) this.#onChanged?.("address");
  }

  #later(ms: number, action: () => void): void {
    const attempt = this.#attempt;
    sdk.clock.set(() => {
      if (attempt === this.#attempt && this.#state !== "closed") action();
    }, ms);
  }
}
