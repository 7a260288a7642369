/**
 * Mods on the Moddable runtime. A module of its own (`xs-ota-agent/mods-device`), for products that want them: partitions,
 * the engine and the guard by the names the platform has for them, and the compartment a mod runs in.
 * @module
 */
import { NativeMods } from "moddable:xs-ota-agent/mods-native";
import { bootControl, openPartition } from "moddable:xs-ota-agent/platform";
import { ModdableClock, ModdableCrypto } from "xs-ota-agent/device";
import { type ModComponents, Mods, type ModsOptions } from "xs-ota-agent/mods";
import { MachineEngine, type ModGrants, startArchive } from "./mod-machine.js";

export type { ModGrants } from "./mod-machine.js";

export interface DeviceModsOptions
  extends Pick<ModsOptions, "fileType" | "name" | "guardMs" | "maxStarts" | "wellMs" | "onNotice"> {
  /** Labels of the two data partitions. Default: "mod_0", "mod_1". */
  readonly places?: readonly [string, string];
  /** Label of the data partition of three sectors for the links. Default: "mod_links". */
  readonly links?: string;
}

const PLACES = Object.freeze(["mod_0", "mod_1"] as const);

export class DeviceMods extends Mods {
  readonly #native: NativeMods;
  readonly #labels: readonly [string, string];

  /** @throws Error for a partition that cannot be opened, RangeError for one that is too small */
  constructor({ places = PLACES, links = "mod_links", ...options }: DeviceModsOptions) {
    const native = new NativeMods();
    super({
      ...options,
      engine: new MachineEngine(native),
      places: [openPartition(places[0]), openPartition(places[1])],
      links: openPartition(links),
      firmware: bootControl().running.version,
      crypto: new ModdableCrypto(),
      clock: new ModdableClock(),
      guard: { start: (ms) => native.guard(ms), stop: () => native.guard(0) },
      starts: { get: () => native.starts(), set: (count) => native.setStarts(count) },
    });
    this.#native = native;
    this.#labels = places;
  }

  /**
   * Links, verifies and starts the mod in use. To be called first of all in `main`, so that the names of mods get the
   * same ids at every start. A mod on trial that throws meanwhile is given up, and the device restarts without it.
   * @returns what its main module exports; undefined without a mod: see `problem`
   */
  start(components: ModComponents, grants: ModGrants = {}): Record<string, unknown> | undefined {
    const prepared = this.prepare(components);
    if (!prepared) return undefined;
    const { place, offset, byteLength } = prepared;
    try {
      const archive = this.#native.open(this.#labels[place] as string, offset, byteLength);
      return startArchive(this.#native, archive, grants);
    } catch (error) {
      this.fail(error, components);
      return undefined;
    }
  }
}
