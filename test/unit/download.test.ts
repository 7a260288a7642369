import { OtaError } from "../../src/errors.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { fileOf, having, ScriptedPlane, Transfer, type TransferSetup } from "../support/transfer.js";
import { VirtualClock } from "../support/virtual-clock.js";

const KB = 1024;

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function refusal(): OtaError {
  return new OtaError("stream-refused", "the service said no", "transfer");
}

describe("download: the size of a block", () => {
  const sizeOf = (options: TransferSetup) => new Transfer(40 * KB, options).start().blockSize;

  it("is what memory allows, as a power of two", () => {
    for (const [maxBlockSize, size] of [
      [4096, 4096],
      [8191, 4096],
      [256, 256],
      [300, 256],
      [131_072, 131_072],
    ])
      equal(sizeOf({ maxBlockSize }), size, String(maxBlockSize));
  });

  it("is no more than a second of the rate limit", () => {
    for (const [rateLimit, size] of [
      [256, 256],
      [3000, 2048],
      [4096, 4096],
      [1_000_000, 4096],
    ])
      equal(sizeOf({ rateLimit }), size, String(rateLimit));
  });

  it("is what the application says, whatever that costs", () => {
    equal(sizeOf({ blockSize: 1008, rateLimit: 256 }), 1008);
    equal(sizeOf({ blockSize: 8192 }), 8192);
  });

  /** A way that lets no longer message pass than `limit` bytes. */
  function narrow(limit: number, options: TransferSetup = {}): Transfer {
    const t = new Transfer(40 * KB, options);
    t.answer(50, () => t.blockSize > limit);
    return t.start();
  }

  it("becomes smaller until blocks come through", () => {
    const t = narrow(1024);
    ok(t.clock.runUntilDone(() => t.complete));
    deepEqual([t.blockSize, t.plane.opened, t.events], [1024, 2, ["head", "complete"]]);
    deepEqual(t.pal.bytes, t.content);
    ok(t.clock.now() >= 20_000 && t.clock.now() < 40_000, `${t.clock.now()} ms`);
    deepEqual(t.progress.at(-1), [40, 40, 40 * KB]);
  });

  it("becomes smaller for what is missing of a file that is here in part, too", () => {
    const t = narrow(1024, { received: having(4 * KB, 0, 2, 3, 4, 5, 6, 7, 8, 9) });
    ok(t.clock.runUntilDone(() => t.complete));
    deepEqual(
      t.pal.writes,
      [4, 5, 6, 7].map((n) => n * KB),
    );
  });

  it("follows what flash has lost meanwhile", () => {
    const t = narrow(1024, { received: having(4 * KB, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) });
    t.events.length = 0;
    t.download.missing(having(4 * KB, 0, 1, 2, 3, 4, 5, 6, 7, 8));
    ok(t.clock.runUntilDone(() => t.complete));
    deepEqual(
      t.pal.writes,
      [36, 37, 38, 39].map((n) => n * KB),
    );
  });

  it("has an end at 256 bytes, and the job one in words", () => {
    for (const [maxBlockSize, sizes] of [
      [65_536, 3],
      [512, 2],
      [256, 1],
    ]) {
      const t = narrow(0, { maxBlockSize });
      ok(t.clock.runUntilDone(() => t.failures.length > 0));
      const last = Math.max(256, maxBlockSize / 16);
      deepEqual([t.blockSize, t.plane.opened, t.events], [last, sizes, ["no-progress"]]);
      equal(t.clock.now(), 60_000);
    }
  });

  it("stays when the service says no", () => {
    const t = new Transfer(40 * KB);
    t.plane.onRequest = () => t.plane.sink?.refused(refusal(), "retry");
    t.start();
    ok(t.clock.runUntilDone(() => t.failures.length > 0));
    deepEqual([t.blockSize, t.plane.opened], [4096, 1]);
  });

  it("does not count the time without a connection", () => {
    const t = narrow(0);
    t.plane.sink?.waiting();
    t.clock.run(50_000);
    t.plane.sink?.ready();
    t.clock.run(10_000);
    deepEqual([t.blockSize, t.failures], [4096, []]);
  });

  it("stays when it is fixed", () => {
    const t = narrow(0, { blockSize: 4096 });
    ok(t.clock.runUntilDone(() => t.failures.length > 0));
    deepEqual([t.blockSize, t.plane.opened], [4096, 1]);
  });

  it("stays once a block has come", () => {
    const t = new Transfer(40 * KB);
    t.answer(50, (block) => block > 0);
    t.start();
    ok(t.clock.runUntilDone(() => t.failures.length > 0));
    deepEqual([t.blockSize, t.plane.opened, t.pal.writes], [4096, 1, [0]]);
  });
});

