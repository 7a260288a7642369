/**
 * What the agent costs an application on the Moddable runtime: ROM by linking with and without it, RAM by the
 * instrumentation of the host build, at rest and at the peak of a transfer.
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { linkForEsp32 } from "./link.js";
import { ROOT, type Sdk } from "./sdk.js";

const BASE = [
  "$(MODDABLE)/examples/manifest_base.json",
  "$(MODDABLE)/examples/manifest_net.json",
  "$(MODDABLE)/modules/io/manifest.json",
];
/** What the agent's host needs of the SDK. A product with TLS has most of it anyway. */
const SDK_PARTS = [
  "$(MODDABLE)/modules/io/flash/manifest.json",
  "$(MODDABLE)/examples/io/tcp/tlssocket/manifest.json",
  "$(MODDABLE)/modules/files/preference/manifest.json",
];

function writeApplication(
  sdk: Sdk,
  name: string,
  include: readonly string[],
  main: string,
  more: object = {},
): string {
  const directory = join(sdk.output, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "main.js"), main);
  const manifest = { include, modules: { "*": "./main" }, ...more };
  writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest));
  return directory;
}

export interface RomFigures {
  /** The agent alone: `dist/index.js`. */
  readonly agent: number;
  /** The whole package: agent, host for ESP32, MQTT client and connection. */
  readonly package: number;
  /** The SDK's parts that the host needs: TLS, crypto, flash, preferences. */
  readonly sdk: number;
}

/** Bytes of ESP32 ROM. */
export async function measureRom(sdk: Sdk): Promise<RomFigures> {
  const link = async (name: string, include: readonly string[], more = {}) =>
    (
      await linkForEsp32(
        sdk,
        writeApplication(sdk, name, include, "export default () => {};\n", more),
        "esp32",
      )
    ).rom;
  const base = await link("rom-base", BASE);
  const parts = await link("rom-sdk", [...BASE, ...SDK_PARTS]);
  const agent = {
    modules: { "*": "./main", "xs-ota-agent": join(ROOT, "dist/index") },
    preload: ["xs-ota-agent"],
  };
  const alone = await link("rom-agent", [...BASE, ...SDK_PARTS], agent);
  const whole = await link("rom-package", [...BASE, join(ROOT, "manifest.json")]);
  return { agent: alone - parts, package: whole - parts, sdk: parts - base };
}
