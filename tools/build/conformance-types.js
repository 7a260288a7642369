/**
 * Declarations of `xs-ota/conformance`, of tsc's output in build/conformance: what they have of the agent they take from
 * its package.
 * @module
 */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const path = (file) => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const TYPES = path("tools/dist/types");

rmSync(TYPES, { recursive: true, force: true });
cpSync(path("build/conformance/test"), TYPES, { recursive: true });
for (const name of readdirSync(TYPES, { recursive: true }).filter((file) => file.endsWith(".d.ts"))) {
  const file = join(TYPES, name);
  const text = readFileSync(file, "utf8");
  const linked = text
    .replace(/"(?:\.\.\/)+src\/components\/[\w/-]+\.js"/g, '"xs-ota-agent/components"')
    .replace(/"(?:\.\.\/)+src\/[\w/-]+\.js"/g, '"xs-ota-agent"');
  if (linked !== text) writeFileSync(file, linked);
}
