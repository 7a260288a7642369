/**
 * A fault put into each step of the compaction on purpose: the suite must notice it on the bundle that comes out.
 * The tests run inside XS, as they do on the files of dist.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { parseAst } from "rollup/parseAst";
import { equal, ok } from "../support/assert.js";
import { XsSuite } from "../xs/xs-suite.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TOOLS = join(ROOT, "tools/build");
/**
 * Files of test/unit that run on the bundle, the likeliest to notice first; before them one without an agent, which a
 * fault can make wait for ever: that takes TEST_MS.
 */
const SUITE = ["flash-pal", "agent-self-test", "agent-jobs", "agent-transfer", "weaknesses"];
/** The longest a test may take: with a fault it may never end. */
const TEST_MS = 20_000;

interface Fault {
  readonly step: string;
  readonly what: string;
  readonly file: string;
  readonly text: string;
  readonly instead: string;
}

const FAULTS: readonly Fault[] = [
  {
    ...{ step: "reads", what: "skips the first element of a loop", file: "compact.js" },
    ...{ text: "} = 0, $", instead: "} = 1, $" },
  },
  {
    ...{ step: "reads", what: "never takes a preset", file: "compact.js" },
    ...{ text: "=== undefined ? $", instead: "=== null ? $" },
  },
  {
    ...{ step: "calls", what: "loses the value of a function put in place", file: "calls.js" },
    ...{ text: "returns.length === 0 ? undefined : last.argument", instead: "undefined" },
  },
  {
    ...{ step: "calls", what: "goes on behind a return in the middle", file: "calls.js" },
    ...{ text: "path.node === last ? []", instead: "true ? []" },
  },
  {
    ...{ step: "constants", what: "takes properties for the module's own", file: "compact.js" },
    ...{ text: "  mangle: false,", instead: "  mangle: { properties: true }," },
  },
  {
    ...{ step: "members", what: "gives two private names the same plain one", file: "compact.js" },
    ...{ text: "own.set(key.name, nameAt(next++))", instead: "own.set(key.name, nameAt(next++ >> 1))" },
  },
  {
    ...{ step: "closures", what: "loses the values of fields", file: "closures.js" },
    ...{ text: "maker.node.body.body.unshift(...settings)", instead: "settings.length" },
  },
  {
    ...{ step: "closures", what: "hands functions on without their object", file: "closures.js" },
    ...{ text: "isMoved && !called ?", instead: "false ?" },
  },
  {
    ...{ step: "text", what: "takes properties for the module's own", file: "compact.js" },
    ...{ text: "  mangle: true,", instead: "  mangle: { properties: true }," },
  },
];

type Step = (
  code: string,
  context: { parse: unknown; prefix: string },
) => Promise<{ code: string }> | { code: string };

describe("compaction with a fault in it", function () {
  // Each makes a bundle and runs tests on it; those have a limit of their own.
  this.timeout(0);

  let directory: string;
  let sources: string;
  const steps = new Map<string, Record<string, Step>>();
  const results = new Map<string, string>();

  /** The steps as the files of `folder` have them. */
  async function stepsOf(folder: string): Promise<Record<string, Step>> {
    const found = steps.get(folder) ?? (await import(pathToFileURL(join(folder, "compact.js")).href)).STEPS;
    steps.set(folder, found);
    return found;
  }

  before(async () => {
    // Below the project, for its modules.
    mkdirSync(join(ROOT, "build"), { recursive: true });
    directory = mkdtempSync(join(ROOT, "build/faults-"));
    const { outputFiles } = await build({
      ...{ entryPoints: [join(ROOT, "src/index.ts")], bundle: true, write: false, format: "esm" },
      ...{ target: "es2022", tsconfigRaw: { compilerOptions: { useDefineForClassFields: true } } },
    });
    sources = outputFiles[0]?.text ?? "";
  });

  after(() => rmSync(directory, { recursive: true }));

  /** What comes out of the step that is at fault, without the ones behind it; what is before it is made once. */
  async function compactWith(fault?: Fault): Promise<string> {
    const right = await stepsOf(TOOLS);
    let wrong = right;
    if (fault) {
      const folder = mkdtempSync(join(directory, "tools-"));
      for (const file of readdirSync(TOOLS)) {
        const text = readFileSync(join(TOOLS, file), "utf8");
        if (file === fault.file) equal(text.split(fault.text).length, 2, `${fault.text} is there once`);
        writeFileSync(
          join(folder, file),
          file === fault.file ? text.replace(fault.text, () => fault.instead) : text,
        );
      }
      wrong = await stepsOf(folder);
    }
    const context = { parse: parseAst, prefix: "$_" };
    let code = sources;
    for (const [name, step] of Object.entries(right)) {
      if (name === fault?.step) return (await wrong[name]!(code, context)).code;
      code = results.get(name) ?? (await step(code, context)).code;
      results.set(name, code);
    }
    return code;
  }

  /** The first test that fails with the agent in `code`; undefined when none does. */
  async function firstFailure(code: string, suite: readonly string[]): Promise<string | undefined> {
    const agent = join(mkdtempSync(join(directory, "agent-")), "index.js");
    writeFileSync(agent, code);
    for (const name of suite) {
      const tests = await XsSuite.load(join(ROOT, `test/unit/${name}.test.ts`), undefined, agent);
      ok(tests.shipped, `${name} runs on the bundle`);
      try {
        await tests.start();
        const titles = await tests.list();
        ok(titles.length > 0);
        for (const [index, title] of titles.entries())
          try {
            await tests.run(index, TEST_MS);
          } catch {
            return `${name}: ${title.join(" ")}`;
          }
      } catch (error) {
        return `${name} does not start: ${error}`;
      } finally {
        await tests.stop();
      }
    }
    return undefined;
  }

  it("has a fault for every step", async () => {
    const { STEPS } = await import(pathToFileURL(join(TOOLS, "compact.js")).href);
    equal([...new Set(FAULTS.map(({ step }) => step))].join(), Object.keys(STEPS).join());
  });

  // The others pass on dist, in test/xs.
  it("passes without one", async () =>
    equal(await firstFailure(await compactWith(), SUITE.slice(0, 1)), undefined));

  for (const fault of FAULTS)
    it(`is noticed: ${fault.step} ${fault.what}`, async () => {
      let code: string;
      try {
        code = await compactWith(fault);
      } catch (error) {
        // The build would stop.
        ok(/TypeError|SyntaxError|is not|Unexpected/.test(String(error)), String(error));
        return;
      }
      ok((await firstFailure(code, SUITE)) !== undefined, "no test has noticed");
    });
});
