/**
 * The script that runs inside the bare XS engine: the agent's files of dist with a host; made in a clone again whenever
 * a source has changed.
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, statSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";

/** Folders the bundle is made of. */
const SOURCES = ["src", "tools/build", "hosts/formats", "hosts/emulated", "hosts/mqtt", "hosts/xs"];

let script: string | undefined;

/** The script. @throws Error when it is not there and cannot be made */
export function deviceBundle(): string {
  script ??= readBundle(packageRoot());
  return script;
}

function readBundle(root: string): string {
  const isClone = existsSync(join(root, "src/index.ts"));
  const path = join(root, isClone ? "tools/dist" : "dist", "xs/device.js");
  if (isClone && (!existsSync(path) || statSync(path).mtimeMs < newest(root))) {
    make(root, path);
  }
  return readFileSync(path, "utf8");
}

/** Makes the bundle beside its place, so that nobody ever reads half of it. */
function make(root: string, path: string): void {
  const started = new Date();
  const fresh = `${path}.${process.pid}.js`;
  const { status } = spawnSync(process.execPath, [join(root, "tools/build/xs-script.js"), fresh], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error("the script for XS could not be made: see the errors above");
  utimesSync(fresh, started, started);
  renameSync(fresh, path);
}

function newest(root: string): number {
  let latest = statSync(join(root, "rollup.config.js")).mtimeMs;
  for (const folder of SOURCES)
    for (const file of readdirSync(join(root, folder), { recursive: true }) as string[])
      latest = Math.max(latest, statSync(join(root, folder, file)).mtimeMs);
  return latest;
}

/**
 * The folder of the clone, or of the package `xs-ota`: this file runs from hosts/xs, and bundled from build/tools and
 * tools/dist/bin.
 */
function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  const clone = dirname(folder);
  return existsSync(join(clone, "src/index.ts")) ? clone : folder;
}
