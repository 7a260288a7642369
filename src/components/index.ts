/**
 * Components beside the firmware: an entry point of its own, so that a product without them does not pay for it.
 * @module
 */
export { Components } from "./components.js";
export { COMPONENT_HEADER_LENGTH, type ComponentHeader, parseComponentHeader } from "./header.js";
export { requireHost } from "./host-range.js";
export type {
  ComponentDefinition,
  ComponentsOptions,
  ComponentUse,
  FirmwarePal,
  OpenComponent,
} from "./options.js";
export {
  type Answer,
  ProcessorPal,
  type ProcessorPalOptions,
  type SecondProcessor,
} from "./processor-pal.js";
export { RecordLog } from "./record-log.js";
