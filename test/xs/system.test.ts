/**
 * Runs the files of test/system once more, inside XS.
 * @module
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { declareXsTests } from "./declare.js";

const DIRECTORY = fileURLToPath(new URL("../system/", import.meta.url));

for (const file of readdirSync(DIRECTORY).filter((name) => name.endsWith(".test.ts")))
  await declareXsTests(`XS: system/${file}`, join(DIRECTORY, file));
