/** The passes that make the bundle small: what goes in and what comes out must do the same. */
import { match } from "node:assert";
import { doesNotMatch, strictEqual } from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

type Pass = (code: string) => string;

const load = async (file: string, name: string): Promise<Pass> => {
  const module = await import(new URL(`../../tools/build/${file}`, import.meta.url).href);
  type Step = (code: string, context: { prefix: string }) => { code: string };
  return (code) => (module as Record<string, Step>)[name](code, { prefix: "$_" }).code;
};

interface Compact {
  renderChunk(this: { parse: unknown }, code: string): Promise<{ code: string }>;
}

const directory = mkdtempSync(join(tmpdir(), "xs-ota-compact-"));
let files = 0;

/** What the module writes to its log when `run` is called: everything that can be observed of it. */
async function observe(code: string): Promise<string> {
  const file = join(directory, `${files++}.mjs`);
  writeFileSync(file, code);
  const module = (await import(pathToFileURL(file).href)) as {
    run(log: (...words: unknown[]) => void): void;
  };
  const lines: string[] = [];
  module.run((...words) => void lines.push(JSON.stringify(words)));
  return lines.join("\n");
}

/** Modules with the constructs a pass has to get right. */
const MODULES: Readonly<Record<string, string>> = {
  "returns in the middle, used as a value": `
    function grade(n) { if (n < 0) return "low"; for (let i = 0; i < 3; i++) if (i === n) return "mid" + i; return "high"; }
    export class A { show(n) { const word = grade(n); return word + "!"; } }
    export function run(log) { for (const n of [-1, 0, 2, 7]) log(new A().show(n)); }`,
  "no value, left early, with more behind the call": `
    export class A {
      #seen = [];
      add(x) { this.#check(x); this.#seen.push("after"); return this.#seen; }
      #check(x) { if (x > 1) { this.#seen.push("big"); return; } this.#seen.push("small"); }
    }
    export function run(log) { log(new A().add(1), new A().add(2)); }`,
  "a tail call that may fall through": `
    export class A { go(x) { if (x) return this.#step(x); return "none"; } #step(x) { if (x > 1) return "big"; } }
    export function run(log) { log([0, 1, 2].map((x) => new A().go(x) ?? "undefined")); }`,
  "a condition, and a call that is not evaluated first": `
    export class A {
      n = 0;
      #next() { this.n++; if (this.n > 2) return false; return true; }
      #label(k) { this.n = 10; return "k" + k; }
      go() { if (!this.#next()) return "end"; return this.n + this.#label(this.n); }
    }
    export function run(log) { const a = new A(); log(a.go(), a.go()); }`,
  "parameters that change, or get something with an effect": `
    function fold(sum, step) { for (let k = 0; k < 3; k++) sum += step; step = 0; return sum + step; }
    export class A { n = 1; go() { const total = fold(this.n++, this.n); return [total, this.n]; } }
    export function run(log) { log(new A().go()); }`,
  "names that are taken where the body goes": `
    function pick(list) { const found = list.find((x) => x > 1); const x = found * 2; return x; }
    export class A { go(x) { const found = 5; const r = pick([x, 2, 3]); return [found, x, r]; } }
    export function run(log) { log(new A().go(1)); }`,
  "a closure in a loop keeps its own variable": `
    function keep(tasks, k) { const own = k * 2; tasks.push(() => own + k); }
    export class A { go() { const tasks = []; for (let k = 0; k < 3; k++) keep(tasks, k); return tasks.map((t) => t()); } }
    export function run(log) { log(new A().go()); }`,
  "functions handed on as values, and called from functions that move": `
    const LIMIT = Object.freeze([2, 3]);
    function small(n) { return n < LIMIT[0]; }
    function twice(n) { return small(n) ? n * 2 : n; }
    export class A { go(list) { return [list.every(small), list.map(twice), twice(5)]; } }
    export class B { go(list) { return list.some(small) || twice(list[0]); } }
    export function run(log) { log(new A().go([0, 1]), new B().go([4])); }`,
  "functions wanted outside of methods, too": `
    const square = (n) => n * n;
    const NINE = square(3);
    function area(n) { return square(n) + NINE; }
    export class A { static of(n) { return area(n); } go(n) { return area(n) + square(n); } }
    export function run(log) { log(A.of(1), new A().go(2), { get x() { return square(4); } }.x); }`,
  "classes that extend others, errors among them": `
    class Fault extends Error { constructor(code, text = words(code)) { super(text); this.code = code; } }
    const words = (code) => "fault " + code;
    class Base { items = []; limit = 3; add(x) { if (x > this.limit) throw new Fault(x); this.items.push(x); return this; } }
    class More extends Base { #extra = "e"; limit = 5; show() { return words(this.items.join()) + this.#extra; } }
    export function run(log) {
      log(new More().add(4).show());
      try { new Base().add(9); } catch (e) { log(e instanceof Fault, e.message, e.code); }
    }`,
  "members of classes that others see, and of those they do not": `
    class Inner { held = []; visible = 1; push(x) { this.held.push(x); return this; } get last() { return this.held.at(-1); } }
    class Outer { inner = new Inner(); push(x) { return this.inner.push(x).last; } counted() { const { visible, held } = this.inner; return visible + held.length; } }
    export class A { go(x) { const o = new Outer(); return { last: o.push(x), counted: o.counted(), ...o.inner.visible && { visible: 2 } }; } }
    export function run(log) { log(new A().go(7)); }`,
  "methods of another class, called from one place": `
    class Count {
      total = 0; #marks = [];
      mark(x) { if (x < 0) return "none"; this.total += x; this.#marks.push(() => this.total); return this.#marks.map((m) => m()); }
      record(x, y) { this.total = x - y; }
      twice() { this.total *= 2; }
    }
    export class A {
      #count = new Count();
      go(x) { const count = this.#count; const got = count.mark(x); this.#count.record(x, count.total); count.twice(); if (x > 3) count.twice(); return [got, count.total]; }
    }
    export function run(log) { const a = new A(); log(a.go(3), a.go(-1), a.go(4)); }`,
  "calls that stand alone behind a condition, in a loop, or may have no object": `
    class Bag { #n = 0; fill(x) { this.#n += x; return this; } get n() { return this.#n; } }
    export class A {
      bag; #left = 2; #log = [];
      go(x) { while (this.#left > 0) this.#step(x); if (x > 1) this.#big(); else this.#small(x); this.bag?.fill(x); return [this.bag?.n, ...this.#log]; }
      #step(x) { if (x === 9) { this.#left = 0; return; } this.#left--; }
      #big() { this.#log.push("big"); this.bag = new Bag(); }
      #small(x) { if (x === 0) return; this.#log.push("small" + x); }
    }
    export function run(log) { for (const x of [0, 1, 2, 9]) log(new A().go(x)); }`,
  "options taken apart and used near, far, often, and with presets": `
    export class A {
      #options;
      constructor(options) { const { size, log } = options; this.#options = options; this.count = size + (log ? 1 : 0); }
      go(n) {
        const { size, clock, preset = 7, step } = this.#options;
        const far = [1, 2].map((x) => x * step);
        let sum = size + size; sum += size * size; sum -= size;
        return { clock, sum, far, preset, n, count: this.count };
      }
      late() { const { clock } = this.#options; return () => clock; }
      object(options) { const { a, ...rest } = options; return [a, rest]; }
    }
    export function run(log) {
      const a = new A({ size: 3, clock: "c", step: 2 });
      log(a.go(1), a.late()(), a.object({ a: 1, b: 2 }));
    }`,
  "texts and globals that come often": `
    export class A {
      go(s) {
        switch (s) { case "a rather long text": return "another rather long text";
          case "another rather long text": return "a rather long text" + Math.min(1, 2) + Math.max(3, Math.min(9, 4)); }
        const o = { "a rather long text": "a rather long text", k: Math.min(5, Math.min(6, Math.min(7, 8))) };
        return JSON.stringify(o) + new Uint8Array([1]).length + new Uint8Array(2).length + Uint8Array.from([3])[0];
      }
    }
    export function run(log) { for (const s of ["a rather long text", "another rather long text", "x"]) log(new A().go(s)); }`,
  "objects and arrays taken apart, loops over arrays": `
    export class A {
      go({ a, b = 2 }, list) { const { c, e = 9 } = { c: a };
        let sum = e; for (const [k, v] of list) { if (k === "skip") continue; sum += v; } const [first, , third = 7] = list.map(([, v]) => v);
        return [a, b, c, sum, first, third]; }
    }
    export function run(log) { log(new A().go({ a: 1 }, [["x", 1], ["skip", 100], ["y", 3]])); }`,
};

