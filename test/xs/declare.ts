/**
 * One mocha test for each test of a file that runs inside XS.
 * @module
 */
import { type Host, XsSuite } from "./xs-suite.js";

/** The longest a test may take, in ms. */
const TIMEOUT = 60_000;

/**
 * Lists the tests of a file inside XS and declares each of them here.
 * @param host answers what the tests call for
 */
export async function declareXsTests(title: string, file: string, host?: Host): Promise<void> {
  let titles: string[][] = [];
  let suite: XsSuite | undefined;
  let failure: unknown;
  try {
    suite = await XsSuite.load(file, host);
    await suite.start();
    titles = await suite.list();
  } catch (error) {
    failure = error;
  }
  await suite?.stop();

  describe(suite?.shipped ? `${title}, on dist` : title, () => {
    if (failure !== undefined || titles.length === 0)
      it("loads", () => {
        throw failure ?? new Error("no tests found");
      });
    else {
      before(() => suite?.start());
      after(() => suite?.stop());
      titles.forEach((path, index) => {
        it(path.join(" "), async function () {
          this.timeout(TIMEOUT + 5_000);
          await suite?.run(index, TIMEOUT);
        });
      });
    }
  });
}
