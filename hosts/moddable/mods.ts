/**
 * Mods on the Moddable runtime. A module of its own (`xs-ota-agent/mods-device`), for products that want them: partitions,
 * the engine and the guard by the names the platform has for them, and the compartment a mod runs in.
 * @module
 */
import { NativeMods } from "moddable:xs-ota-agent/mods-native";
import { bootControl, openPartition } from "moddable:xs-ota-agent/platform";
import { ModdableClock, ModdableCrypto } from "xs-ota-agent/device";
import { type ModComponents, type ModEngine, Mods, type ModsOptions } from "xs-ota-agent/mods";

export interface DeviceModsOptions
  extends Pick<ModsOptions, "fileType" | "name" | "guardMs" | "maxStarts" | "wellMs" | "onNotice"> {
  /** Labels of the two data partitions. Default: "mod_0", "mod_1". */
  readonly places?: readonly [string, string];
  /** Label of the data partition of three sectors for the links. Default: "mod_links". */
  readonly links?: string;
}

/** What the product gives its mod; it has nothing else, no globals of the host and no agent. */
export interface ModGrants {
  /** Global variables. */
  readonly globals?: Readonly<Record<string, unknown>>;
  /** Modules it may import: the host's, by the specifier the mod imports them with, each as its namespace. */
  readonly modules?: Readonly<Record<string, object>>;
  /** The mod's module that is imported first. Default: "main". */
  readonly main?: string;
}

/** As XS has it (documentation/xs/XS Compartment.md of the SDK). */
interface CompartmentLike {
  importNow(specifier: string): Record<string, unknown>;
}
type CompartmentConstructor = new (options: {
  globals: object;
  modules: Record<string, object>;
  resolveHook: (specifier: string, referrer: string) => string;
}) => CompartmentLike;

const PLACES = Object.freeze(["mod_0", "mod_1"] as const);

class Engine implements ModEngine {
  readonly xs: readonly [number, number, number];
  readonly host: Uint8Array;
  readonly codeSizes: Int8Array;
  readonly profileCode: number;
  readonly #native: NativeMods;

  constructor(native: NativeMods) {
    this.#native = native;
    const version = native.version();
    this.xs = [version >> 16, (version >> 8) & 0xff, version & 0xff];
    this.host = new Uint8Array(native.host());
    this.codeSizes = new Int8Array(native.codeSizes());
    this.profileCode = native.profile();
  }

  get keyRoom(): number {
    return this.#native.keyRoom();
  }

  has(name: Uint8Array): boolean {
    return this.#native.has(name);
  }

  id(name: Uint8Array): number {
    return this.#native.id(name);
  }
}

export class DeviceMods extends Mods {
  readonly #native: NativeMods;
  readonly #labels: readonly [string, string];

  /** @throws Error for a partition that cannot be opened, RangeError for one that is too small */
  constructor({ places = PLACES, links = "mod_links", ...options }: DeviceModsOptions) {
    const native = new NativeMods();
    super({
      ...options,
      engine: new Engine(native),
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
      const modules: Record<string, object> = {};
      const given = grants.modules ?? {};
      for (const name of Object.keys(given)) modules[name] = { namespace: given[name] };
      for (const path of this.#native.paths(archive)) modules[path] = { archive, path };
      const { Compartment } = globalThis as unknown as { Compartment: CompartmentConstructor };
      const compartment = new Compartment({ globals: { ...grants.globals }, modules, resolveHook });
      return compartment.importNow(grants.main ?? "main");
    } catch (error) {
      this.fail(error, components);
      return undefined;
    }
  }
}

/** Modules of an archive have paths without an extension; imports of each other begin with a dot. */
function resolveHook(specifier: string, referrer: string): string {
  if (!specifier.startsWith(".")) return specifier;
  const parts = referrer.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/").replace(/\.m?js$/, "");
}
