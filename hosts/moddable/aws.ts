/**
 * AWS IoT Core on the Moddable runtime. A module of its own (`xs-ota-agent/aws`), for products that want it.
 * @module
 */
import { connectMqtt } from "moddable:xs-ota-agent/platform";
import type { MqttConnection } from "../../src/ports.js";
import { type AwsOptions, awsOptions } from "./aws-options.js";

export { VersionReport, type VersionReportOptions } from "../mqtt/version-report.js";
export type { AwsOptions } from "./aws-options.js";

/**
 * Connects to AWS IoT Core with the device's certificate, and again whenever the connection is lost.
 * @throws TypeError, RangeError naming an option that AWS would refuse
 */
export function connectAws(options: AwsOptions): MqttConnection & { close(): void } {
  return connectMqtt(awsOptions(options));
}
