/**
 * Two hostile corpora on XS: what comes over MQTT (jobs, streams, packets), and what comes from an image server or in an
 * image (HTTP, signatures, keys, ESP images). No message may reset the engine, take more than 96 KB of its heap or
 * 5 s of its time, or leave anything behind.
 *
 * The engine's program has no option for the size of its heap. It runs from a snapshot of itself whose sizes are changed:
 * the heap is full at the start and grows in steps of 1 KB and 32 slots, so that `allocate` of each reply is its high-water
 * mark. Slots have twice the bytes they have on ESP32, so that the bound is harsher than the chip's.
 * @module
 */
import { equal, ok } from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { XsWorker } from "../../hosts/xs/worker.js";
import { flashCorpus, type Message, mqttCorpus } from "./hostile-corpus.js";

/** Bytes of heap. */
const HEAP = 96 * 1024;
/** Bytes the heap grows by, and slots. */
const STEP = 1024;
const SLOTS = 32;
/** Of the engine's own time, in ms. */
const WATCHDOG = 5_000;
/** Slots that may be left behind by a whole corpus: caches of the engine that fill once. */
const RESIDUE = 64;

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "hostile.entry.ts")],
    ...{ bundle: true, write: false, format: "iife", platform: "neutral", target: "es2022" },
    tsconfigRaw: { compilerOptions: { target: "ES2022", useDefineForClassFields: true } },
  });
  return outputFiles[0].text;
}

/** Cuts the heap of a snapshot to what is in it (xsSnapshot.c: atoms of size and name, sizes in CREA). */
function shrink(path: string): void {
  const bytes = readFileSync(path);
  const sizes = new Map<string, { at: number; length: number }>();
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    sizes.set(bytes.toString("latin1", at + 4, at + 8), { at: at + 8, length: length - 8 });
    at += length;
  }
  const creation = sizes.get("CREA")?.at as number;
  const chunks = (sizes.get("BLOC")?.length as number) + STEP;
  const slots = (sizes.get("HEAP")?.length as number) / 32 + SLOTS;
  for (const [n, value] of [chunks, STEP, slots, SLOTS].entries())
    bytes.writeInt32LE(value, creation + 4 * n);
  writeFileSync(path, bytes);
}

/** What the engine has used of the processor so far, in ms (proc(5), in clock ticks of 10 ms); undefined where the system does not say. */
function engineTime(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\)/, "").split(" ");
    return (Number(fields[12]) + Number(fields[13])) * 10;
  } catch {
    return undefined;
  }
}

describe("XS: hostile corpora, 96 KB of heap and 5 s for each message", () => {
  let folder: string;
  let snapshot: string;

  before(async function () {
    this.timeout(60_000);
    folder = mkdtempSync(join(tmpdir(), "xs-hostile-"));
    snapshot = join(folder, "parsers.xss");
    const worker = new XsWorker();
    await worker.evaluate(await bundle());
    await worker.writeSnapshot(snapshot);
    await worker.close();
    shrink(snapshot);
  });
  after(() => rmSync(folder, { recursive: true }));

  async function play(worker: XsWorker, { parser, bytes }: Message) {
    const before = engineTime(worker.pid) ?? 0;
    let late = false;
    const watchdog = setInterval(() => {
      if ((engineTime(worker.pid) ?? 0) - before <= WATCHDOG) return;
      late = true;
      void worker.kill();
    }, 100);
    try {
      return await worker.command(Buffer.concat([Buffer.from(parser), bytes]));
    } catch (error) {
      throw late ? new Error(`the watchdog bites after ${WATCHDOG} ms`) : error;
    } finally {
      clearInterval(watchdog);
    }
  }

  const collect = (worker: XsWorker) => worker.command(Buffer.from("g"));

  for (const [name, corpus] of [
    ["MQTT: jobs, streams, packets", mqttCorpus()],
    ["HTTP, signatures, keys, images", flashCorpus()],
  ] as const)
    it(`${name}: ${corpus.length} messages`, async function () {
      this.timeout(300_000);
      const worker = new XsWorker({ snapshot });
      try {
        // What was read last may stay until something else is: nothing, before and behind it all.
        const readNothing = async () => {
          for (const parser of new Set(corpus.map((message) => message.parser)))
            await play(worker, { title: "", parser, bytes: new Uint8Array(0) });
        };
        await readNothing();
        const { meter: start } = await collect(worker);
        let stream = 0;
        let worst = { taken: 0, title: "" };
        for (const message of corpus) {
          const { meter } = await play(worker, message).catch((error: Error) => {
            throw new Error(`${message.title} (${message.parser}): ${error.message}`);
          });
          // A device never has more of a stream in memory than its socket holds; here all of it is the engine's.
          if ("hm".includes(message.parser)) stream = Math.max(stream, message.bytes.length);
          const taken = meter.allocate - start.allocate - stream;
          if (taken > worst.taken) worst = { taken, title: `${message.title} (${message.parser})` };
          ok(taken <= HEAP, `${message.title} (${message.parser}): ${taken} bytes of heap`);
        }
        await readNothing();
        const { meter: end } = await collect(worker);
        const left = end.currentHeapCount - start.currentHeapCount;
        ok(left <= RESIDUE, `${left} slots stay`);
        if (process.env["XS_HOSTILE"])
          console.log(`      most heap: ${worst.taken} bytes, ${worst.title}; ${left} slots stay`);
      } finally {
        await worker.close();
      }
    });

  it("the bound is one: JSON.parse of names nobody knows goes beyond it, and leaves them behind", async function () {
    this.timeout(60_000);
    const worker = new XsWorker({ snapshot });
    try {
      const { meter: start } = await collect(worker);
      await worker.evaluate(
        `{ let text = '{'; for (let n = 0; n < 3000; n++) text += '"x' + n + '":1,'; JSON.parse(text + '"y":1}'); }`,
      );
      const { meter: end } = await collect(worker);
      ok(end.allocate - start.allocate > HEAP);
      ok(end.currentHeapCount - start.currentHeapCount > 2000);
      equal((await worker.command(Buffer.from("j{}"))).result.length, 4);
    } finally {
      await worker.close();
    }
  });
});
