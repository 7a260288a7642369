/**
 * The two packages as npm packs them: what goes into firmware, and what a developer has beside it. They are laid out as npm
 * would install them, in a folder of which the clone has the dependencies.
 * @module
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { deepEqual, equal, ok } from "../support/assert.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Bytes of what goes into firmware, as npm transfers it. */
const MOST = 400_000;

const load = (file: string) => JSON.parse(readFileSync(join(ROOT, file), "utf8"));

/** A cache in which npm finds nothing. */
const EMPTY = mkdtempSync(join(tmpdir(), "xs-ota-npm-"));

describe("the packages", () => {
  const packed = mkdtempSync(join(ROOT, "build/packed-"));
  const agent = join(packed, "node_modules/xs-ota-agent");
  const program = join(packed, "node_modules/xs-ota");
  let size = 0;

  before(() => {
    for (const [folder, where] of [
      [agent, []],
      [program, ["--workspace", "xs-ota"]],
    ] as const) {
      const options = ["--ignore-scripts", "--pack-destination", packed, ...where];
      execFileSync("npm", ["pack", ...options], { cwd: ROOT, stdio: "ignore" });
      const [file] = readdirSync(packed).filter((name) => name.endsWith(".tgz"));
      if (folder === agent) size = statSync(join(packed, file)).size;
      mkdirSync(folder, { recursive: true });
      execFileSync("tar", ["-xzf", join(packed, file), "-C", folder, "--strip-components", "1"]);
      rmSync(join(packed, file));
    }
  });

  after(() => {
    for (const folder of [EMPTY, packed]) rmSync(folder, { recursive: true });
  });

  const files = (folder: string) =>
    (readdirSync(folder, { recursive: true }) as string[]).filter((name) => /\.\w+$/.test(name));

  it("for firmware: nothing to install besides, nothing of tools, and small", () => {
    const { dependencies, peerDependencies, bin } = JSON.parse(
      readFileSync(join(agent, "package.json"), "utf8"),
    );
    deepEqual([dependencies, peerDependencies, bin], [undefined, undefined, undefined]);
    const strange = files(agent).filter(
      (name) => /\.map$|^(src|tools|service|test|build)\//.test(name) || name.includes("/plain/"),
    );
    deepEqual(strange, []);
    ok(size < MOST, `${size} bytes`);
  });

  it("have all that their documents link to", () => {
    for (const folder of [agent, program])
      for (const name of files(folder).filter(
        (file) => file.endsWith(".md") && !file.includes("node_modules"),
      ))
        for (const [, target] of readFileSync(join(folder, name), "utf8").matchAll(
          /\]\(([^)#:]+)(?:#[^)]*)?\)/g,
        ))
          ok(existsSync(normalize(join(folder, dirname(name), target))), `${name}: ${target}`);
  });

  it("are of one version, and the program asks for no AWS SDK", () => {
    const { version, bin, dependencies, peerDependenciesMeta } = load("tools/package.json");
    equal(version, load("package.json").version);
    deepEqual(bin, { "xs-ota": "bin/xs-ota.js" });
    equal(
      Object.keys(dependencies).some((name) => name.startsWith("@aws-sdk/")),
      false,
    );
    for (const name of ["client-iam", "client-iot", "client-s3", "client-signer"])
      equal(peerDependenciesMeta[`@aws-sdk/${name}`].optional, true);
  });

  it("hold the page as it is served, and the readable build", () => {
    const names = readdirSync(join(ROOT, "service/page"));
    ok(names.includes("index.html"), "there is no page");
    for (const name of names)
      deepEqual(
        readFileSync(join(program, "dist/page", name)),
        readFileSync(join(ROOT, "service/page", name)),
      );
    for (const name of files(agent).filter((file) => /^manifest.*\.json$/.test(file)))
      ok(existsSync(join(program, "dist/plain", name.replace(".json", "-plain.json"))), name);
  });

  it("the program runs where it was installed, and reads a trace of the release", () => {
    const run = (args: readonly string[], input = "") =>
      execFileSync(process.execPath, [join(program, "bin/xs-ota.js"), ...args], {
        cwd: packed,
        encoding: "utf8",
        input,
      });
    equal(run(["--version"]).trim(), load("package.json").version);
    ok(/→ .*\(src\/agent\.ts:\d+\)/.test(run(["trace"], "at OtaAgent (index.js:3000)\nat init ()\n")));
  });

  it("offer the conformance tests of the ports", () => {
    const names = "boot component crypto flash http mqtt".split(" ").map((name) => `${name}Conformance`);
    const script = `import("xs-ota/conformance").then((all) => console.log(Object.keys(all).join()))`;
    const offered = execFileSync(process.execPath, ["-e", script], { cwd: packed, encoding: "utf8" });
    for (const name of names) ok(offered.includes(name), `${name} is not in ${offered}`);
    ok(existsSync(join(program, "dist/types/conformance/index.d.ts")));
  });

  it("lets npx start xs-ota in a clone, without another build", () => {
    const { mtimeMs } = statSync(join(ROOT, "tools/dist/bin/xs-ota.js"));
    const linked = realpathSync(join(ROOT, "node_modules/.bin/xs-ota"));
    equal(linked, join(ROOT, "tools/bin/xs-ota.js"));
    equal(statSync(linked).mode & 0o111, 0o111);
    const output = execFileSync("npx", ["--offline", "xs-ota", "--version"], {
      cwd: ROOT,
      encoding: "utf8",
      env: { ...process.env, npm_config_cache: EMPTY },
    });
    equal(output.trim(), load("package.json").version);
    equal(statSync(join(ROOT, "tools/dist/bin/xs-ota.js")).mtimeMs, mtimeMs);
  });
});
