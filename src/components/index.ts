/**
 * Components beside the firmware: an entry point of its own, so that a product without them does not pay for it.
 * @module
 */
export { Components } from "./components.js";
export type { ComponentHeader } from "./header.js";
export type { ComponentDefinition, ComponentsOptions, FirmwarePal, OpenComponent } from "./options.js";
export {
  type Answer,
  ProcessorPal,
  type ProcessorPalOptions,
  type SecondProcessor,
} from "./processor-pal.js";
