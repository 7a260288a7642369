/**
 * Makes the programs, build/tools: each module once, in as few files as there are moments to load them. Node spends more
 * on finding and opening a hundred small modules than on what a command does. What npm installs stays outside.
 * @module
 */
import { chmodSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const path = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const folder = path("build/tools");

// Chunks are named by what is in them: those of the build before would stay.
rmSync(folder, { recursive: true, force: true });
await build({
  entryPoints: [path("tools/xs-ota.ts"), path("tools/start.ts")],
  outdir: folder,
  bundle: true,
  splitting: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  // Names of classes and functions stay: they are in messages and stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: "warning",
});
chmodSync(`${folder}/xs-ota.js`, 0o755);
