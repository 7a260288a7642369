/**
 * Runs the files of test/unit once more, inside XS: one test here for each test there.
 * `XS_FILES=cbor,pal` restricts the run to files with one of these words in their names.
 * @module
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { declareXsTests } from "./declare.js";

const DIRECTORY = fileURLToPath(new URL("../unit/", import.meta.url));

const wanted = process.env["XS_FILES"]?.split(",") ?? [""];
const files = (readdirSync(DIRECTORY, { recursive: true }) as string[])
  .filter((file) => file.endsWith(".test.ts") && wanted.some((word) => file.includes(word)))
  .sort();

for (const file of files) await declareXsTests(`XS: ${file}`, join(DIRECTORY, file));
