/**
 * Examples made ready to be built: with keys and settings of their own, outside the repository.
 * @module
 */
import { X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { PACKAGE, preparePackage } from "./package.js";
import type { Sdk } from "./sdk.js";

interface Manifest {
  readonly config?: Readonly<Record<string, unknown>>;
}

const MANIFEST = "manifest.json";

/** An example's own manifest; of one that is a package, the one in its package.json. */
export function manifestOf(application: string): Manifest {
  const load = (name: string) => JSON.parse(readFileSync(join(application, name), "utf8"));
  return existsSync(join(application, MANIFEST)) ? load(MANIFEST) : load(PACKAGE).moddable.manifest;
}

/**
 * @param application directory of the example
 * @param certificatePem of the key that images will be signed with
 * @param config settings for its manifest
 * @param creation of the machine, in place of its manifest's
 * @returns directory that builds the example
 */
export async function prepareExample(
  sdk: Sdk,
  application: string,
  certificatePem: string,
  config: Readonly<Record<string, unknown>>,
  creation?: object,
): Promise<string> {
  const directory = join(sdk.output, application.split("/").at(-1) as string);
  const keys = join(directory, "keys");
  mkdirSync(keys, { recursive: true });
  writeFileSync(join(keys, "code-signing.der"), new X509Certificate(certificatePem).raw);
  const original = manifestOf(application);
  const settings = {
    data: { "*": "./keys/*" },
    config: { ...original.config, ...config },
    ...(creation && { creation }),
  };
  if (existsSync(join(application, MANIFEST))) {
    const manifest = { ...absolute(original, application), ...settings };
    writeFileSync(join(directory, MANIFEST), JSON.stringify(manifest, undefined, 2));
  } else await preparePackage(sdk, application, directory, settings);
  return directory;
}

/** A part of a manifest, its relative paths made absolute. */
function absolute(value: unknown, directory: string): Record<string, unknown> {
  const turn = (item: unknown): unknown => {
    if (typeof item === "string") return /^\.{1,2}\//.test(item) ? resolve(directory, item) : item;
    if (Array.isArray(item)) return item.map(turn);
    if (typeof item !== "object" || item === null) return item;
    return Object.fromEntries(Object.entries(item).map(([key, inner]) => [key, turn(inner)]));
  };
  return turn(value) as Record<string, unknown>;
}
