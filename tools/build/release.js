/**
 * Copies what `xs-ota trace` reads into tools/dist/release: the compacted modules as they ship, and their maps.
 * @module
 */
import { copyFileSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

rmSync(path("tools/dist/release"), { recursive: true, force: true });
mkdirSync(path("tools/dist/release"), { recursive: true });
for (const name of readdirSync(path("dist")).filter((file) => file.endsWith(".js.map")))
  for (const file of [name.slice(0, -4), name])
    copyFileSync(path(`dist/${file}`), path(`tools/dist/release/${file}`));