describe("download: waits", () => {
  it("are short enough for six attempts before the transfer is given up", () => {
    const t = new Transfer(40 * KB, { noProgressTimeoutMs: 20_000, blockSize: 4096, rttHint: 900 });
    t.start();
    ok(t.clock.runUntilDone(() => t.failures.length > 0));
    ok(t.plane.asked.filter((block) => block === 0).length >= 6, JSON.stringify(t.plane.requests));
  });
});

describe("download: the head decides", () => {
  it("asks for the first block alone", () => {
    const t = new Transfer(40 * KB).start();
    deepEqual(t.plane.requests, [[0]]);
  });

  it("asks for the first window along with it when the way is long", () => {
    const t = new Transfer(40 * KB, { rttHint: 300, rateHint: 1_000_000 }).start();
    deepEqual(t.plane.requests, [[0], range(1, 10)]);
  });

  it("asks for half a second of a slow link, and for nothing where its rate is not known", () => {
    for (const [rateHint, most] of [
      [20_000, 3],
      [0, 1],
    ]) {
      const { plane } = new Transfer(400 * KB, { rttHint: 300, rateHint }).start();
      deepEqual(plane.asked, range(0, most), String(rateHint));
    }
  });

  it("writes nothing and fails once when the head is refused", () => {
    const t = new Transfer(40 * KB);
    t.pal.refusal = new OtaError("downgrade", "older", "image");
    t.start();
    t.deliver(0, 1, 2);
    t.clock.run(1_000_000);
    deepEqual([t.events, t.pal.writes], [["downgrade"], []]);
  });

  it("drops a block that overtakes the head and asks for it again", () => {
    const t = new Transfer(16 * KB, { rttHint: 300, rateHint: 1_000_000 }).start();
    t.deliver(2);
    deepEqual(t.pal.writes, []);
    t.deliver(0, 1, 3);
    deepEqual(t.pal.writes, [0, 4 * KB, 12 * KB]);
    t.answer(10);
    ok(t.clock.runUntilDone(() => t.complete));
    deepEqual(t.pal.bytes, t.content);
  });

  it("collects a head of several small blocks, in any order", () => {
    const t = new Transfer(2000, { blockSize: 256 }).start();
    deepEqual(t.plane.take(), [[0, 1]]);
    t.deliver(1);
    equal(t.pal.heads.length, 0);
    t.deliver(0);
    deepEqual([t.pal.heads[0], t.pal.writes], [t.content.subarray(0, 512), [0, 256]]);
    deepEqual(t.plane.take(), [range(2, 8)]);
  });

  it("goes on collecting the head when a part of it is lost", () => {
    const t = new Transfer(2000, { blockSize: 256 }).start();
    t.plane.take();
    t.deliver(1);
    t.clock.run(5_000);
    deepEqual(t.plane.take()[0], [0]);
    t.deliver(0);
    deepEqual(t.pal.writes, [0, 256]);
  });

  it("goes on collecting the head over another plane", () => {
    const t = new Transfer(2000, { blockSize: 256 }).start();
    t.deliver(0);
    const other = new ScriptedPlane("HTTP");
    t.download.switchPlanes([other], t.file);
    t.clock.run(0);
    deepEqual([t.pal.heads, other.requests], [[], [[1]]]);
    other.sink?.block(1, t.payload(1), 0);
    deepEqual([t.pal.heads[0], t.pal.writes], [t.content.subarray(0, 512), [0, 256]]);
  });

  it("judges a file shorter than a head", () => {
    const t = new Transfer(100).start();
    t.deliver(0);
    deepEqual([t.events, t.pal.heads[0]], [["head", "complete"], t.content]);
  });

  it("judges the head an earlier life left before asking for anything", () => {
    const t = new Transfer(16 * KB, { received: having(4096, 0, 2) });
    t.pal.bytes.set(t.content.subarray(0, 4096));
    t.start();
    deepEqual([t.events, t.plane.requests], [["head"], [[1, 3]]]);
    deepEqual(t.pal.heads[0], t.content.subarray(0, 288));
  });

  it("refuses the head an earlier life left when it is not wanted any more", () => {
    const t = new Transfer(16 * KB, { received: having(4096, 0) });
    t.pal.refusal = new OtaError("same-version", "the same", "image");
    t.start();
    deepEqual([t.events, t.plane.requests], [["same-version"], []]);
  });

  it("completes in a later turn when everything is there", () => {
    const t = new Transfer(8 * KB, { received: having(4096, 0, 1) });
    t.download.start();
    deepEqual(t.events, []);
    t.clock.run(0);
    deepEqual([t.events, t.plane.opened], [["head", "complete"], 0]);
  });
});

