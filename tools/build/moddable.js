/**
 * The bundles for the Moddable runtime, made from what `tsc -p tsconfig.moddable.json` leaves in build/moddable.
 * Modules of the SDK stay imports, and so does the agent: the application has one copy of it.
 * @module
 */
import { readFileSync } from "node:fs";
import { sep } from "node:path";
import { compact } from "./compact.js";

const OUTPUT = "build/moddable/hosts/esp32";

/** Whatever is imported by a bare or a scheme's name comes from the SDK or from the package's own manifest. */
function external(id) {
  return /^[a-z]/i.test(id);
}

/** Imports of the agent's sources become imports of the agent. */
const agentImport = {
  name: "agent import",
  async resolveId(source, importer, options) {
    const resolved = await this.resolve(source, importer, { ...options, skipSelf: true });
    const inside = resolved?.id.split(sep).join("/").includes("/build/moddable/src/");
    return inside ? { id: "xs-ota-agent", external: true } : null;
  },
};

/** Imports of what the platform's module exports become imports of that. */
const deviceImport = {
  name: "device import",
  resolveId: (source) =>
    /\/(mqtt-connection|clock|crypto)\.js$/.test(source)
      ? { id: "xs-ota-agent/device", external: true }
      : null,
};

/** Writes a file beside the bundle. */
export function beside(fileName, source) {
  return {
    name: `beside: ${fileName}`,
    generateBundle() {
      this.emitFile({ type: "asset", fileName, source: source() });
    },
  };
}

const types = (name, from) => beside(`${name}.d.ts`, () => `export * from "./types/hosts/${from}.js";\n`);
const output = (name) => ({
  file: `dist/${name}.js`,
  format: "es",
  sourcemap: "hidden",
  sourcemapExcludeSources: true,
  assetFileNames: "[name]",
});

/** What tsc has left beside its output. */
const typeScript = {
  name: "maps of tsc",
  load: (id) =>
    id.includes("/build/moddable/")
      ? { code: readFileSync(id, "utf8"), map: JSON.parse(readFileSync(`${id}.map`, "utf8")) }
      : null,
};

export const moddable = [
  {
    input: `${OUTPUT}/index.js`,
    external,
    output: output("platform-esp32"),
    plugins: [
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$d" }),
      types("platform-esp32", "esp32/index"),
    ],
  },
  {
    input: "build/moddable/hosts/sim/index.js",
    external,
    output: output("platform-sim"),
    plugins: [
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$d" }),
      types("platform-sim", "sim/index"),
    ],
  },
  {
    // Whatever the platform: the manifest says which bundle this is.
    input: "build/moddable/hosts/moddable/device.js",
    external,
    output: output("device"),
    plugins: [types("device", "esp32/index")],
  },
  {
    input: "build/moddable/hosts/moddable/http.js",
    external,
    output: output("http-device"),
    plugins: [
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$d" }),
      types("http-device", "moddable/http"),
    ],
  },
  {
    input: "build/moddable/hosts/moddable/url.js",
    external,
    output: output("url-device"),
    plugins: [
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$v" }),
      types("url-device", "moddable/url"),
    ],
  },
  {
    input: "build/moddable/hosts/moddable/mqtt-shared.js",
    external,
    output: output("mqtt-shared"),
    plugins: [
      deviceImport,
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$m" }),
      types("mqtt-shared", "moddable/mqtt-shared"),
    ],
  },
  {
    input: "build/moddable/hosts/moddable/ddi.js",
    external,
    output: output("ddi-device"),
    plugins: [
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$w" }),
      types("ddi-device", "moddable/ddi"),
    ],
  },
  {
    input: "build/moddable/hosts/moddable/aws.js",
    external,
    output: output("aws"),
    plugins: [
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$a" }),
      types("aws", "moddable/aws"),
    ],
  },
  {
    input: "build/moddable/hosts/moddable/push.js",
    external,
    output: output("push"),
    plugins: [
      deviceImport,
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$s" }),
      types("push", "moddable/push"),
    ],
  },
  {
    input: "build/moddable/hosts/moddable/keys.js",
    external,
    output: output("keys"),
    plugins: [
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$y" }),
      types("keys", "moddable/keys"),
    ],
  },
  {
    input: "build/moddable/hosts/moddable/network-device.js",
    external,
    output: output("network"),
    plugins: [types("network", "esp32/network")],
  },
  {
    input: `${OUTPUT}/network.js`,
    external,
    output: output("network-esp32"),
    plugins: [
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$n" }),
      types("network-esp32", "esp32/network"),
    ],
  },
  {
    input: "build/moddable/hosts/sim/network.js",
    external,
    output: output("network-sim"),
    plugins: [
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$n" }),
      types("network-sim", "sim/network"),
    ],
  },
  {
    // Not compacted: the XS compiler looks for `native("…").call(this)` as it stands. The C file lies beside it.
    input: `${OUTPUT}/boot.js`,
    external,
    output: output("boot"),
    plugins: [
      agentImport,
      types("boot", "esp32/boot"),
      beside("boot.c", () => readFileSync("hosts/esp32/boot.c")),
    ],
  },
  {
    input: "build/moddable/hosts/moddable/payload.js",
    external,
    output: output("payload-device"),
    plugins: [
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$q" }),
      types("payload-device", "moddable/payload"),
    ],
  },
  {
    input: "build/moddable/hosts/moddable/components.js",
    external,
    output: output("components-device"),
    plugins: [
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$b" }),
      types("components-device", "moddable/components"),
    ],
  },
  {
    // Not compacted, as boot.js.
    input: `${OUTPUT}/payload-native.js`,
    external,
    output: output("payload-native"),
    plugins: [
      agentImport,
      beside("payload-native.c", () => readFileSync("hosts/esp32/payload.c")),
      beside("payload-core.h", () => readFileSync("hosts/esp32/payload-core.h")),
    ],
  },
  {
    input: "build/moddable/hosts/sim/payload-native.js",
    external,
    output: output("payload-sim"),
    plugins: [agentImport],
  },
  {
    input: "build/moddable/hosts/moddable/mods.js",
    external,
    output: output("mods-device"),
    plugins: [
      agentImport,
      typeScript,
      compact({ iterators: true, prefix: "$y" }),
      types("mods-device", "moddable/mods"),
    ],
  },
  {
    // Not compacted, as boot.js.
    input: `${OUTPUT}/mods-native.js`,
    external,
    output: output("mods-native"),
    plugins: [agentImport, beside("mods-native.c", () => readFileSync("hosts/esp32/mods.c"))],
  },
  {
    input: "build/moddable/hosts/sim/mods-native.js",
    external,
    output: output("mods-sim"),
    plugins: [agentImport, beside("mods-sim.c", () => readFileSync("hosts/esp32/mods.c"))],
  },
  { input: `${OUTPUT}/setup.js`, external, output: output("setup"), plugins: [agentImport] },
];
