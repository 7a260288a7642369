/**
 * The host for ESP32: `createOtaAgent` and `connectMqtt` over the chip's flash, ESP-IDF's boot control and the
 * SDK's network.
 * @module
 */
import flash from "embedded:storage/flash";
import Preference from "preference";
import type { BootControl, OtaAgent } from "xs-ota-agent";
import { EspBootControl } from "xs-ota-agent/boot";
import { createAgent, type DeviceAgentOptions } from "../moddable/agent.js";
import { EcmaFlash } from "../moddable/flash.js";
import { type ConnectOptions, connectMqtt as connect } from "../moddable/mqtt.js";
import { PreferenceStore } from "../moddable/store.js";
import type { EcmaMqttConnection } from "../mqtt/mqtt-connection.js";

export * from "../moddable/public.js";
export { PreferenceStore } from "../moddable/store.js";

/** Added to the agent's own deadline for the self-test: the guard in native code is for an agent that hangs. */
const GUARD_MARGIN_MS = 30_000;
/** Default of the agent's `selfTestTimeoutMs`. */
const SELF_TEST_MS = 90_000;

/** The chip's hardware random number generator stands behind `Math.random` on ESP32. */
const random = (): number => Math.random();

/** The boot side of this device. */
export function bootControl(): BootControl {
  return new EspBootControl(new PreferenceStore());
}

/** Why the device was reset last: "power-on", "software", "panic", "task-watchdog", "brownout" … */
export function resetReason(): string {
  return new EspBootControl(new PreferenceStore()).resetReason;
}

/** Opens a partition: "nextota", "running", or a data partition by its label. @throws Error */
export function openPartition(path: string): EcmaFlash {
  return new EcmaFlash(flash.open({ path, mode: path === "running" ? "r" : "r+" }));
}

/** A blob of NVS, whoever wrote it; undefined when there is none. */
export function nvsBytes(namespace: string, key: string): Uint8Array | undefined {
  const value = Preference.get(namespace, key) as unknown;
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}

/**
 * An agent for this device: updates go to the slot that does not run.
 * @throws TypeError, RangeError for unusable options; Error when the flash has no second slot
 */
export function createOtaAgent(options: DeviceAgentOptions): OtaAgent {
  const store = new PreferenceStore();
  const boot = new EspBootControl(store);
  boot.guard((options.selfTestTimeoutMs ?? SELF_TEST_MS) + GUARD_MARGIN_MS);
  const parts = { slot: openPartition("nextota"), boot, store, random };
  return createAgent(parts, options);
}

/** An MQTT connection for the agent and the application; it looks after itself. */
export function connectMqtt(options: ConnectOptions): EcmaMqttConnection {
  return connect(options, random);
}
