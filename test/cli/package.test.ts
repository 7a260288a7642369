import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deepEqual, equal, ok } from "../support/assert.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A cache in which npm finds nothing. */
const EMPTY = mkdtempSync(join(tmpdir(), "xs-ota-npm-"));

describe("the package", () => {
  after(() => rmSync(EMPTY, { recursive: true }));

  it("holds the page as it is served", () => {
    const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const packed = JSON.parse(output) as unknown;
    const text = JSON.stringify(packed);
    const names = readdirSync(`${ROOT}service/page`);
    ok(names.includes("index.html"), "there is no page");
    for (const name of names) ok(text.includes(`"service/page/${name}"`), `${name} is not in the package`);
  });

  it("lets npx start xs-ota in a clone, without another build", () => {
    const program = `${ROOT}build/tools/xs-ota.js`;
    const { mode, mtimeMs } = statSync(program);
    equal(mode & 0o111, 0o111);
    const output = execFileSync("npx", ["--offline", "xs-ota", "--version"], {
      cwd: ROOT,
      encoding: "utf8",
      env: { ...process.env, npm_config_cache: EMPTY },
    });
    equal(output.trim(), JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")).version);
    equal(statSync(program).mtimeMs, mtimeMs);
  });

  it("offers xs-ota, and asks for no AWS SDK", () => {
    const { bin, dependencies, peerDependenciesMeta } = JSON.parse(
      readFileSync(`${ROOT}package.json`, "utf8"),
    );
    deepEqual(bin, { "xs-ota": "build/tools/xs-ota.js" });
    equal(
      Object.keys(dependencies).some((name) => name.startsWith("@aws-sdk/")),
      false,
    );
    for (const name of ["client-iam", "client-iot", "client-s3", "client-signer"].map(
      (name) => `@aws-sdk/${name}`,
    ))
      equal(peerDependenciesMeta[name].optional, true);
  });
});
