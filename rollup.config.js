import typescript from "@rollup/plugin-typescript";
import { compact } from "./tools/build/compact.js";
import { moddable } from "./tools/build/moddable.js";

/** The package: one ES module for a Moddable manifest, its declarations beside it. */
const agent = {
  input: "src/index.ts",
  output: { file: "dist/index.js", format: "es" },
  plugins: [typescript(), compact()],
};

/** The same sources with a host for the bare XS engine, as one script. */
const xs = {
  input: "hosts/xs/runtime/main.ts",
  output: { file: "build/xs/device.js", format: "iife" },
  plugins: [typescript({ tsconfig: "hosts/xs/runtime/tsconfig.json" })],
};

/** `rollup -c --configOnly xs` makes the second alone. */
export default ({ configOnly }) => (configOnly === "xs" ? [xs] : [agent, xs, ...moddable]);
