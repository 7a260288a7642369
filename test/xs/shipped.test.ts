/** What ships is what is tested: files of tests that go through the package's interface run on the files of dist. */
import { fileURLToPath } from "node:url";
import { deepEqual, ok } from "../support/assert.js";
import { XsSuite } from "./xs-suite.js";

/** Their rigs reach inside: these ran on compacted sources without anybody noticing. */
const FILES: Readonly<Record<string, readonly string[]>> = {
  "system/seeds": ["components.js", "ddi.js", "index.js", "mods.js", "payload-decoder.js", "payload.js"],
  "unit/staged-pal": ["index.js", "payload-decoder.js", "payload.js"],
  "unit/payload-jobs": ["index.js", "payload-decoder.js", "payload.js"],
  "unit/components-world": ["components.js", "index.js", "payload-decoder.js", "payload.js"],
  "unit/mods": ["components.js", "index.js", "mods.js"],
  "unit/way-back": ["index.js"],
};

describe("tests on XS run what ships", function () {
  this.timeout(60_000);
  for (const [name, files] of Object.entries(FILES))
    it(name, async () => {
      const suite = await XsSuite.load(fileURLToPath(new URL(`../${name}.test.ts`, import.meta.url)));
      ok(suite.shipped, `${name} runs on the sources`);
      const run = suite.files.filter((file) => files.includes(file)).sort();
      deepEqual(run, files);
    });
});
