/**
 * `npm run docs`: writes docs/troubleshooting.md, and the API reference to build/docs. With `--check` nothing is
 * written, and what is out of date or any warning of typedoc fails.
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { reference } from "./docs/reference.js";
import { troubleshooting, unadvised } from "./docs/troubleshooting.js";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const PAGE = join(ROOT, "docs/troubleshooting.md");
const check = process.argv.includes("--check");

let faults = 0;
const fault = (text: string) => {
  faults++;
  console.error(text);
};

for (const code of unadvised()) fault(`tools/docs/troubleshooting.ts: error code "${code}"`);
if (!check) writeFileSync(PAGE, troubleshooting());
else if (readFileSync(PAGE, "utf8") !== troubleshooting())
  fault("docs/troubleshooting.md is out of date: npm run docs");

if (!(await reference(ROOT, check ? undefined : join(ROOT, "build/docs")))) fault("typedoc has warnings");
process.exitCode = faults ? 1 : 0;
