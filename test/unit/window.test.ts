import { Window } from "../../src/window.js";
import { deepEqual, equal, ok } from "../support/assert.js";

/** Asks for blocks [from, to) at `now`. */
function ask(window: Window, from: number, to: number, now: number, again = false): void {
  for (let block = from; block < to; block++) window.ask(block, 1, again ? 1 : 0, now);
}

function losses(window: Window, now: number): number[] {
  const lost: number[] = [];
  for (let block = window.lost(now); block >= 0; block = window.lost(now)) lost.push(block);
  return lost;
}

describe("window: asking", () => {
  it("records the blocks of a byte of a bitmap", () => {
    const window = new Window(64, 8, 0);
    equal(window.ask(16, 0b10100101, 0b00000100, 0), 4);
    deepEqual([window.outstanding, window.repeated], [4, 1]);
    deepEqual([window.oldest(), window.oldest(), window.oldest(), window.oldest()], [16, 18, 21, 23]);
  });
});

describe("window: round trips", () => {
  it("believes the first sample, then smooths (RFC 9002 §5.3)", () => {
    const window = new Window(64, 8, 1000);
    ask(window, 0, 2, 1000);
    window.arrived(0, 1100);
    equal(window.srtt, 100);
    window.arrived(1, 1180);
    equal(window.srtt, 110);
    equal(window.minRtt, 100);
  });

  it("takes no sample from a block that was asked for twice", () => {
    const window = new Window(64, 8, 0);
    ask(window, 0, 1, 0, true);
    window.arrived(0, 5_000);
    equal(window.minRtt, 0);
  });

  it("learns from such a block how long it takes at least", () => {
    const window = new Window(64, 8, 0, 4);
    ask(window, 0, 4, 0, true);
    window.arrived(0, 2_000);
    equal(window.srtt, 2_000);
    ok(window.deadline > 4_000, "what is on its way is waited for");
  });

  it("keeps waiting longer when only answers come that may be to an earlier request (Karn)", () => {
    const window = new Window(64, 8, 0, 4);
    ask(window, 0, 4, 0);
    window.expire(0);
    while (window.outstanding > 0) window.oldest();
    ask(window, 0, 4, 500, true);
    window.arrived(0, 2_000);
    equal(window.timeouts, 1);
    ask(window, 4, 5, 2_000);
    window.arrived(4, 4_000);
    equal(window.timeouts, 0);
  });

  it("begins with a round trip measured elsewhere", () => {
    const window = new Window(64, 8, 0, 40);
    ask(window, 0, 1, 0);
    equal(window.srtt, 40);
    ok(window.deadline < new Window(64, 8, 0).srtt + 40);
  });

  it("forgets the shortest round trip when the way has become longer", () => {
    const window = new Window(64, 8, 0);
    for (let i = 0; i < 40; i++) {
      const now = i * 1000;
      ask(window, i, i + 1, now);
      window.arrived(i, now + (i < 5 ? 20 : 300));
    }
    equal(window.minRtt, 300);
  });
});

describe("window: losses", () => {
  it("are proven by three later blocks (RFC 9002 §6.1.1)", () => {
    const window = new Window(64, 16, 0);
    ask(window, 0, 8, 0);
    window.arrived(2, 50);
    window.arrived(3, 50);
    deepEqual(losses(window, 50), [0]);
    window.arrived(4, 50);
    deepEqual(losses(window, 50), [1]);
    equal(window.outstanding, 3);
  });

  it("are proven by one later block and a little more than a round trip (§6.1.2)", () => {
    const window = new Window(64, 16, 0);
    ask(window, 0, 2, 0);
    window.arrived(1, 80);
    deepEqual(losses(window, 80), []);
    equal(window.deadline, 90);
    deepEqual(losses(window, 90), [0]);
  });

  it("are not seen in blocks that only overtake each other, once that is known", () => {
    const window = new Window(64, 16, 0);
    ask(window, 0, 8, 0);
    for (const block of [3, 4, 5]) window.arrived(block, 50);
    deepEqual(losses(window, 50), [0, 1, 2]);
    equal(window.arrived(0, 51), false);
    ask(window, 8, 16, 51);
    for (const block of [6, 7, 9, 10, 11, 12]) window.arrived(block, 99);
    deepEqual(losses(window, 99), []);
  });

  it("halve the window once in a round trip, though not below what the measured rate needs", () => {
    const window = new Window(400, 64, 0);
    let now = 0;
    for (let block = 0; block < 200; block++) {
      ask(window, block, block + 1, now);
      now += 2;
    }
    for (let block = 0; block < 100; block++) window.arrived(block, 100 + 2 * block);
    const before = window.size;
    ok(Math.abs(window.rate - 0.5) < 0.05, `rate ${window.rate}`);
    window.arrived(110, 400);
    equal(losses(window, 400).length, 8);
    ok(window.size >= window.rate * window.minRtt, `${window.size}`);
    ok(window.size < before, `${window.size} of ${before}`);
    const { size } = window;
    window.arrived(120, 400);
    losses(window, 400);
    ok(window.size >= size, "halved twice");
  });
});

