/**
 * What the agent costs an application on ESP32: ROM, by linking with and without it.
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "../bundle.js";
import { CCode } from "./c-code.js";
import { type Edit, edits } from "./edits.js";
import { type LinkResult, linkForEsp32 } from "./link.js";
import { ROOT, type Sdk } from "./sdk.js";
import { PORT } from "./without-port.js";
import { SETS } from "./without-sets.js";

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

/** In place of bytes. */
const NOT_MEASURED = "not measured: riscv64-unknown-elf-gcc or picolibc is missing";

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
  /** Of the bundle, the port for other fleet services than AWS IoT. */
  readonly port: number;
  /** What each option's manifest takes more than the package without it, native code not counted. */
  readonly options: readonly (readonly [what: string, bytes: number])[];
  /** Each part with all it imports, linked alone. */
  readonly parts: readonly (readonly [what: string, bytes: number])[];
  /** C code on RISC-V of the package, of the SDK's modules, and of TLS among these; undefined without the compiler. */
  readonly native: { readonly package: number; readonly sdk: number; readonly tls: number } | undefined;
}

/** Links an application for ESP32. */
function build(sdk: Sdk, name: string, include: readonly string[], more = {}): Promise<LinkResult> {
  const directory = writeApplication(sdk, name, include, "export default () => {};\n", more);
  return linkForEsp32(sdk, directory, "esp32");
}

/** The ROM of it. */
async function link(sdk: Sdk, name: string, include: readonly string[], more = {}): Promise<number> {
  return (await build(sdk, name, include, more)).rom;
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
  const bare = await build(sdk, "rom-base", BASE);
  const modules = await build(sdk, "rom-floor", [...BASE, ...SDK_PARTS]);
  const { rom: base } = bare;
  const { rom: floor } = modules;
  const sdkParts: [string, number][] = [];
  let tls = bare;
  for (const [n, include] of SDK_PARTS.entries()) {
    const what = include.replace("$(MODDABLE)/", "").replace("/manifest.json", "");
    const part = await build(sdk, `rom-part-${n}`, [...BASE, include]);
    sdkParts.push([what, part.rom - base]);
    if (what.includes("tls")) tls = part;
  }
  const rom = await linkedAlone(sdk);
  const alone = async (input: string) => rom((await bundle(input)).code);
  const parts: [string, number][] = [];
  for (const [what, input] of PARTS) parts.push([what, await alone(input)]);
  const { rom: whole, build: wholeBuild } = await build(sdk, "rom-package", [
    ...BASE,
    join(ROOT, "manifest.json"),
  ]);
  const c = CCode.find(sdk);
  const options: [string, number][] = [];
  for (const name of OPTIONS) options.push([name, (await withOption(sdk, name)) - whole]);
  options.push([PAYLOAD_DECODER, (await withPayloadDecoder(sdk)) - (await withOption(sdk, "payload"))]);
  // Both by the same way of compiling.
  const edited = async (list: readonly Edit[]) => rom((await bundle("src/index.ts", [], edits(list))).code);
  const unedited = await edited([]);
  return {
    agent: await alone("src/agent.ts"),
    sets: unedited - (await edited(SETS)),
    port: unedited - (await edited(PORT)),
    bundle: await alone("src/index.ts"),
    package: whole - floor,
    sdk: floor - base,
    sdkParts,
    options,
    parts,
    native: c && {
      package: c.more(wholeBuild, modules.build),
      sdk: c.more(modules.build, bare.build),
      tls: c.more(tls.build, bare.build),
    },
  };
}

/** Rows for a table: what, bytes. */
export function romRows({
  agent,
  bundle,
  package: whole,
  sets,
  port,
  sdk,
  sdkParts,
  options,
  parts,
  native,
}: RomFigures): [string, string][] {
  const tls = sdkParts.find(([what]) => what.includes("tls"))?.[1] ?? 0;
  return [
    ["in a Wi-Fi application without TLS: package and the SDK's modules, JavaScript", String(whole + sdk)],
    ["  and their C code, on RISC-V", native ? String(native.package + native.sdk) : NOT_MEASURED],
    ["in one with TLS, JavaScript", String(whole + sdk - tls)],
    ["  and C code", native ? String(native.package + native.sdk - native.tls) : NOT_MEASURED],
    ["agent without porting layer, MQTT only", String(agent)],
    ["agent with flash layer and signatures", String(bundle)],
    ["  of these: jobs of several files installed together", String(sets)],
    ["  and the port for other fleet services", String(port)],
    ["package: with host, MQTT client and boot hook", String(whole)],
    ["modules of the SDK that these need", String(sdk)],
    ...sdkParts.map(([what, bytes]): [string, string] => [`  of the SDK: ${what}`, String(bytes)]),
    ...options.map(([what, bytes]): [string, string] => [`  option: ${what}`, String(bytes)]),
    ...parts.map(([what, bytes]): [string, string] => [`  alone, with its imports: ${what}`, String(bytes)]),
  ];
}
