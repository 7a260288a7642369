/**
 * What of an ESP32 build needs neither ESP-IDF nor its compiler: resolving the manifests, type checks, preloading
 * and linking the JavaScript into ROM.
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { romBytes } from "./rom.js";
import { BuildError, type Sdk } from "./sdk.js";

/** The release of ESP-IDF the SDK asks for; only its tag is looked at. */
const IDF_TAG = "v6.0";

export interface LinkResult {
  /** Bytes of ROM that the linked JavaScript takes. */
  readonly rom: number;
  readonly warnings: readonly string[];
  /** Folder with the makefile and what the linker made. */
  readonly build: string;
}

/** An empty repository with the tag the SDK's version check wants to see. */
function idf(sdk: Sdk): string {
  const path = join(sdk.output, "idf");
  if (existsSync(path)) return path;
  mkdirSync(path);
  const identity = ["-c", "user.name=none", "-c", "user.email=none@localhost"];
  for (const args of [
    ["init", "-q"],
    [...identity, "commit", "-q", "--allow-empty", "-m", "tag"],
    ["tag", IDF_TAG],
  ]) {
    const { status, stderr } = spawnSync("git", args, { cwd: path, encoding: "utf8" });
    if (status !== 0) throw new BuildError(`git ${args.join(" ")}: ${stderr}`);
  }
  return path;
}

/** The first directory below `path` that has a file of that name. */
function locate(path: string, name: string): string {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isFile() && entry.name === name) return path;
    if (!entry.isDirectory()) continue;
    const found = locate(join(path, entry.name), name);
    if (found) return found;
  }
  return "";
}

/** @param target "esp32", "esp32/esp32c3" … @throws BuildError */
export async function linkForEsp32(sdk: Sdk, directory: string, target: string): Promise<LinkResult> {
  const output = join(sdk.output, `link-${target.replace("/", "-")}-${directory.split("/").at(-1)}`);
  mkdirSync(output, { recursive: true });
  await sdk.configure(directory, ["-p", target, "-o", output]);
  const build = locate(join(output, "tmp"), "makefile");
  const project = readdirSync(build).find((name) => name.startsWith("xsProj-")) ?? "";
  const config = join(build, project, "build/config/sdkconfig.h");
  mkdirSync(join(config, ".."), { recursive: true });
  writeFileSync(config, "");
  const linked = join(build, "mc.xs.c");
  const args = ["-o", config, "-f", join(build, "makefile"), linked, `IDF_PATH=${idf(sdk)}`];
  const text = await sdk.call("env", [`IDF_PATH=${idf(sdk)}`, "make", ...args], directory);
  const warnings = text
    .split("\n")
    .filter((line) => line.includes("warning") && line.includes("xs-ota-agent"));
  return { rom: romBytes(build), warnings, build };
}