describe("download: blocks", () => {
  it("brings a file together from blocks in any order", () => {
    const t = new Transfer(50 * KB + 10).start();
    t.deliver(0);
    t.deliver(...range(1, 13).reverse());
    deepEqual(t.events, ["head", "complete"]);
    deepEqual(t.pal.bytes, t.content);
    deepEqual(t.progress.at(-1), [13, 13, 50 * KB + 10]);
  });

  it("writes a block once however often it comes", () => {
    const t = new Transfer(16 * KB).start();
    t.deliver(0, 0, 1, 1, 0);
    deepEqual(t.pal.writes, [0, 4096]);
    const { duplicates, packetsDropped, packetsProcessed, packetsReceived } = t.download.statistics;
    deepEqual([duplicates, packetsDropped, packetsProcessed, packetsReceived], [3, 3, 2, 5]);
  });

  it("counts bad messages and goes on", () => {
    const t = new Transfer(8 * KB).start();
    t.plane.sink?.bad("nonsense");
    equal(t.plane.sink?.buffer(70_000), undefined);
    t.deliver(0, 1);
    deepEqual([t.events, t.download.statistics.bad], [["head", "complete"], 2]);
  });

  /** Blocks that do not fit the file, one for each request. */
  function misfitting(options: TransferSetup = {}, good: (at: number) => boolean = () => false): Transfer {
    const t = new Transfer(40 * KB, options);
    t.plane.onRequest = ([first]) =>
      void t.clock.set(() => {
        if (good(t.clock.now())) t.deliver(first);
        else t.plane.sink?.bad(`block ${first} came with 100 bytes`, true);
      }, 50);
    return t.start();
  }

  it("ends within a minute when none fits the file, and says so (it took five, without a word)", () => {
    const t = misfitting();
    ok(t.clock.runUntilDone(() => t.events.length > 0));
    ok(t.clock.now() < 60_000, `${t.clock.now()} ms`);
    equal(t.failures[0]?.code, "stream-refused");
    equal(
      t.failures[0]?.message,
      "the stream is not the file the job describes: block 0 came with 100 bytes",
    );
  });

  it("says so as well when the time without progress is shorter", () => {
    const t = misfitting({ noProgressTimeoutMs: 10_000 });
    ok(t.clock.runUntilDone(() => t.events.length > 0));
    equal(t.failures[0]?.message, "no block for 10000 ms; block 0 came with 100 bytes");
  });

  it("goes on while some do", () => {
    const t = misfitting({}, (at) => at > 15_000);
    ok(t.clock.runUntilDone(() => t.events.length > 1));
    deepEqual(t.events, ["head", "complete"]);
  });

  it("offers one buffer for all messages", () => {
    const t = new Transfer(8 * KB).start();
    const buffer = t.plane.sink?.buffer(4200);
    ok(buffer && buffer.length >= 4200);
    equal(t.plane.sink?.buffer(100), buffer);
  });

  it("fails with the error of the flash", () => {
    const t = new Transfer(16 * KB).start();
    t.deliver(0);
    t.pal.fault = new OtaError("flash-write", "worn out", "transfer");
    t.deliver(1);
    t.deliver(2);
    deepEqual([t.events, t.failures[0].message], [["head", "flash-write"], "worn out"]);
  });

  it("turns a foreign error of the flash into its own", () => {
    const t = new Transfer(16 * KB).start();
    t.pal.fault = new Error("driver");
    t.deliver(0);
    equal(t.failures[0].code, "flash-write");
  });

  it("fetches what flash lost although an earlier life had left everything", () => {
    const t = new Transfer(16 * KB, { received: having(4096, 0, 1, 2, 3) });
    t.download.start();
    t.clock.run(1);
    ok(t.complete);
    equal(t.plane.opened, 0);
    t.events.length = 0;
    t.answer(10);
    t.download.missing(having(4096, 0, 2, 3));
    t.clock.run(1_000);
    deepEqual([t.plane.asked, t.complete], [[1], true]);
  });

  it("fetches again what flash has lost", () => {
    const t = new Transfer(16 * KB).start();
    t.deliver(0, 1, 2, 3);
    t.plane.take();
    t.download.missing(having(4096, 0, 2, 3));
    t.clock.run(0);
    deepEqual(t.plane.take(), [[1]]);
    t.deliver(1);
    deepEqual(t.events, ["head", "complete", "complete"]);
  });

  it("does not judge the head a second time when flash has lost it", () => {
    const t = new Transfer(8 * KB).start();
    t.deliver(0, 1);
    t.download.missing(having(4096, 1));
    t.clock.run(0);
    t.deliver(0);
    deepEqual(t.events, ["head", "complete", "complete"]);
  });
});

