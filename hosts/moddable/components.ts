/**
 * Components beside the firmware on the Moddable runtime. A module of its own (`xs-ota-agent/components-device`), for products
 * that have them.
 * @module
 */
import { openPartition } from "moddable:xs-ota-agent/platform";
import { Components } from "xs-ota-agent/components";
import { DeviceComponents, type DeviceComponentsOptions } from "./component-parts.js";

export type { OpenComponent } from "xs-ota-agent/components";
export type {
  ComponentsParts,
  DeviceComponentDefinition,
  DeviceComponents,
  DeviceComponentsOptions,
} from "./component-parts.js";

/** For the agent's option `components`, and to open what is in use: `openComponent`. */
export function deviceComponents(options: DeviceComponentsOptions): DeviceComponents {
  return new DeviceComponents((all) => new Components(all), openPartition, options);
}
