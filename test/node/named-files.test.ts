import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deepEqual, ok } from "../support/assert.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** A file of the sources as a text in quotes names it. */
const NAMED = /"((?:src|hosts|service|test)\/[\w./-]+\.(?:ts|c|js|json))"/g;

/** What only runs where an SDK or a long measurement does names files as well: nobody else notices when one has moved. */
describe("files that tools and bench name", () => {
  for (const folder of ["tools", "bench"])
    it(`${folder}: all of them are there`, () => {
      const named: string[] = [];
      for (const path of readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }))
        if (/\.(ts|js)$/.test(path))
          for (const [, file] of readFileSync(join(ROOT, folder, path), "utf8").matchAll(NAMED))
            named.push(file);
      ok(named.length > 0, "none is named");
      deepEqual(
        named.filter((file) => !existsSync(join(ROOT, file))),
        [],
      );
    });
});