describe("download: requests", () => {
  it("never asks for more than the plane or the options allow", () => {
    const plane = new ScriptedPlane();
    plane.maxBlocks = 5;
    const t = new Transfer(400 * KB, { plane, maxOutstandingBytes: 48 * KB }).start();
    t.deliver(0);
    ok(plane.requests.every((blocks) => blocks.length <= 5));
    ok(plane.asked.length > 8 && plane.asked.length <= 13, `${plane.asked.length} blocks`);
  });

  it("keeps to its limits as long as it takes", () => {
    for (const blocks of [1, 2, 3]) {
      const t = new Transfer(200 * KB, { maxOutstandingBytes: blocks * 4 * KB });
      let most = 0;
      let outstanding = 0;
      t.pal.onWrite = () => outstanding--;
      t.answer(700);
      const { onRequest } = t.plane;
      t.plane.onRequest = (asked) => {
        outstanding += asked.length;
        most = Math.max(most, outstanding);
        onRequest?.(asked, 0);
      };
      t.start();
      ok(t.clock.runUntilDone(() => t.complete, 120_000));
      ok(t.clock.now() > 11_000);
      equal(most, blocks);
    }
  });

  it("fills the window before it runs empty", () => {
    const t = new Transfer(1600 * KB).start();
    t.answer(50);
    t.clock.run(10);
    t.deliver(0);
    let least = Number.POSITIVE_INFINITY;
    let outstanding = t.plane.asked.length - 1;
    const { onRequest } = t.plane;
    t.plane.onRequest = (blocks) => {
      if (t.progress.length > 32 && t.progress.length < 300) least = Math.min(least, outstanding);
      outstanding += blocks.length;
      onRequest?.(blocks, 0);
    };
    t.pal.onWrite = () => outstanding--;
    ok(t.clock.runUntilDone(() => t.complete));
    ok(least >= 4, `only ${least} blocks were on their way`);
  });

  it("reaches lost and new blocks with one request", () => {
    const t = new Transfer(100 * KB, { maxOutstandingBytes: 32 * KB }).start();
    t.deliver(0);
    deepEqual(t.plane.take().flat(), range(0, 9));
    t.clock.run(1);
    t.deliver(2, 3);
    t.clock.run(100);
    ok(t.plane.take().some((blocks) => blocks[0] === 1 && blocks.length > 1));
  });

  it("asks again for a block that later ones prove lost, without waiting", () => {
    const t = new Transfer(100 * KB).start();
    t.deliver(0);
    t.plane.take();
    t.clock.run(20);
    t.deliver(...range(2, 17));
    ok(!t.plane.take().flat().includes(1));
    t.deliver(17);
    ok(t.plane.take()[0].includes(1));
    equal(t.download.statistics.retransmitted, 1);
  });

  it("takes a block that had been given up", () => {
    const t = new Transfer(100 * KB).start();
    t.deliver(0, 2, 3, 4, 1);
    ok(t.pal.writes.includes(4096));
  });

  it("asks again for the last blocks after a time-out of a few round trips", () => {
    const t = new Transfer(16 * KB).start();
    t.clock.run(30);
    t.deliver(0);
    t.plane.take();
    t.clock.run(40);
    deepEqual(t.plane.take(), []);
    t.clock.run(300);
    deepEqual(t.plane.take()[0], [1, 2]);
  });

  it("waits longer each time nothing comes", () => {
    const t = new Transfer(16 * KB, { noProgressTimeoutMs: 600_000 }).start();
    t.clock.run(30);
    t.deliver(0);
    const times: number[] = [];
    t.plane.onRequest = () => times.push(t.clock.now());
    t.clock.run(60_000);
    const waits = times.slice(1).map((time, i) => time - times[i]);
    ok(waits.length >= 4 && waits.length < 15, `${waits.length} requests`);
    for (let i = 1; i < 5; i++) ok(waits[i] > 1.3 * waits[i - 1], `waits ${waits}`);
  });

  it("survives the loss of every third block", () => {
    const t = new Transfer(800 * KB).start();
    let count = 0;
    t.answer(25, () => count++ % 3 === 2);
    t.clock.run(1_000);
    ok(t.clock.runUntilDone(() => t.complete, 600_000));
    deepEqual(t.pal.bytes, t.content);
  });

  it("asks for nothing twice when the blocks of a request come in any order", () => {
    const t = new Transfer(1600 * KB).start();
    t.deliver(0);
    t.plane.onRequest = (blocks) => {
      const shuffled = [...blocks].sort((a, b) => ((a * 7919) % 101) - ((b * 7919) % 101));
      t.clock.post(t.clock.now() + 20, () => t.deliver(...shuffled));
    };
    for (const blocks of t.plane.take()) t.plane.onRequest(blocks, 0);
    ok(t.clock.runUntilDone(() => t.complete));
    equal(t.download.statistics.retransmitted, 0);
  });

  it("keeps a rate limit", () => {
    const t = new Transfer(400 * KB, { rateLimit: 40 * KB });
    t.answer(5);
    t.start();
    ok(t.clock.runUntilDone(() => t.complete));
    ok(t.clock.now() > 9_500 && t.clock.now() < 10_600, `took ${t.clock.now()} ms`);
  });

  it("leaves the application time between blocks", () => {
    const t = new Transfer(80 * KB, { blockIntervalMs: 200 });
    t.answer(5);
    const times: number[] = [];
    t.pal.onWrite = () => times.push(t.clock.now());
    t.start();
    ok(t.clock.runUntilDone(() => t.complete));
    for (let i = 2; i < times.length; i++) ok(times[i] - times[i - 1] >= 199, `writes at ${times}`);
  });

  for (const [title, size, slow] of [
    ["a rate limit", 9 * KB, { blockSize: 64 * KB, rateLimit: 2 * KB }],
    ["a rate limit of less than a block", 130 * KB, { blockSize: 64 * KB, rateLimit: 2 * KB }],
    ["a long time between blocks", 8 * KB, { blockIntervalMs: 60_000 }],
  ] as const)
    it(`asks again in time for what is lost, whatever ${title} would say`, () => {
      const t = new Transfer(size, { ...slow, noProgressTimeoutMs: 20_000 });
      let blocks = 0;
      // Two of three blocks do not come.
      t.answer(5, () => ++blocks % 3 !== 0);
      t.start();
      ok(t.clock.runUntilDone(() => t.complete));
      deepEqual(t.events, ["head", "complete"]);
      deepEqual(t.pal.bytes, t.content);
    });
});

