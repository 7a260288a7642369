import { deepEqual, equal, fail, ok } from "../support/assert.js";
import { TracePlayer } from "../support/trace-player.js";
import { ORIGINAL } from "../traces/original.js";
import { originals, RULES } from "../traces/rules.js";
import { REASONS, TRACES, type Trace } from "../traces/traces.js";

interface Line {
  readonly kind: "in" | "out" | "+out" | "-out";
  readonly text: string;
  readonly reason: string | undefined;
}

const lines = (text: string) => text.split("\n").filter((line) => line !== "");

function parse({ title, text }: Trace): Line[] {
  return lines(text).map((line) => {
    const [, kind, body, reason] =
      /^(in|[-+]?out) (.*?)(?: # (.*))?$/.exec(line) ?? fail(`${title}: "${line}"`);
    return { kind: kind as Line["kind"], text: body, reason };
  });
}

async function replay(trace: Trace): Promise<TracePlayer> {
  const player = new TracePlayer();
  const script = parse(trace);
  while (script.length > 0) {
    const input = script.shift() as Line;
    equal(input.kind, "in", `${trace.title}: the trace begins with an input`);
    const expected: string[] = [];
    while (script.length > 0 && script[0].kind !== "in") {
      const line = script.shift() as Line;
      if (line.kind !== "-out") expected.push(line.text);
    }
    deepEqual(await player.play(input.text), expected, `${trace.title}, after "${input.text}"`);
  }
  return player;
}

describe("golden traces: ours", () => {
  for (const trace of TRACES)
    it(trace.title, async () => {
      await replay(trace);
    });
});

describe("golden traces: the original's are those recorded", () => {
  for (const trace of TRACES)
    it(trace.title, () => {
      const recorded = lines(ORIGINAL[trace.original]).map(originals);
      const told = parse(trace).filter(({ kind }) => kind === "out" || kind === "-out");
      deepEqual(
        told.map(({ text }) => text),
        recorded.filter((line) => line !== undefined),
      );
    });
});

describe("golden traces: differences", () => {
  it("each have a reason", () => {
    for (const trace of TRACES)
      for (const { kind, text, reason } of parse(trace)) {
        const differs = kind === "+out" || kind === "-out";
        equal(differs, reason !== undefined, `${trace.title}: ${kind} ${text}`);
        if (reason?.startsWith("@")) ok(REASONS[reason.slice(1)], `no such reason: ${reason}`);
      }
  });

  it("have no reason that is never given", () => {
    const given = new Set(TRACES.flatMap((trace) => parse(trace).map(({ reason }) => reason)));
    for (const key of Object.keys(REASONS)) ok(given.has(`@${key}`), `@${key}`);
  });

  it("that show everywhere do show, for each general rule", async () => {
    const raw: string[] = [];
    for (const trace of TRACES) raw.push(...(await replay(trace)).raw);
    const recorded = Object.values(ORIGINAL).flatMap(lines);
    for (const { side, pattern, reason } of RULES)
      ok(
        (side === "ours" ? raw : recorded).some((line) => pattern.test(line)),
        reason,
      );
  });
});
