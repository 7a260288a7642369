/**
 * Declarations of the hosts take the agent's own from dist, where rollup has left them: there is one of each class, and the
 * package has no second copy.
 * @module
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const TYPES = join(DIST, "types");

for (const name of readdirSync(join(TYPES, "hosts"), { recursive: true })) {
  if (!name.endsWith(".d.ts")) continue;
  const file = join(TYPES, "hosts", name);
  const agent = relative(dirname(file), DIST).split(sep).join("/");
  const text = readFileSync(file, "utf8");
  const linked = text.replace(/(["'])(?:\.\.\/)+src\//g, `$1${agent}/`);
  if (linked !== text) writeFileSync(file, linked);
}
rmSync(join(TYPES, "src"), { recursive: true, force: true });