describe("download: giving up", () => {
  it("says one thing only when everything is there but the deadline has passed", () => {
    const t = new Transfer(16 * KB, { received: having(4096, 0, 1, 2, 3), totalDeadlineMs: 1_000 });
    t.clock.run(2_000);
    t.start();
    t.clock.run(10_000);
    deepEqual(t.events, ["head", "complete"]);
  });

  it("ends with no-progress when nothing comes for the budget, and says so once", () => {
    const t = new Transfer(16 * KB, { noProgressTimeoutMs: 30_000 }).start();
    t.clock.run(29_000);
    deepEqual(t.events, []);
    t.clock.run(2_000);
    deepEqual(t.events, ["no-progress"]);
    t.clock.run(600_000);
    deepEqual(t.events, ["no-progress"]);
  });

  it("counts blocks of the head as progress, before it is judged: a slow link was given up in the middle of one", () => {
    const small = { maxBlockSize: 256, maxOutstandingBytes: 256 };
    const t = new Transfer(16 * KB, { ...small, noProgressTimeoutMs: 30_000 }).start();
    t.clock.run(20_000);
    t.deliver(0);
    t.clock.run(20_000);
    deepEqual(t.events, []);
    t.deliver(1);
    deepEqual(t.events, ["head"]);
    t.clock.run(31_000);
    deepEqual(t.events, ["head", "no-progress"]);
  });

  it("counts blocks of the head in the least rate, before it is judged", () => {
    const small = { maxBlockSize: 256, maxOutstandingBytes: 256 };
    const t = new Transfer(16 * KB, { ...small, minRate: 4 }).start();
    t.clock.run(30_000);
    t.deliver(0);
    t.clock.run(40_000);
    deepEqual(t.events, []);
    t.deliver(1);
    deepEqual(t.events, ["head"]);
  });

  it("does not count the time without a connection", () => {
    const t = new Transfer(16 * KB, { noProgressTimeoutMs: 30_000 }).start();
    t.clock.run(20_000);
    t.plane.sink?.waiting();
    t.plane.take();
    t.clock.run(3_600_000);
    deepEqual([t.events, t.plane.requests], [[], []]);
    t.plane.sink?.ready();
    t.clock.run(9_000);
    deepEqual(t.events, []);
    t.clock.run(2_000);
    deepEqual(t.events, ["no-progress"]);
  });

  it("names the service's last refusal", () => {
    const t = new Transfer(16 * KB, { noProgressTimeoutMs: 10_000 }).start();
    t.plane.sink?.refused(refusal(), "retry");
    t.clock.run(20_000);
    ok(t.failures[0].message.includes("the service said no"), t.failures[0].message);
  });

  it("ends a transfer that takes too long altogether, with or without a connection", () => {
    const t = new Transfer(160 * KB, { totalDeadlineMs: 50_000 }).start();
    t.answer(10);
    t.clock.run(1_000);
    t.plane.sink?.waiting();
    t.clock.run(50_000);
    equal(t.events.at(-1), "too-slow");
  });

  it("finds the deadline come also when the sum of the times was rounded", () => {
    const clock = new VirtualClock();
    // 2300.0169 + 14084 is stored as a number that is less than 14084 away from 2300.0169.
    clock.runUntil(2300.0169);
    const t = new Transfer(160 * KB, { clock, totalDeadlineMs: 14_084 });
    t.plane.prompt = false;
    t.download.start();
    for (let i = 0; i < 1000 && !t.events.includes("too-slow"); i++) clock.time.step();
    equal(t.events.at(-1), "too-slow");
  });

  it("keeps a deadline that is longer than a timer of the host", () => {
    const days = 86_400_000;
    const t = new Transfer(16 * KB, { totalDeadlineMs: 30 * days }).start();
    t.plane.sink?.waiting();
    t.clock.run(30 * days - 1);
    deepEqual(t.events, []);
    t.clock.run(1);
    deepEqual(t.events, ["too-slow"]);
  });

  it("ends a transfer that is slower than the least rate", () => {
    const t = new Transfer(1600 * KB, { minRate: 1024 }).start();
    const drip = () => {
      t.deliver(t.progress.length);
      t.clock.set(drip, 8_000);
    };
    drip();
    t.clock.run(61_000);
    equal(t.events.at(-1), "too-slow");
  });

  it("lets a transfer pass that keeps the least rate", () => {
    const t = new Transfer(64 * KB, { minRate: 256 }).start();
    const drip = () => {
      t.deliver(t.progress.length);
      if (!t.complete) t.clock.set(drip, 8_000);
    };
    drip();
    t.clock.run(200_000);
    equal(t.events.at(-1), "complete");
  });
});

