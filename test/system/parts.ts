/**
 * What the device of a story and its application both know.
 * @module
 */

import type { Store } from "../../src/ports.js";
import type { OtaPal } from "../../src/slot/pal.js";
import type { HttpServer } from "../support/virtual-http.js";
import type { VirtualBroker } from "../support/virtual-network.js";
import type { Assets, Firmware, Foundry, Gear } from "./images.js";
import type { Judge } from "./judge.js";
import type { CountingClock } from "./life.js";
import type { JobStory, Scenario } from "./scenario.js";
import type { Trouble } from "./trouble.js";

/** Milliseconds from the device to a service over HTTP. */
export const ONE_WAY_MS = 20;

/** hawkBit as the device comes across it. */
export interface HawkbitSite {
  readonly server: { readonly root: string; readonly token: string };
  readonly serve: HttpServer;
  deployment(jobId: string): { readonly story: JobStory } | undefined;
}

export interface DeviceParts {
  readonly scenario: Scenario;
  readonly broker: VirtualBroker;
  readonly trouble: Trouble;
  readonly judge: Judge;
  readonly foundry: Foundry;
  /** Everything that was ever made to be delivered, the factory's firmware first. */
  readonly firmware: readonly Firmware[];
  readonly assets: readonly Assets[];
  /** Images of the second processor, the factory's first. */
  readonly gears: readonly Gear[];
  readonly random: () => number;
  readonly note: (text: string) => void;
  /** The fleet's service, where it is hawkBit. */
  readonly hawkbit?: HawkbitSite | undefined;
  /** Told of the bytes of images that reach the device over HTTP. */
  readonly fetched?: (bytes: number) => void;
}

/** The device as its application sees it. */
export interface AppDevice {
  readonly parts: DeviceParts;
  readonly agentClock: CountingClock;
  /** Numbers of the application's messages that reached the broker. */
  readonly telemetry: ReadonlySet<number>;
  readonly lives: number;
  /** What survives a restart, for agent and porting layer. */
  readonly store: Store;
  /** Destinations of files beside firmware and components, by type. */
  readonly otherPals: Readonly<Record<number, OtaPal>>;
  reset(): void;
  /** Nothing runs any more until the watchdog resets the chip. */
  hang(ms: number): void;
}
