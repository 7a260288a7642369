/**
 * Makes tools/dist/xs/device.js: the application of a simulated device for a bare XS engine as one script, of the files of
 * dist and a host for that engine.
 * @module
 */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { makeAgent } from "./fresh.js";
import { shipped } from "./shipped.js";

const path = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

await makeAgent();
await build({
  entryPoints: [path("hosts/xs/runtime/main.ts")],
  outfile: process.argv[2] ?? path("tools/dist/xs/device.js"),
  bundle: true,
  format: "iife",
  platform: "neutral",
  target: "es2022",
  plugins: [shipped()],
  tsconfigRaw: { compilerOptions: { target: "ES2022", useDefineForClassFields: true } },
  logLevel: "warning",
});