describe("download: connection lost and found", () => {
  it("asks at once for everything outstanding when it is back", () => {
    const t = new Transfer(24 * KB).start();
    t.deliver(0, 1);
    t.plane.sink?.waiting();
    t.plane.take();
    t.plane.sink?.ready();
    deepEqual(t.plane.take(), [range(2, 6)]);
  });

  it("does not ask while it is away", () => {
    const t = new Transfer(24 * KB).start();
    t.plane.sink?.waiting();
    t.plane.take();
    t.deliver(0);
    t.clock.run(100_000);
    deepEqual(t.plane.requests, []);
  });

  it("pauses and resumes", () => {
    const t = new Transfer(24 * KB).start();
    t.deliver(0);
    t.download.pause();
    t.plane.take();
    t.deliver(1);
    t.clock.run(1_000_000);
    deepEqual([t.plane.requests, t.pal.writes, t.download.statistics.packetsDropped], [[], [0], 1]);
    t.download.resume();
    deepEqual(t.plane.take(), [range(1, 6)]);
    deepEqual(t.events, ["head"]);
  });

  it("stays paused when the connection comes back meanwhile", () => {
    const t = new Transfer(24 * KB).start();
    t.download.pause();
    t.plane.sink?.waiting();
    t.plane.take();
    t.plane.sink?.ready();
    deepEqual(t.plane.requests, []);
    t.download.resume();
    deepEqual(t.plane.take(), [[0]]);
  });

  it("goes on with another plane and keeps what it has", () => {
    const t = new Transfer(24 * KB).start();
    t.deliver(0, 1, 2);
    const other = new ScriptedPlane("HTTP");
    t.download.switchPlanes([other], t.file);
    equal(t.plane.sink, undefined);
    t.clock.run(0);
    deepEqual(other.requests, [[3, 4, 5]]);
  });

  it("revives a failed transfer on another plane", () => {
    const t = new Transfer(8 * KB).start();
    t.plane.sink?.refused(refusal(), "final");
    deepEqual(t.events, ["stream-refused"]);
    const other = new ScriptedPlane("HTTP");
    t.download.switchPlanes([other], t.file);
    t.clock.run(0);
    other.sink?.block(0, t.payload(0), 0);
    other.sink?.block(1, t.payload(1), 0);
    equal(t.events.at(-1), "complete");
  });

  it("asks again for a block that could not be written", () => {
    const t = new Transfer(16 * KB).start();
    t.deliver(0);
    t.pal.fault = new OtaError("flash-write", "worn out", "transfer");
    t.deliver(1);
    t.pal.fault = undefined;
    const other = new ScriptedPlane("HTTP");
    t.download.switchPlanes([other], t.file);
    t.clock.run(0);
    deepEqual(other.requests, [[1, 2, 3]]);
  });

  it("is silent once closed", () => {
    const t = new Transfer(24 * KB).start();
    const { sink } = t.plane;
    t.download.close();
    sink?.block(0, t.payload(0), 0);
    sink?.ready();
    sink?.refused(refusal(), "final");
    t.clock.run(1_000_000);
    deepEqual([t.events, t.pal.writes, t.plane.sink], [[], [], undefined]);
    equal(sink?.buffer(10), undefined);
  });
});

