/**
 * Examples made ready to be built: with keys and settings of their own, outside the repository.
 * @module
 */
import { X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Sdk } from "./sdk.js";

/**
 * @param application directory of the example
 * @param certificatePem of the key that images will be signed with
 * @param config settings for its manifest
 * @returns directory with a manifest that builds the example
 */
export function prepareExample(
  sdk: Sdk,
  application: string,
  certificatePem: string,
  config: Readonly<Record<string, unknown>>,
): string {
  const directory = join(sdk.output, application.split("/").at(-1) as string);
  const keys = join(directory, "keys");
  mkdirSync(keys, { recursive: true });
  writeFileSync(join(keys, "code-signing.der"), new X509Certificate(certificatePem).raw);
  const original = JSON.parse(readFileSync(join(application, "manifest.json"), "utf8"));
  const manifest = {
    ...absolute(original, application),
    data: { "*": "./keys/*" },
    config: { ...original.config, ...config },
  };
  writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest, undefined, 2));
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
