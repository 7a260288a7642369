/**
 * What npm runs after an installation: the build. `npx xs-ota` in a clone is an installation, too, of the clone in
 * npm's cache: the program need not wait for a build that is there already.
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../build/tools/xs-ota.js", import.meta.url));

if (process.env.npm_command !== "exec" || !existsSync(program))
  execFileSync("npm", ["run", "build"], { stdio: "inherit", shell: process.platform === "win32" });