describe("download: refusals", () => {
  it("asks again after a back-off that grows", () => {
    const t = new Transfer(8 * KB, { noProgressTimeoutMs: 600_000 }).start();
    const times: number[] = [];
    t.plane.onRequest = () => {
      times.push(t.clock.now());
      t.clock.post(t.clock.now(), () => t.plane.sink?.refused(refusal(), "retry"));
    };
    t.plane.sink?.refused(refusal(), "retry");
    t.clock.run(60_000);
    const waits = times.map((time, i) => time - (times[i - 1] ?? 0));
    ok(waits[0] >= 500 && waits.length > 4, `waits ${waits}`);
    for (let i = 1; i < 5; i++) ok(waits[i] >= 1.9 * waits[i - 1], `waits ${waits}`);
  });

  it("waits behind the head as well, and asks for nothing meanwhile", () => {
    const t = new Transfer(80 * KB).start();
    t.deliver(0);
    t.plane.take();
    t.plane.sink?.refused(refusal(), "retry");
    t.clock.run(499);
    deepEqual(t.plane.take(), []);
    t.clock.run(130);
    deepEqual(t.plane.take().flat(), range(1, 20));
  });

  it("waits as long as the service says", () => {
    const t = new Transfer(8 * KB).start();
    t.plane.take();
    t.plane.sink?.refused(refusal(), "retry", 20_000);
    t.clock.run(19_999);
    deepEqual(t.plane.requests, []);
    t.clock.run(2_600);
    deepEqual(t.plane.requests, [[0]]);
  });

  it("fetches a fresh job document and goes on with it", () => {
    const t = new Transfer(24 * KB, { plane: new ScriptedPlane("HTTP") }).start();
    t.deliver(0, 1);
    t.plane.take();
    t.plane.sink?.refused(refusal(), "refresh");
    t.clock.run(100);
    deepEqual([t.events, t.plane.requests], [["head", "refresh"], []]);
    const fresh = fileOf(24 * KB, { url: "https://new" });
    t.download.renew(fresh);
    t.clock.run(0);
    deepEqual([t.plane.file, t.plane.take(), t.plane.opened], [fresh, [range(2, 6)], 2]);
  });

  it("asks for the document again when it does not come", () => {
    const t = new Transfer(24 * KB).start();
    t.plane.sink?.refused(refusal(), "refresh");
    t.clock.run(40_000);
    deepEqual(t.events, ["refresh", "refresh"]);
  });

  it("does not refresh in a tight circle", () => {
    const t = new Transfer(24 * KB, { noProgressTimeoutMs: 60_000 });
    let refreshes = 0;
    t.plane.onRequest = () =>
      t.clock.post(t.clock.now() + 5, () => t.plane.sink?.refused(refusal(), "refresh"));
    t.start();
    while (!t.failures.length && refreshes < 100) {
      t.clock.run(10);
      if (t.events.filter((event) => event === "refresh").length > refreshes) {
        refreshes++;
        t.download.renew(t.file);
      }
    }
    deepEqual(t.failures[0].code, "no-progress");
    ok(refreshes < 12, `${refreshes} refreshes`);
  });

  it("ignores a fresh document that changes nothing", () => {
    const t = new Transfer(24 * KB).start();
    t.download.renew(fileOf(24 * KB, { url: "https://not-of-this-plane" }));
    t.clock.run(1_000);
    equal(t.plane.opened, 1);
  });

  it("opens the stream of a fresh document that names another", () => {
    const t = new Transfer(24 * KB).start();
    t.download.renew(fileOf(24 * KB, { streamName: "other" }));
    t.clock.run(0);
    equal(t.plane.opened, 2);
  });
});
