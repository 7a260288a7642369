/**
 * Makes the agent's files in dist again when one of their sources has changed since.
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SHIPPED } from "./shipped.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SOURCES = ["src", "tools/build", "rollup.config.js", "tsconfig.json"];
const FILES = Object.keys(SHIPPED).map((name) => `dist/${name}.js`);

function times(path) {
  const files = statSync(path).isDirectory() ? readdirSync(path, { recursive: true }) : [""];
  return files.map((file) => statSync(join(path, file)).mtimeMs);
}

const newestSource = () => Math.max(...SOURCES.flatMap((source) => times(join(ROOT, source))));

/** True when the file is not there, or older than a source of the agent's or a step of the build. */
export function isOlder(file, than = newestSource()) {
  return !existsSync(file) || statSync(file).mtimeMs < than;
}

/** True when the agent's files are not there, or older than a source. */
export function isStale() {
  const newest = newestSource();
  return FILES.some((file) => isOlder(join(ROOT, file), newest));
}

/** True when the whole of dist has been made since any of its sources changed: what is made last is newer than all. */
export function isBuilt() {
  const last = join(ROOT, "tools/dist/plain/manifest-plain.json");
  const sources = [...SOURCES, "hosts", "typings", "package.json", "tsconfig.moddable.json"];
  return (
    existsSync(last) &&
    statSync(last).mtimeMs > Math.max(...sources.flatMap((source) => times(join(ROOT, source))))
  );
}

/** @throws Error when they cannot be made; the reasons are on the standard error output */
export async function makeAgent() {
  if (!isStale()) return;
  const rollup = createRequire(import.meta.url).resolve("rollup/dist/bin/rollup");
  const { status } = spawnSync(process.execPath, [rollup, "-c", "--configAgent", "--silent"], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error("the agent could not be bundled: see the errors of rollup above");
}
