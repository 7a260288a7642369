/**
 * Mods: an entry point of its own, so that a product without them does not pay for it.
 * @module
 */
export { ArchiveWalk, type Instructions, type Walked } from "./archive.js";
export { ARCHIVE_AT, HOST_LENGTH, type ModHeader, parseModHeader } from "./header.js";
export { Mods } from "./mods.js";
export type {
  ModComponents,
  ModEngine,
  ModGuard,
  ModsOptions,
  PreparedMod,
  StartCounter,
} from "./options.js";
