/**
 * What the agent costs an application on ESP32: ROM, by linking with and without it.
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle, type SourceEdit } from "../bundle.js";
import { linkForEsp32 } from "./link.js";
import { ROOT, type Sdk } from "./sdk.js";
import { withoutSets } from "./without-sets.js";

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

/** What a product may have of the agent, each with all it imports: the later ones hold most of the earlier ones. */
const PARTS: readonly [what: string, input: string][] = [
  ["errors", "src/errors.ts"],
  ["job documents: JSON, base64, UTF-8", "src/control/job-document.ts"],
  ["jobs: requests, status reports", "src/control/jobs.ts"],
  ["window: what is on its way, what is lost", "src/transfer/window.ts"],
  ["transfer: window, which blocks are wanted", "src/transfer/download.ts"],
  ["file streams: CBOR", "src/transfer/stream.ts"],
  ["signatures: DER, PEM, keys", "src/slot/signature.ts"],
  ["flash layer: journal, ESP32 images, versions", "src/slot/flash-pal.ts"],
];

/** Options that are added to the package. */
const OPTIONS: readonly string[] = [
  ...["payload", "components", "failure-log", "http", "url", "ddi"],
  ...["aws", "keys", "mods", "mqtt-shared", "network", "push"],
];

/** Row of the decoder in JavaScript. */
const PAYLOAD_DECODER = "payload-decoder, in JavaScript: more than payload, where somebody links it";

export interface RomFigures {
  /** What the C agent's code size counts: agent, CBOR, JSON; MQTT only; without MQTT client, TLS, porting layer. */
  readonly agent: number;
  /** With the porting layer and signatures: `dist/index.js`. */
  readonly bundle: number;
  /** The whole package: the bundle, host for ESP32, MQTT client and connection. */
  readonly package: number;
  /** The SDK's parts that the host needs: TLS, crypto, flash, preferences. */
  readonly sdk: number;
  /** Each of those parts, more than an application without it. */
  readonly sdkParts: readonly (readonly [what: string, bytes: number])[];
  /** Of the bundle, jobs whose files are installed together: in every product, with components or without. */
  readonly sets: number;
  /** What each option's manifest takes more than the package without it, native code not counted. */
  readonly options: readonly (readonly [what: string, bytes: number])[];
  /** Each part with all it imports, linked alone. */
  readonly parts: readonly (readonly [what: string, bytes: number])[];
}

/** Links an application for ESP32 and gives its ROM. */
async function link(sdk: Sdk, name: string, include: readonly string[], more = {}): Promise<number> {
  const directory = writeApplication(sdk, name, include, "export default () => {};\n", more);
  return (await linkForEsp32(sdk, directory, "esp32")).rom;
}

function withOption(sdk: Sdk, name: string): Promise<number> {
  return link(sdk, `rom-${name}`, [...BASE, join(ROOT, `manifest-${name}.json`)]);
}

/** Small payloads with what no manifest brings to ESP32, where the decoder is native. */
function withPayloadDecoder(sdk: Sdk): Promise<number> {
  const name = "xs-ota-agent/payload-decoder";
  const modules = { "*": "./main", [name]: join(ROOT, "dist/payload-decoder") };
  const include = [...BASE, join(ROOT, "manifest-payload.json")];
  return link(sdk, "rom-payload-decoder", include, { modules, preload: [name] });
}

/** @returns what gives the bytes of ESP32 ROM that a module takes, preloaded, more than an application without */
export async function linkedAlone(sdk: Sdk): Promise<(code: string) => Promise<number>> {
  const floor = await link(sdk, "rom-sdk", [...BASE, ...SDK_PARTS]);
  let count = 0;
  return async (code) => {
    const name = `rom-code-${count++}`;
    const directory = join(sdk.output, `${name}-code`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "code.js"), code);
    const modules = { "*": "./main", "xs-ota-agent": join(directory, "code") };
    return (await link(sdk, name, [...BASE, ...SDK_PARTS], { modules, preload: ["xs-ota-agent"] })) - floor;
  };
}

/** Bytes of ESP32 ROM that preloaded JavaScript takes more than an application without. */
export async function measureRom(sdk: Sdk): Promise<RomFigures> {
  const base = await link(sdk, "rom-base", BASE);
  const floor = await link(sdk, "rom-floor", [...BASE, ...SDK_PARTS]);
  const sdkParts: [string, number][] = [];
  for (const [n, include] of SDK_PARTS.entries()) {
    const what = include.replace("$(MODDABLE)/", "").replace("/manifest.json", "");
    sdkParts.push([what, (await link(sdk, `rom-part-${n}`, [...BASE, include])) - base]);
  }
  const rom = await linkedAlone(sdk);
  const alone = async (input: string) => rom((await bundle(input)).code);
  const parts: [string, number][] = [];
  for (const [what, input] of PARTS) parts.push([what, await alone(input)]);
  const whole = await link(sdk, "rom-package", [...BASE, join(ROOT, "manifest.json")]);
  const options: [string, number][] = [];
  for (const name of OPTIONS) options.push([name, (await withOption(sdk, name)) - whole]);
  options.push([PAYLOAD_DECODER, (await withPayloadDecoder(sdk)) - (await withOption(sdk, "payload"))]);
  // Both by the same way of compiling.
  const edited = async (change: SourceEdit) => rom((await bundle("src/index.ts", [], change)).code);
  return {
    agent: await alone("src/agent.ts"),
    sets: (await edited((code) => code)) - (await edited(withoutSets)),
    bundle: await alone("src/index.ts"),
    package: whole - floor,
    sdk: floor - base,
    sdkParts,
    options,
    parts,
  };
}

/** Rows for a table: what, bytes. */
export function romRows({
  agent,
  bundle,
  package: whole,
  sets,
  sdk,
  sdkParts,
  options,
  parts,
}: RomFigures): [string, string][] {
  const tls = sdkParts.find(([what]) => what.includes("tls"))?.[1] ?? 0;
  return [
    ["in a Wi-Fi application without TLS: package and the SDK's modules", String(whole + sdk)],
    ["in one with TLS", String(whole + sdk - tls)],
    ["agent without porting layer, MQTT only", String(agent)],
    ["agent with flash layer and signatures", String(bundle)],
    ["  of these: jobs of several files installed together", String(sets)],
    ["package: with host, MQTT client and boot hook", String(whole)],
    ["modules of the SDK that these need", String(sdk)],
    ...sdkParts.map(([what, bytes]): [string, string] => [`  of the SDK: ${what}`, String(bytes)]),
    ...options.map(([what, bytes]): [string, string] => [`  option: ${what}`, String(bytes)]),
    ...parts.map(([what, bytes]): [string, string] => [`  alone, with its imports: ${what}`, String(bytes)]),
  ];
}
