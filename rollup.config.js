import { readFileSync } from "node:fs";
import typescript from "@rollup/plugin-typescript";
import { compact } from "./tools/build/compact.js";
import { moddable } from "./tools/build/moddable.js";

/** Sources that say what hosts, porting layers, data planes and applications see of the agent. */
const INTERFACES = ["data-plane", "errors", "index", "job-document", "jobs", "options", "pal", "ports"];

/** Every word of them, without comments. */
export const known = new Set(
  INTERFACES.flatMap((name) =>
    readFileSync(new URL(`src/${name}.ts`, import.meta.url), "utf8")
      .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")
      .match(/[A-Za-z_$][\w$]*/g),
  ),
);

/** The package: one ES module for a Moddable manifest, its declarations beside it. */
const agent = {
  input: "src/index.ts",
  output: { file: "dist/index.js", format: "es" },
  plugins: [typescript(), compact({ known })],
};

/** The HTTP data plane, for products that want it. The agent's error class must be one and the same. */
const http = {
  input: "src/http.ts",
  output: { file: "dist/http.js", format: "es" },
  plugins: [
    {
      name: "errors of the agent",
      resolveId: (source) => (source === "./errors.js" ? { id: "xs-ota-agent", external: true } : null),
    },
    typescript(),
    compact(),
  ],
};

/** The same sources with a host for the bare XS engine, as one script. */
const xs = {
  input: "hosts/xs/runtime/main.ts",
  output: { file: "build/xs/device.js", format: "iife" },
  plugins: [typescript({ tsconfig: "hosts/xs/runtime/tsconfig.json" }), compact()],
};

/** `rollup -c --configOnly xs` makes the second alone. */
export default ({ configOnly }) => (configOnly === "xs" ? [xs] : [agent, http, xs, ...moddable]);
