/**
 * The host for Moddable's simulator: the same calls as the host for ESP32, over a simulated chip. Settings come
 * from the application's manifest: `"config": {"ota": {"flashFile", "projectName", "version", "nvsFile", "partitions"}}`.
 * @module
 */
import config from "mc/config";
import Timer from "timer";
import type { BootControl, OtaAgent } from "xs-ota-agent";
import type { Flash } from "../../src/ports.js";
import { readNvs } from "../formats/nvs-reader.js";
import { createAgent, type DeviceAgentOptions } from "../moddable/agent.js";
import { type ConnectOptions, connectMqtt as connect } from "../moddable/mqtt.js";
import type { EcmaMqttConnection } from "../mqtt/mqtt-connection.js";
import { readFile, writeByCable } from "./cable.js";
import { SimulatedDevice, type SimulatorSettings } from "./device.js";
import { FileStore, storeFile } from "./file-store.js";
import { power } from "./power.js";

export * from "../moddable/public.js";

type OtaConfig = Partial<Omit<SimulatorSettings, "nvs">> & { readonly nvsFile?: string };

function device(): SimulatedDevice {
  const state = power();
  if (!state.device) {
    const { file, ota } = config as { file?: { root?: string }; ota?: OtaConfig };
    const { projectName = "simulator", version = "1.0.0", nvsFile, partitions } = ota ?? {};
    // One for each application.
    const name = `xs-ota-agent-${projectName.replace(/[^\w-]/g, "_")}.bin`;
    state.flashFile = ota?.flashFile ?? `${file?.root ?? "/tmp/"}${name}`;
    const settings = { flashFile: state.flashFile, projectName, version, nvs: readFile(nvsFile), partitions };
    writeByCable(settings);
    state.device = new SimulatedDevice(settings, restart);
    const { running } = state.device.boot;
    trace(`simulated device: ${running.projectName} ${running.version}, flash in ${state.flashFile}\n`);
    // In a later turn, as a fault of an application: the simulator ends, and the device resets.
    if (state.device.behaviour === "crash")
      Timer.set(() => {
        throw new Error("this image crashes");
      });
  }
  return state.device;
}

/**
 * Ends this life of the device: its connections break, and the host is asked to launch the application again.
 * A host that does not understand (Moddable's own simulator) leaves the application running without them, until
 * it is launched again by hand.
 */
function restart(): void {
  const { connections } = power();
  for (const connection of connections) connection.close();
  trace("simulated device: restart\n");
  const { screen } = globalThis as unknown as { screen?: { postMessage(message: string): void } };
  Timer.set(() => {
    // A worker has no screen: it ends the program by a fault, as a crash of the chip would.
    if (!screen) throw new Error("simulated device: restart");
    screen.postMessage("restart");
  });
}

/** `Math.random` starts alike at each launch of the simulator: the time is mixed in. */
function random(): number {
  return (Math.random() + Date.now() / 1_000_003) % 1;
}

/** The boot side of the simulated device. */
export function bootControl(): BootControl {
  return device().boot;
}

/** Why the device was reset last; the simulation does not know. */
export function resetReason(): string {
  return "unknown";
}

/** Opens a partition: "nextota", or a data partition by its label. @throws Error */
export function openPartition(path: string): Flash {
  return path === "nextota" ? device().slot : device().open(path);
}

/** A blob of the simulated chip's NVS (`config.ota.nvsFile`); undefined when there is none. */
export function nvsBytes(namespace: string, key: string): Uint8Array | undefined {
  return readNvs(openPartition("nvs"), namespace, key);
}

/** What the device keeps through restarts, as the host for ESP32 keeps it in NVS: here in a file beside the flash. */
export class PreferenceStore extends FileStore {
  constructor() {
    device();
    super(storeFile(power().flashFile));
  }
}

/**
 * An agent for the simulated device: updates go to the slot that does not run.
 * @throws TypeError, RangeError for unusable options; Error when no image in the flash file can be started
 */
export function createOtaAgent(options: DeviceAgentOptions): OtaAgent {
  const { slot, boot } = device();
  const parts = { slot, boot, store: new PreferenceStore(), random };
  return createAgent(parts, options);
}

/** An MQTT connection for the agent and the application; it looks after itself. */
export function connectMqtt(options: ConnectOptions): EcmaMqttConnection {
  const connection = connect(options, random);
  power().connections.push(connection);
  return connection;
}
