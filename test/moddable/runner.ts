/**
 * `describe` and `it` on the Moddable runtime: enough of mocha's interface for test/unit and test/conformance.
 * Runs the tests one after the other, writes a line for each, and ends the run.
 * @module
 */
import Timer from "timer";

type Body = (this: Context) => unknown;

interface Context {
  timeout(ms: number): Context;
}

class Suite {
  readonly before: Body[] = [];
  readonly after: Body[] = [];
  readonly beforeEach: Body[] = [];
  readonly afterEach: Body[] = [];
  readonly children: (Suite | { readonly title: string; readonly body: Body })[] = [];
  constructor(readonly title: string) {}
}

/** The runtime's own: stand-ins for the SDK's modules put theirs in its place. */
const say = trace;

/** A test that takes longer has failed: ticks of a second, of which what does not let others run takes one, however long. */
const LIMIT = 60;

const context: Context = { timeout: () => context };
let current = new Suite("");
const root = current;

Object.assign(globalThis, {
  describe(title: string, body: Body) {
    const outer = current;
    current = new Suite(title);
    outer.children.push(current);
    body.call(context);
    current = outer;
  },
  it: (title: string, body: Body) => void current.children.push({ title, body }),
  before: (body: Body) => void current.before.push(body),
  after: (body: Body) => void current.after.push(body),
  beforeEach: (body: Body) => void current.beforeEach.push(body),
  afterEach: (body: Body) => void current.afterEach.push(body),
});

let passed = 0;
let failed = 0;

function limited(action: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    let ticks = 0;
    const timer = Timer.repeat(() => {
      if (++ticks === LIMIT) reject(new Error(`not done within ${LIMIT} seconds`));
    }, 1_000);
    action.then(resolve, reject).finally(() => Timer.clear(timer));
  });
}

async function call(bodies: readonly Body[]): Promise<void> {
  for (const body of bodies) await body.call(context);
}

async function attempt(title: string, action: () => Promise<void>): Promise<void> {
  say(`> ${title}\n`);
  try {
    await limited(action());
    passed++;
  } catch (error) {
    failed++;
    const { message, stack } = error as Error;
    say(`not ok ${title}\n  ${message}\n${stack ?? ""}\n`);
  }
}

async function run(suite: Suite, path: readonly Suite[]): Promise<void> {
  const suites = [...path, suite];
  const titles = suites.map(({ title }) => title).filter(Boolean);
  try {
    await call(suite.before);
  } catch (error) {
    failed++;
    say(`not ok ${titles.join(" ")}: before: ${(error as Error).message}\n`);
    return;
  }
  for (const child of suite.children) {
    if (child instanceof Suite) {
      await run(child, suites);
      continue;
    }
    await attempt([...titles, child.title].join(" "), async () => {
      try {
        for (const each of suites) await call(each.beforeEach);
        await child.body.call(context);
      } finally {
        for (const each of [...suites].reverse()) await call(each.afterEach);
      }
    });
  }
  await call(suite.after);
}

/** Runs everything that was described. */
export async function runAll(): Promise<void> {
  try {
    await run(root, []);
  } catch (error) {
    failed++;
    say(`not ok ${(error as Error).message}\n`);
  }
  say(`# ${passed} passed, ${failed} failed\n`);
  const { screen } = globalThis as unknown as { screen: { postMessage(message: string): void } };
  screen.postMessage(`exit:${failed || !passed ? 1 : 0}`);
}