describe("compacting the bundle", () => {
  let passes: [string, Pass | ((code: string) => Promise<string>)][];

  before(async () => {
    const { compact } = (await import(new URL("../../tools/build/compact.js", import.meta.url).href)) as {
      compact(options?: object): Compact;
    };
    const { parseAst } = await import("rollup/parseAst");
    const whole = (options?: object) => async (code: string) =>
      (await compact(options).renderChunk.call({ parse: parseAst }, code)).code;
    passes = [
      ["functions put in place", await load("calls.js", "inlineFunctions")],
      ["closures become properties", await load("closures.js", "shareThroughThis")],
      ["all passes", whole()],
      ["all passes but plain reads", whole({ iterators: true })],
    ];
  });

  after(() => rmSync(directory, { recursive: true }));

  for (const [title, code] of Object.entries(MODULES))
    it(`does not change what is done: ${title}`, async () => {
      const expected = await observe(code);
      for (const [name, pass] of passes) {
        if (name === "closures become properties" && code.includes("#")) continue;
        strictEqual(await observe(await pass(code)), expected, name);
      }
    });

  it("puts a private method that is called once in its place", () => {
    const [[, inline]] = passes;
    const code = inline(
      "export class A { go() { return this.#one(1); } #one(n) { return n + 1; } }",
    ) as string;
    doesNotMatch(code, /#one/);
    match(code, /return 1 \+ 1/);
  });

  it("leaves functions that are called twice, wait, recur, or leave in many places", () => {
    const [[, inline]] = passes;
    const many = Array.from({ length: 9 }, (_, n) => `if (x === ${n}) return "r${n}";`).join(" ");
    const code = inline(`
      function twice() { log(); }
      async function waits() { await 1; log(); }
      function recurs(n) { if (n) recurs(n - 1); log(); }
      function many(x) { ${many} return ""; }
      export class A { a() { twice(); twice(); waits(); const m = many(this.x); return m + recurs(3); } }`) as string;
    for (const name of ["twice", "waits", "recurs", "many"]) match(code, new RegExp(`function ${name}`));
  });

  it("leaves no function of the module with an environment when methods alone want it", () => {
    const [, [, share]] = passes;
    const code = share(
      "function f(a) { return g(a) + 1; } function g(a) { return a * 2; } export class A { go() { return f(1) + g(2); } }",
    ) as string;
    doesNotMatch(code, /function [fg]\b/);
    match(code, /Object\.freeze\(\$shared\)/);
  });
});
