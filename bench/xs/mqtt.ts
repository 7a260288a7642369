/**
 * The MQTT connection as a device has it, for a bundle of its own.
 * @module
 */
export { MqttClient } from "../../hosts/mqtt/mqtt-client.js";
export { EcmaMqttConnection } from "../../hosts/mqtt/mqtt-connection.js";
