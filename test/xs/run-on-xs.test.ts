/**
 * Runs the files of test/unit once more, inside XS: one test here for each test there.
 * `XS_FILES=cbor,pal` restricts the run to files with one of these words in their names.
 * @module
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { XsSuite } from "./xs-suite.js";

const DIRECTORY = fileURLToPath(new URL("../unit/", import.meta.url));
/** The longest a test may take, in ms. */
const TIMEOUT = 60_000;

const wanted = process.env["XS_FILES"]?.split(",") ?? [""];
const files = (readdirSync(DIRECTORY, { recursive: true }) as string[])
  .filter((file) => file.endsWith(".test.ts") && wanted.some((word) => file.includes(word)))
  .sort();

for (const file of files) {
  let titles: string[][] = [];
  let suite: XsSuite | undefined;
  let failure: unknown;
  try {
    suite = await XsSuite.load(join(DIRECTORY, file));
    await suite.start();
    titles = await suite.list();
  } catch (error) {
    failure = error;
  }
  await suite?.stop();

  describe(`XS: ${file}`, () => {
    if (failure !== undefined || titles.length === 0)
      it("loads", () => {
        throw failure ?? new Error("no tests found");
      });
    else {
      before(() => suite?.start());
      after(() => suite?.stop());
      titles.forEach((title, index) => {
        it(title.join(" "), async function () {
          this.timeout(TIMEOUT + 5_000);
          await suite?.run(index, TIMEOUT);
        });
      });
    }
  });
}
