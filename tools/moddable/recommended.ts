/**
 * The memory the guide recommends for the machine of a product on ESP32, as it is printed there.
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BuildError, ROOT } from "./sdk.js";

/** Bytes at a time. */
const GROWTH = 4096;

interface Creation {
  readonly chunk: { readonly initial: number };
}

/**
 * @returns `creation` for the simulator. Chunks may grow there: its flash takes some that a chip has not.
 * @throws BuildError when the guide is another one
 */
export function recommendedCreation(): object {
  const guide = readFileSync(join(ROOT, "docs/guide.md"), "utf8");
  const chapter = guide.split("\n## 7. What it costs\n")[1]?.split("\n## ")[0] ?? "";
  const printed = /^```json\n"creation": (\{[\s\S]*?\})\n```$/m.exec(chapter)?.[1];
  if (!printed) throw new BuildError(`the guide's "What it costs" has no creation`);
  const creation = JSON.parse(printed) as Creation;
  return { ...creation, chunk: { ...creation.chunk, incremental: GROWTH } };
}
