/**
 * What every host for Moddable offers beside its own calls.
 * @module
 */
export type {
  MqttClientConstructor,
  MqttClientLike,
  MqttClientOptions,
  MqttControl,
  MqttReadable,
  MqttWriteOptions,
} from "../mqtt/mqtt-client.js";
export { EcmaMqttConnection, type EcmaMqttOptions } from "../mqtt/mqtt-connection.js";
export type { NetworkOptions, Resolver, Socket } from "../mqtt/socket.js";
export type { DeviceAgentOptions, FirmwarePal } from "./agent.js";
export { ModdableClock } from "./clock.js";
export { ModdableCrypto } from "./crypto.js";
export {
  ClassicFlash,
  type ClassicFlashInstance,
  EcmaFlash,
  type EcmaFlashInstance,
} from "./flash.js";
export type { ConnectOptions } from "./mqtt.js";
export { type ClassicMqttClient, ClassicMqttConnection } from "./mqtt-classic.js";
export type { TlsOptions } from "./network.js";
