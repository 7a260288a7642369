/**
 * `describe` and `it` inside XS: enough of mocha's interface for the files in test/unit. The host lists the
 * tests, then runs them one by one through `handleCommand`.
 * @module
 */

import { PAYLOAD, PAYLOAD_HEAD, SHA256 } from "./own-calls.js";

type Body = (this: Context) => unknown;

/** What a test body sees as `this`. Time limits are the host's concern. */
interface Context {
  timeout(ms: number): Context;
}

interface Suite {
  readonly title: string;
  readonly parent: Suite | undefined;
  readonly hooks: Record<"before" | "after" | "beforeEach" | "afterEach", Body[]>;
  /** Tests in this suite and below that have not run. */
  left: number;
  /** Undefined: not tried; otherwise what its `before` hooks came to. */
  started: { readonly error?: unknown } | undefined;
}

interface Test {
  readonly title: string;
  readonly suite: Suite;
  readonly body: Body;
}

const context: Context = { timeout: () => context };
const tests: Test[] = [];
let current = newSuite("", undefined);

function newSuite(title: string, parent: Suite | undefined): Suite {
  const hooks = { before: [], after: [], beforeEach: [], afterEach: [] };
  return { title, parent, hooks, left: 0, started: undefined };
}

function describe(title: string, body: Body): void {
  const outer = current;
  current = newSuite(title, outer);
  body.call(context);
  current = outer;
}

function it(title: string, body: Body): void {
  if (typeof body !== "function") throw new TypeError(`test "${title}" has no body`);
  tests.push({ title, suite: current, body });
  for (const suite of path(current)) suite.left++;
}

const hook = (kind: keyof Suite["hooks"]) => (body: Body) => void current.hooks[kind].push(body);

Object.assign(globalThis, {
  describe,
  it,
  before: hook("before"),
  after: hook("after"),
  beforeEach: hook("beforeEach"),
  afterEach: hook("afterEach"),
});

/** The suite and those around it, outermost first. */
function path(suite: Suite | undefined): Suite[] {
  return suite ? [...path(suite.parent), suite] : [];
}

async function call(bodies: readonly Body[]): Promise<void> {
  for (const body of bodies) await body.call(context);
}

async function start(suite: Suite): Promise<void> {
  if (!suite.started) {
    suite.started = {};
    try {
      await call(suite.hooks.before);
    } catch (error) {
      suite.started = { error };
    }
  }
  if ("error" in suite.started) throw suite.started.error;
}

async function run({ suite, body }: Test): Promise<void> {
  const suites = path(suite);
  try {
    for (const each of suites) await start(each);
    try {
      for (const each of suites) await call(each.hooks.beforeEach);
      await body.call(context);
    } finally {
      for (const each of [...suites].reverse()) await call(each.hooks.afterEach);
    }
  } finally {
    for (const each of [...suites].reverse()) if (--each.left === 0) await call(each.hooks.after);
  }
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  return error.stack?.includes(error.message)
    ? error.stack
    : `${error.name}: ${error.message}\n${error.stack ?? ""}`;
}

declare const issueCommand: (message: ArrayBuffer) => ArrayBuffer;

globalThis.ownSha256 = (bytes) => {
  const message = new Uint8Array(1 + bytes.length);
  message[0] = SHA256;
  message.set(bytes, 1);
  return new Uint8Array(issueCommand(message.buffer));
};

globalThis.isXs = true;

globalThis.ownPayload = (image, base = new Uint8Array(0), segmentLog2 = 0) => {
  const message = new Uint8Array(PAYLOAD_HEAD + base.length + image.length);
  message.set([PAYLOAD, segmentLog2]);
  new DataView(message.buffer).setUint32(2, base.length);
  message.set(base, PAYLOAD_HEAD);
  message.set(image, PAYLOAD_HEAD + base.length);
  return new Uint8Array(issueCommand(message.buffer));
};

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).buffer;

/** Command: empty for the list of tests (path of titles each), otherwise the decimal index of the test to run. */
function handleCommand(command: ArrayBuffer): { result: ArrayBuffer } {
  const text = new TextDecoder().decode(command);
  if (text === "") {
    const titles = tests.map((test) => [
      ...path(test.suite)
        .map((suite) => suite.title)
        .slice(1),
      test.title,
    ]);
    return { result: encode(titles) };
  }
  const report = {
    result: encode("The test waits for something that never happens (all promise jobs have run)"),
  };
  run(tests[Number(text)] as Test).then(
    () => {
      report.result = encode(null);
    },
    (error) => {
      report.result = encode(describeError(error));
    },
  );
  return report;
}

Object.assign(globalThis, { handleCommand });
