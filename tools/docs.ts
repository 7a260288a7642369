/**
 * `npm run docs`: writes docs/troubleshooting.md, and the API reference to build/docs. With `--check` nothing is
 * written, and what is out of date or any warning of typedoc fails.
 * @module
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
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

const typedoc = join(dirname(createRequire(import.meta.url).resolve("typedoc/package.json")), "bin/typedoc");
const { status } = spawnSync(
  process.execPath,
  [typedoc, "--treatWarningsAsErrors", ...(check ? ["--emit", "none"] : [])],
  { cwd: ROOT, stdio: "inherit" },
);
if (status !== 0) fault("typedoc has warnings");
process.exitCode = faults ? 1 : 0;
