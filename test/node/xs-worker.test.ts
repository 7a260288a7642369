/** The driver of the bare XS engine. */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { Netstrings } from "../../hosts/xs/netstrings.js";
import { XsWorker } from "../../hosts/xs/worker.js";

const ECHO = "globalThis.handleCommand = (bytes) => ({ result: bytes });";

describe("XsWorker", () => {
  let worker: XsWorker;
  afterEach(() => worker.kill());

  it("returns what handleCommand leaves in result, byte for byte", async () => {
    worker = new XsWorker();
    await worker.evaluate(ECHO);
    const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7) & 0xff);
    const { result } = await worker.command(bytes);
    deepStrictEqual(result, bytes);
  });

  it("answers issueCommand synchronously", async () => {
    worker = new XsWorker({ onCommand: (bytes) => bytes.map((byte) => byte + 1) });
    await worker.evaluate("globalThis.handleCommand = (b) => ({ result: issueCommand(issueCommand(b)) });");
    const { result } = await worker.command(Uint8Array.of(1, 2, 0xfe));
    deepStrictEqual([...result], [3, 4, 0]);
  });

  it("keeps the order of commands given at once", async () => {
    worker = new XsWorker({ onCommand: (bytes) => bytes.slice() });
    await worker.evaluate("globalThis.handleCommand = (b) => ({ result: issueCommand(b) });");
    const replies = await Promise.all([1, 2, 3, 4, 5].map((n) => worker.command(Uint8Array.of(n))));
    deepStrictEqual(
      replies.map(({ result }) => result[0]),
      [1, 2, 3, 4, 5],
    );
  });

  it("rejects with the text of what a script throws, and lives on", async () => {
    worker = new XsWorker();
    await rejects(worker.evaluate("throw new RangeError('out')"), /RangeError: out/);
    ok((await worker.evaluate("1 + 1")).meter.compute > 0);
  });

  it("meters the same work the same", async () => {
    const costs: number[] = [];
    for (let i = 0; i < 2; i++) {
      worker = new XsWorker();
      const { meter } = await worker.evaluate("let s = 0; for (let i = 0; i < 1000; i++) s += i;");
      costs.push(meter.compute, meter.currentHeapCount);
      await worker.close();
    }
    deepStrictEqual(costs.slice(0, 2), costs.slice(2));
  });

  it("ends an engine that computes beyond its limit", async () => {
    worker = new XsWorker({ meteringLimit: 100_000 });
    await rejects(worker.evaluate("for (;;);"), /too much computation/);
  });

  it("rejects what is under way when killed, and everything after", async () => {
    worker = new XsWorker();
    const endless = rejects(worker.evaluate("for (;;);"), /killed/);
    strictEqual((await worker.kill()).signal, "SIGKILL");
    await endless;
    await rejects(worker.evaluate("1"), /killed/);
  });

  it("ends by itself when closed", async () => {
    worker = new XsWorker();
    await worker.evaluate(ECHO);
    strictEqual((await worker.close()).code, 0);
  });
});

describe("Netstrings", () => {
  const split = (text: string, size: number): string[] => {
    const found: string[] = [];
    const netstrings = new Netstrings();
    for (let i = 0; i < text.length; i += size)
      netstrings.push(Buffer.from(text.slice(i, i + size)), (bytes) => found.push(bytes.toString()));
    return found;
  };

  it("come out whole however the stream is split", () => {
    for (let size = 1; size < 30; size++)
      deepStrictEqual(split("5:hello,0:,12:hello, world,", size), ["hello", "", "hello, world"]);
  });

  for (const [title, text] of [
    ["a missing length", ":a,"],
    ["a length that is no number", "1x:a,"],
    ["a length without end", "12345678901"],
    ["a missing comma", "1:a;"],
  ] as const)
    it(`refuse ${title}`, () => rejects(async () => split(text, 99), /netstring/));
});
