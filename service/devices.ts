/**
 * The things the service has heard of.
 * @module
 */

import type { Reported } from "./shadows.js";

/** A thing that has sent a request, or that somebody has named. */
export interface DeviceRecord {
  readonly thingName: string;
  /** What people call it. */
  readonly label?: string;
  /** Names of the thing groups it is in, sorted. */
  readonly groups?: readonly string[];
  /** Undefined when the broker does not tell. */
  readonly connected: boolean | undefined;
  /** Of its last request, milliseconds since 1970; undefined when there was none. */
  readonly lastSeen: number | undefined;
  /** MQTT client identifier of its last request, where the broker tells. */
  readonly clientId: string | undefined;
  /** What it says of itself in its shadow. */
  readonly reported?: Reported;
}

export interface DeviceRegistryOptions {
  /** Told when a device is new, has connected or disconnected, or reported something of itself. */
  changed: (device: DeviceRecord) => void;
  /** From an earlier run; none of these is connected. */
  known?: Iterable<DeviceRecord>;
}

const THING = /^\$aws\/things\/([a-zA-Z0-9:_-]{1,128})\//;

export class DeviceRegistry {
  readonly #changed: DeviceRegistryOptions["changed"];
  readonly #devices = new Map<string, DeviceRecord>();

  constructor({ changed, known = [] }: DeviceRegistryOptions) {
    this.#changed = changed;
    for (const device of known) {
      const connected = device.connected === undefined ? undefined : false;
      this.#devices.set(device.thingName, { ...device, connected });
    }
  }

  /** A request came in at `now`, milliseconds since 1970. */
  request(topic: string, clientId: string | undefined, now: number): void {
    const thingName = THING.exec(topic)?.[1];
    if (thingName === undefined) return;
    const before = this.#devices.get(thingName);
    const connected = clientId === undefined ? undefined : true;
    const device = { ...before, thingName, clientId, connected, lastSeen: now };
    this.#devices.set(thingName, device);
    if (!before || before.connected !== connected || before.clientId !== clientId) this.#changed(device);
  }

  /** A client came or went. */
  connection(clientId: string, connected: boolean, now: number): void {
    for (const [thingName, device] of this.#devices) {
      if (device.clientId !== clientId || device.connected === connected) continue;
      const changed = { ...device, connected, lastSeen: now };
      this.#devices.set(thingName, changed);
      this.#changed(changed);
    }
  }

  /** A thing that has sent a request reports of itself. */
  report(thingName: string, reported: Reported): void {
    const device = this.#devices.get(thingName);
    if (!device) return;
    const changed = { ...device, reported };
    this.#devices.set(thingName, changed);
    this.#changed(changed);
  }

  /** Makes a thing known that has not been heard of. */
  add(thingName: string): void {
    if (this.#devices.has(thingName)) return;
    const device = { thingName, connected: undefined, lastSeen: undefined, clientId: undefined };
    this.#devices.set(thingName, device);
    this.#changed(device);
  }

  /** @param change an empty label takes it away */
  edit(thingName: string, change: { label?: string; groups?: readonly string[] }): DeviceRecord {
    this.add(thingName);
    const { label, groups, ...device } = this.#devices.get(thingName)!;
    const now = { label, groups, ...change };
    const changed = {
      ...device,
      ...(now.label ? { label: now.label } : {}),
      ...(now.groups?.length ? { groups: [...new Set(now.groups)].sort() } : {}),
    };
    this.#devices.set(thingName, changed);
    this.#changed(changed);
    return changed;
  }

  forget(thingName: string): void {
    this.#devices.delete(thingName);
  }

  get(thingName: string): DeviceRecord | undefined {
    return this.#devices.get(thingName);
  }

  all(): Iterable<DeviceRecord> {
    return this.#devices.values();
  }
}
