/**
 * Applications that are npm packages, for the SDK's mcpack, with this package as it would be published among their modules.
 * @module
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, type Sdk } from "./sdk.js";

export const PACKAGE = "package.json";
const TSCONFIG = "tsconfig.json";
const MODULE = "node_modules/xs-ota-agent";

/**
 * @param application directory of the application
 * @param directory where it is to be built
 * @param settings for the manifest in its package.json
 * @throws BuildError
 */
export async function preparePackage(
  sdk: Sdk,
  application: string,
  directory: string,
  settings: object,
): Promise<void> {
  cpSync(application, directory, { recursive: true });
  const description = JSON.parse(readFileSync(join(application, PACKAGE), "utf8"));
  Object.assign(description.moddable.manifest, settings);
  writeFileSync(join(directory, PACKAGE), JSON.stringify(description, undefined, 2));
  await installPackage(sdk, join(directory, MODULE));
  const tsconfig = join(directory, TSCONFIG);
  if (!existsSync(tsconfig)) return;
  // A tsconfig knows no variables.
  writeFileSync(tsconfig, readFileSync(tsconfig, "utf8").replaceAll("$(MODDABLE)", sdk.path));
  await sdk.call("tsc", ["-p", tsconfig], directory);
}

/** The package's archive, made once. */
const archives = new WeakMap<Sdk, Promise<string>>();

async function pack(sdk: Sdk): Promise<string> {
  const args = ["pack", "--ignore-scripts", "--silent", "--pack-destination", sdk.output];
  return join(sdk.output, (await sdk.call("npm", args, ROOT)).trim());
}

/** What the package depends on is the command line's: the device needs nothing of it. */
export async function installPackage(sdk: Sdk, path: string): Promise<void> {
  const archive = archives.get(sdk) ?? pack(sdk);
  archives.set(sdk, archive);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  // Files of a package are dated 1985: make would keep what it made of those before.
  await sdk.call("tar", ["-x", "-z", "-m", "--strip-components=1", "-f", await archive], path);
}
