/**
 * Makes the programs: `xs-ota`, in tools/dist/bin with the conformance tests, and `npm start`, in build/tools. Each module once, in
 * as few files as there are moments to load them: Node spends more on finding and opening a hundred small modules than on
 * what a command does. What npm installs stays outside.
 * @module
 */
import { copyFileSync, cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const path = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url));
/** Chunks are named by what is in them: those of the build before would stay. */
async function program(folder, entries) {
  rmSync(path(folder), { recursive: true, force: true });
  await build({
    entryPoints: entries,
    outdir: path(folder),
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
}

await program("tools/dist/bin", {
  "xs-ota": path("tools/xs-ota.ts"),
  conformance: path("test/conformance/index.ts"),
});
rmSync(path("tools/dist/page"), { recursive: true, force: true });
cpSync(path("service/page"), path("tools/dist/page"), { recursive: true });
copyFileSync(path("LICENSE"), path("tools/dist/LICENSE"));
await program("build/tools", { start: path("tools/start.ts") });
