import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import typescript from "@rollup/plugin-typescript";
import { compact } from "./tools/build/compact.js";
import { ownNames } from "./tools/build/interface.js";
import { beside, moddable } from "./tools/build/moddable.js";

/** Names of properties that only the agent's sources know. */
export const own = ownNames(fileURLToPath(new URL("tsconfig.json", import.meta.url)));

/** Those that the hosts of the test engine have no use for either. */
function ownBesideHosts() {
  const words = ["hosts/formats", "hosts/emulated", "hosts/mqtt", "hosts/xs/runtime"].flatMap((directory) =>
    readdirSync(directory).flatMap((file) => readFileSync(`${directory}/${file}`, "utf8").match(/\w+/g)),
  );
  return own.filter((name) => !words.includes(name));
}

/** The package: one ES module for a Moddable manifest, its declarations beside it. */
const agent = {
  input: "src/index.ts",
  output: { file: "dist/index.js", format: "es" },
  plugins: [typescript(), compact({ own })],
};

/** Modules of an option that the agent's bundle has: one error class, one flash layer. */
const shared = {
  name: "modules of the agent",
  resolveId: (source) =>
    /(^|\/)(errors|slot\/flash-pal)\.js$/.test(source) ? { id: "xs-ota-agent", external: true } : null,
};

/** The HTTP data plane, for products that want it. */
const http = {
  input: "src/transfer/http.ts",
  output: { file: "dist/http.js", format: "es", assetFileNames: "[name]" },
  plugins: [
    shared,
    typescript(),
    compact({ own }),
    beside("http.d.ts", () => 'export * from "./transfer/http.js";\n'),
  ],
};

/** Deltas and compressed images, for products that want them. */
const payload = {
  input: "src/payload/index.ts",
  output: { file: "dist/payload.js", format: "es", assetFileNames: "[name]" },
  plugins: [
    shared,
    typescript(),
    compact({ own }),
    beside("payload.d.ts", () => 'export * from "./payload/index.js";\n'),
  ],
};

/** Components beside the firmware, for products that have them. */
const components = {
  input: "src/components/index.ts",
  output: { file: "dist/components.js", format: "es", assetFileNames: "[name]" },
  plugins: [
    shared,
    typescript(),
    compact({ own }),
    beside("components.d.ts", () => 'export * from "./components/index.js";\n'),
  ],
};

/** The same sources with a host for the bare XS engine, as one script. */
const xs = {
  input: "hosts/xs/runtime/main.ts",
  output: { file: "build/xs/device.js", format: "iife" },
  plugins: [typescript({ tsconfig: "hosts/xs/runtime/tsconfig.json" }), compact({ own: ownBesideHosts() })],
};

/** `rollup -c --configOnly xs` makes the second alone. */
export default ({ configOnly }) =>
  configOnly === "xs" ? [xs] : [agent, http, payload, components, xs, ...moddable];
