import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { deepEqual, equal, ok } from "../support/assert.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

describe("the package", () => {
  it("holds the page as it is served", () => {
    const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const packed = JSON.parse(output) as unknown;
    const text = JSON.stringify(packed);
    for (const name of ["index.html", "page.css", "page.js", "state.js", "view.js", "icon.svg"])
      ok(text.includes(`"service/page/${name}"`), `${name} is not in the package`);
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
    for (const name of ["@aws-sdk/client-iot", "@aws-sdk/client-s3"])
      equal(peerDependenciesMeta[name].optional, true);
  });
});
