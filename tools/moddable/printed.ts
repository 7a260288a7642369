/**
 * What the package's documents print, for tests that do what they say.
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BuildError, ROOT } from "./sdk.js";

/** The first block of a language in a chapter. @throws BuildError when the document is another one */
export function printed(document: string, chapter: string, language: string): string {
  const text =
    readFileSync(join(ROOT, document), "utf8").split(`\n## ${chapter}\n`)[1]?.split("\n## ")[0] ?? "";
  const block = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(text)?.[1];
  if (!block) throw new BuildError(`"${chapter}" of ${document} has no ${language}`);
  return block;
}
