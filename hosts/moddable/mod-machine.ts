/**
 * The XS machine as mods know it: the engine they are linked for, and the compartment one runs in.
 * @module
 */
import type { ModEngine } from "xs-ota-agent/mods";
import type { NativeEngine } from "./mods-engine.js";

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

export class MachineEngine implements ModEngine {
  readonly xs: readonly [number, number, number];
  readonly host: Uint8Array;
  readonly codeSizes: Int8Array;
  readonly profileCode: number;
  readonly #native: NativeEngine;

  constructor(native: NativeEngine) {
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

/** Starts an archive in a compartment of its own. @returns what its main module exports */
export function startArchive(
  native: NativeEngine,
  archive: object,
  grants: ModGrants,
): Record<string, unknown> {
  const modules: Record<string, object> = {};
  const given = grants.modules ?? {};
  for (const name of Object.keys(given)) modules[name] = { namespace: given[name] };
  for (const path of native.paths(archive)) modules[path] = { archive, path };
  const { Compartment } = globalThis as unknown as { Compartment: CompartmentConstructor };
  const compartment = new Compartment({ globals: { ...grants.globals }, modules, resolveHook });
  return compartment.importNow(grants.main ?? "main");
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
