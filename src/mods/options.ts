/**
 * What a product says of its mod, what the platform does for it, and what the product gets.
 * @module
 */
import type { ComponentUse } from "../components/options.js";
import type { OtaError } from "../errors.js";
import type { Clock, Crypto, Flash } from "../ports.js";
import type { Instructions } from "./archive.js";

/** The XS machine that a mod is linked for. All of it stays the same for one build of the firmware. */
export interface ModEngine extends Instructions {
  /** XS version: major, minor, patch. */
  readonly xs: readonly [number, number, number];
  /** Identity of the host for linking, 16 bytes: the MD5 of its table of symbols (`txPreparation.checksum`). */
  readonly host: Uint8Array;
  /** How many names can be added to the table of keys. */
  readonly keyRoom: number;
  /** Whether the machine has a name: its bytes with a NUL behind them, good during the call. */
  has(name: Uint8Array): boolean;
  /** Id of a name, which is added when the machine does not have it. */
  id(name: Uint8Array): number;
}

/** A small number that survives a restart, but need not survive the power: RTC memory. */
export interface StartCounter {
  get(): number;
  set(count: number): void;
}

/** Restarts the device from native code unless it is stopped in time: JavaScript may hang. */
export interface ModGuard {
  start(ms: number): void;
  stop(): void;
}

export interface ModsOptions {
  engine: ModEngine;
  /** Two data partitions. */
  places: readonly [Flash, Flash];
  /** Data partition of three sectors: the record of the links, and a scratch. Not one that flash encryption covers. */
  links: Flash;
  /** `fileType` of the mod's files in job documents, 1 to 254. */
  fileType: number;
  /** The component's name, as in its files. Default "mod". */
  name?: string;
  /** Version of the firmware that runs. */
  firmware: string;
  crypto: Crypto;
  clock: Clock;
  /** Watches over a mod on trial; without it a mod that hangs is ended by the platform's own watchdogs, or not at all. */
  guard?: ModGuard;
  /** How long that is, milliseconds. Default 300,000. */
  guardMs?: number;
  /** Counts starts that did not end well; without it a mod that was accepted is started whatever it does. */
  starts?: StartCounter;
  /** Starts after which an accepted mod is no longer started. Default 3. */
  maxStarts?: number;
  /** How long a start has to last to have gone well, milliseconds. Default 300,000. */
  wellMs?: number;
  /** Told why a mod is not started, and of what went wrong without consequences. */
  onNotice?: (error: OtaError) => void;
}

/** A mod that is linked, verified, and ready to be started. */
export interface PreparedMod {
  /** Index of its place. */
  readonly place: number;
  readonly version: string;
  /** Where in the place the archive lies, and how long it is, bytes. */
  readonly offset: number;
  readonly byteLength: number;
  readonly onTrial: boolean;
}

/** What a mod needs of the components it is one of: `Components`. */
export interface ModComponents {
  use(name: string): ComponentUse | undefined;
  /** Makes the place not in use free. @returns false when it is needed */
  vacate(name: string): boolean;
  /** What `moved` of a definition says may have changed. */
  settle(name: string): void;
  setPlatformImageState(state: "rejected"): unknown;
  reset(): void;
}