describe("window: time-outs", () => {
  it("none while nothing is outstanding", () => {
    equal(new Window(64, 8, 0).deadline, Number.POSITIVE_INFINITY);
  });

  it("come sooner for what is overdue", () => {
    const window = new Window(64, 32, 0);
    ask(window, 0, 20, 0);
    // A slow link: each block is later by 100 ms.
    for (let block = 0; block < 16; block++) window.arrived(block, 100 + 100 * block);
    // The next block was asked for at 0: its wait does not begin with the latest arrival at 1600.
    const { deadline } = window;
    ok(deadline >= 1600 + window.minRtt + 100 && deadline < 4000, `${deadline}`);
    ask(window, 20, 21, 1700);
    ok(window.deadline < 4000, `${window.deadline}`);
  });

  it("double each time and return to normal with the first answer", () => {
    const window = new Window(64, 8, 0);
    ask(window, 0, 4, 0);
    window.arrived(0, 100);
    window.expire(0);
    const first = window.deadline - 100;
    window.expire(0);
    equal(window.deadline - 100, 2 * first);
    window.expire(0);
    equal(window.deadline - 100, 4 * first);
    ask(window, 4, 5, 200);
    window.arrived(4, 300);
    ok(window.deadline - 300 <= first);
  });

  it("are spread by chance", () => {
    const window = new Window(64, 8, 0);
    ask(window, 0, 4, 0);
    window.expire(0);
    const { deadline } = window;
    window.expire(0.999);
    ok(window.deadline > 2.2 * deadline, `${deadline}, ${window.deadline}`);
  });

  it("never exceed half a minute and a quarter", () => {
    const window = new Window(64, 8, 0);
    ask(window, 0, 1, 0);
    for (let i = 0; i < 40; i++) window.expire(1);
    ok(window.deadline <= 37_500, `${window.deadline}`);
  });

  it("shrink the window when they repeat", () => {
    const window = new Window(64, 64, 0);
    ask(window, 0, 64, 0);
    window.expire(0);
    equal(window.size, 64);
    window.expire(0);
    ok(window.size <= 8);
  });
});

describe("window: size", () => {
  it("grows by each clean delivery up to its capacity", () => {
    const window = new Window(32, 8, 0);
    ask(window, 0, 8, 0);
    for (let block = 0; block < 8; block++) window.arrived(block, 10);
    ok(window.size >= 16);
    for (let block = 8; block < 100; block++) {
      ask(window, block, block + 1, block * 10);
      window.arrived(block, block * 10 + 10);
    }
    ok(window.size <= 33);
    equal(window.room, 32);
  });

  it("stops growing and drains when answers queue up", () => {
    const window = new Window(512, 64, 0);
    const latency = 50;
    // A link of 20 blocks a second: each block waits for those before it.
    let sent = 0;
    const free: number[] = [];
    const fill = (now: number) => {
      while (window.room > 0) {
        ask(window, sent, sent + 1, now);
        free[sent] = Math.max(now + latency / 2, free[sent - 1] ?? 0) + 50;
        sent++;
      }
    };
    fill(0);
    for (let block = 0; block < 600; block++) {
      const now = free[block] + latency / 2;
      window.arrived(block, now);
      fill(now);
    }
    // At most twice the target of 400 ms, in blocks of 50 ms, and what the way itself holds.
    ok(window.size > 4 && window.size < 20, `${window.size} blocks`);
  });

  it("has no room beyond its record of what was asked", () => {
    const window = new Window(4, 4, 0);
    ask(window, 0, 4, 0);
    equal(window.room, 0);
    window.arrived(1, 1);
    window.arrived(2, 1);
    window.arrived(3, 1);
    let next = 4;
    for (; window.room > 0 && next < 100; next++) {
      ask(window, next, next + 1, 1);
      window.arrived(next, 2);
    }
    ok(next < 20, `asked ${next} while block 0 was outstanding`);
    deepEqual(losses(window, 2), [0]);
    ok(window.room > 0);
  });

  it("is empty after clear", () => {
    const window = new Window(16, 8, 0);
    ask(window, 0, 8, 0);
    window.arrived(3, 10);
    window.clear(20);
    deepEqual([window.outstanding, window.oldest(), window.lost(1e6)], [0, -1, -1]);
    ask(window, 0, 2, 30);
    equal(window.oldest(), 0);
  });
});
