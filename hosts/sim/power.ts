/**
 * What the simulated device is while it is on, for every module of the simulator's host.
 * @module
 */
import type { EcmaMqttConnection } from "../mqtt/mqtt-connection.js";
import type { SimulatedDevice } from "./device.js";

/** What the device is while it is on. One object for the whole simulator: there is one device in it. */
class Power {
  device: SimulatedDevice | undefined;
  flashFile = "";
  connections: EcmaMqttConnection[] = [];
}
/** Kept by the global object: modules in ROM hold no state. */
const KEY = "xs-ota-agent simulator";

export function power(): Power {
  const holder = globalThis as unknown as Record<string, Power | undefined>;
  return (holder[KEY] ??= new Power());
}
