import { Window } from "../../src/transfer/window.js";
import { deepEqual, equal, ok } from "../support/assert.js";

/** A request for one block. */
function askOne(window: Window, block: number, token: number, now: number): void {
  window.ask(block, token, now);
  window.sent(1, now);
}

function windowOf(capacity: number, initial: number, now = 0, rttHint?: number, random = () => 0): Window {
  return new Window(capacity, initial, now, random, 30_000, rttHint);
}

/** Asks for blocks [from, to) at `now`. */
function ask(window: Window, from: number, to: number, now: number, again = false): void {
  for (let block = from; block < to; block++) askOne(window, block, again ? 1 : 0, now);
}

function losses(window: Window, now: number): number[] {
  const lost: number[] = [];
  for (let block = window.lost(now); block >= 0; block = window.lost(now)) lost.push(block);
  return lost;
}

/** Lets the deadline pass, asks again for what is given up, and returns how long the next wait is. */
function expire(window: Window): number {
  const now = window.deadline(window.active);
  for (const block of losses(window, now)) askOne(window, block, 1, now);
  return window.deadline(now) - now;
}

describe("window: asking", () => {
  it("records blocks in the order they are asked for, and which of them had been before", () => {
    const window = windowOf(64, 8);
    for (const block of [16, 18, 21, 23]) askOne(window, block, block === 18 ? 1 : 0, 0);
    deepEqual([window.outstanding, window.repeated], [4, 1]);
    window.forget(0);
    deepEqual(losses(window, 0), [16, 18, 21, 23]);
  });
});

describe("window: round trips", () => {
  it("believes the first sample, then smooths (RFC 9002 §5.3)", () => {
    const window = windowOf(64, 8, 1000);
    ask(window, 0, 3, 1000);
    window.arrived(0, 0, 1100);
    equal(window.srtt, 100);
    // Two blocks are on their way, each of which may take twice the 100 ms of the first; 4 × 50 ms of spread are less.
    equal(window.deadline(1100), 1000 + 100 + 2 * 2 * 100);
    // Once in a round trip.
    window.arrived(1, 0, 1180);
    equal(window.srtt, 100);
    ask(window, 3, 5, 1180);
    window.arrived(3, 0, 1320);
    equal(window.srtt, 120);
    equal(window.minRtt, 100);
  });

  it("takes no sample from a block that was asked for twice", () => {
    const window = windowOf(64, 8);
    ask(window, 0, 1, 0, true);
    window.arrived(0, 0, 5_000);
    equal(window.minRtt, 0);
  });

  it("learns from such a block how long it takes at least", () => {
    const window = windowOf(64, 8, 0, 4);
    ask(window, 0, 4, 0, true);
    window.arrived(0, 0, 2_000);
    equal(window.srtt, 2_000);
    ok(window.deadline(2_000) > 4_000, "what is on its way is waited for");
  });

  it("keeps waiting longer when only answers come that may be to an earlier request (Karn)", () => {
    const window = windowOf(64, 8);
    ask(window, 0, 3, 0);
    deepEqual(losses(window, window.deadline(0)), [0]);
    ask(window, 0, 1, 2_000, true);
    window.arrived(0, 0, 2_500);
    deepEqual([window.backOff, window.minRtt], [2, 0]);
    ask(window, 5, 6, 3_000);
    window.arrived(5, 0, 4_000);
    equal(window.backOff, 1);
  });

  it("does not let such answers outlive many time-outs", () => {
    const window = windowOf(64, 8);
    ask(window, 0, 1, 0);
    for (let n = 0; n < 5; n++) expire(window);
    equal(window.backOff, 32);
    window.arrived(0, 0, window.active + 10);
    equal(window.backOff, 4);
  });

  it("begins with a round trip measured elsewhere", () => {
    const window = windowOf(64, 8, 0, 40);
    ask(window, 0, 1, 0);
    equal(window.srtt, 40);
    // The first block is longer than the message that was measured.
    equal(window.deadline(0), 40 + 500);
  });

  it("forgets the shortest round trip when the way has become longer", () => {
    const window = windowOf(64, 8);
    for (let i = 0; i < 40; i++) {
      const now = i * 1000;
      ask(window, i, i + 1, now);
      window.arrived(i, 0, now + (i < 5 ? 20 : 300));
    }
    equal(window.minRtt, 300);
  });

  it("are measured by a clock of any size", () => {
    for (const epoch of [2 ** 31 - 50, 2 ** 32 - 50, 1.7e12, 1.7e12 + 0.5]) {
      const window = windowOf(64, 8, epoch);
      ask(window, 0, 3, epoch);
      window.arrived(1, 0, epoch + 100);
      deepEqual([window.srtt, window.minRtt], [100, 100]);
      const deadline = epoch + 100 + 4 * 100;
      ok(Math.abs(window.deadline(epoch + 100) - deadline) <= 1, `${epoch}`);
      deepEqual(losses(window, deadline - 2), []);
      deepEqual(losses(window, deadline + 2).slice(0, 1), [0]);
    }
  });
});

describe("window: losses", () => {
  it("are proven by as many later blocks as one request has, whose blocks may come in any order", () => {
    const window = windowOf(64, 32);
    ask(window, 0, 32, 0);
    for (let block = 2; block < 17; block++) window.arrived(block, 0, 50);
    deepEqual(losses(window, 0), [0]);
    window.arrived(17, 0, 50);
    deepEqual(losses(window, 0), [1]);
    equal(window.outstanding, 14);
  });

  /** Blocks asked for and here, `gap` of which is lost, and comes when it is asked for again. */
  function prove(window: Window, count: number): void {
    for (let n = 0; n < count; n++) {
      const now = n * 1_000;
      const first = n * 32;
      ask(window, first, first + 32, now);
      for (let block = first + 1; block < first + 32; block++) window.arrived(block, 0, now + 50);
      deepEqual(losses(window, 0), [first]);
      askOne(window, first, 1, now + 60);
      window.arrived(first, 1, now + 110);
    }
  }

  it("are proven by fewer later blocks once losses have proven real, at the least by three (RFC 9002 §6.1.1)", () => {
    const window = windowOf(64, 32);
    prove(window, 16);
    ask(window, 1_000, 1_008, 20_000);
    window.arrived(1_002, 0, 20_050);
    window.arrived(1_003, 0, 20_050);
    deepEqual(losses(window, 0), []);
    window.arrived(1_004, 0, 20_050);
    deepEqual(losses(window, 0), [1_000]);
  });

  it("are proven by more later blocks again as soon as blocks overtake each other, without one asked for in vain", () => {
    const window = windowOf(64, 32);
    prove(window, 16);
    ask(window, 1_000, 1_020, 20_000);
    window.arrived(1_002, 0, 20_050);
    window.arrived(1_000, 0, 20_050);
    for (const block of [1_001, 1_004, 1_005, 1_006]) window.arrived(block, 0, 20_050);
    deepEqual(losses(window, 0), []);
  });

  it("are proven by one later block and, beyond its round trip, the time others may take to overtake", () => {
    const window = windowOf(64, 16);
    ask(window, 0, 2, 0);
    window.arrived(1, 0, 80);
    deepEqual(losses(window, 80), []);
    const deadline = window.deadline(80);
    ok(deadline > 80 + 80 / 8 && deadline <= 80 + 80 + 100, `${deadline}`);
    deepEqual(losses(window, 0), [], "whoever was away does not know what time it is");
    deepEqual(losses(window, deadline), [0]);
  });

  it("are not seen in blocks that only overtake each other, once that is known", () => {
    const window = windowOf(64, 64);
    ask(window, 0, 22, 0);
    for (let block = 3; block < 20; block++) window.arrived(block, 0, 50);
    deepEqual(losses(window, 0), [0, 1, 2]);
    equal(window.outstanding, 2);
    window.arrived(0, 0, 51);
    equal(window.outstanding, 2, "it was not on its way any more");
    ask(window, 22, 50, 51);
    for (let block = 23; block < 39; block++) window.arrived(block, 0, 99);
    deepEqual(losses(window, 0), []);
  });

  it("are not concluded from the late answer to the first request for a block, where tokens tell", () => {
    const window = windowOf(64, 64);
    ask(window, 0, 24, 0);
    for (let block = 2; block < 24; block++) window.arrived(block, 0, 50);
    deepEqual(losses(window, 0), [0, 1]);
    const { size } = window;
    ask(window, 24, 40, 50);
    for (const block of [0, 1]) askOne(window, block, 7, 51);
    // The answer to the request with token 7 proves what was asked before it …
    window.arrived(1, 7, 101);
    equal(losses(window, 0)[0], 24);
    // … but a late first one proves nothing, undoes what was done for it, and calls for patience.
    ask(window, 40, 60, 101);
    askOne(window, 24, 8, 101);
    window.arrived(0, 0, 102);
    window.arrived(24, 0, 103);
    deepEqual(losses(window, 0), []);
    ok(window.size >= size, `${window.size} of ${size}`);
  });

  it("are not concluded from an answer that came sooner than the way allows, where no tokens tell", () => {
    const window = windowOf(64, 64);
    ask(window, 0, 24, 0);
    for (let block = 1; block < 24; block++) window.arrived(block, 0, 50);
    deepEqual(losses(window, 0), [0]);
    ask(window, 24, 44, 50);
    askOne(window, 0, 7, 51);
    window.arrived(0, 0, 60);
    deepEqual(losses(window, 0), []);
  });

  it("give the window back that they took, when the repeat was needless", () => {
    const window = windowOf(400, 64);
    ask(window, 0, 60, 0);
    window.arrived(0, 0, 100);
    for (let block = 20; block < 40; block++) window.arrived(block, 0, 600);
    const { size } = window;
    ok(losses(window, 0).length > 0);
    ok(window.size < 0.6 * size);
    window.needless();
    equal(window.size, size);
  });

  it("leave the window as it is while no queue stands", () => {
    const window = windowOf(400, 64);
    ask(window, 0, 60, 0);
    for (let block = 0; block < 10; block++) window.arrived(block, 0, 100);
    for (let block = 20; block < 40; block++) window.arrived(block, 0, 140);
    const { size } = window;
    equal(losses(window, 140).length, 10);
    equal(window.size, size);
  });

  it("shrink the window to what keeps the link busy, once in a round trip", () => {
    const window = windowOf(400, 64);
    ask(window, 0, 60, 0);
    window.arrived(0, 0, 100);
    window.arrived(20, 0, 400);
    const { size } = window;
    equal(losses(window, 0).length, 4);
    equal(window.size, (size * (100 + 150)) / 400);
    window.arrived(40, 0, 400);
    ok(losses(window, 0).length > 0);
    equal(window.size, (size * (100 + 150)) / 400 + 1, "shrunk twice");
    ask(window, 60, 80, 400);
    window.arrived(79, 0, 800);
    ok(losses(window, 0).length > 0);
    ok(window.size < 0.7 * size, `${window.size} of ${size}`);
  });

  it("never take more than half of the window at once", () => {
    const window = windowOf(400, 64);
    ask(window, 0, 60, 0);
    window.arrived(0, 0, 50);
    window.arrived(20, 0, 650);
    const { size } = window;
    losses(window, 650);
    equal(window.size, size / 2);
  });
});

describe("window: time-outs", () => {
  it("none while nothing is outstanding", () => {
    equal(windowOf(64, 8).deadline(0), Number.POSITIVE_INFINITY);
  });

  it("come sooner for what is overdue", () => {
    const window = windowOf(64, 32);
    ask(window, 0, 20, 0);
    // A slow link: each block is later by 100 ms.
    for (let block = 0; block < 16; block++) window.arrived(block, 0, 100 + 100 * block);
    // The next block was asked for at 0: its wait does not begin with the latest arrival at 1600.
    const deadline = window.deadline(1600);
    ok(deadline >= 1600 + window.minRtt + 100 && deadline < 4000, `${deadline}`);
    ask(window, 20, 21, 1700);
    ok(window.deadline(1700) < 4000, `${window.deadline(1700)}`);
  });

  it("double each time and return to normal with the first answer", () => {
    const window = windowOf(64, 8);
    ask(window, 0, 4, 0);
    window.arrived(0, 0, 100);
    const first = expire(window);
    equal(expire(window), 2 * first);
    equal(expire(window), 4 * first);
    const now = window.active + 100;
    ask(window, 4, 6, now);
    window.arrived(4, 0, now + 100);
    ok(window.deadline(now + 100) - (now + 100) <= first);
  });

  it("are spread by chance", () => {
    const waits = [0, 0.999].map((chance) => {
      const window = windowOf(64, 8, 0, undefined, () => chance);
      ask(window, 0, 4, 0);
      return expire(window);
    });
    ok(waits[1] > 1.2 * waits[0] && waits[1] < 1.25 * waits[0], `${waits}`);
  });

  it("never exceed half a minute", () => {
    const window = windowOf(64, 8, 0, undefined, () => 1);
    ask(window, 0, 1, 0);
    for (let i = 0; i < 40; i++) ok(expire(window) <= 30_000);
    equal(expire(window), 30_000);
    const far = windowOf(64, 8, 0, 40_000);
    ask(far, 0, 1, 0);
    equal(far.deadline(0), 30_000);
  });

  it("give up a part of what is on its way, and all of it when they repeat", () => {
    const window = windowOf(64, 20);
    ask(window, 0, 21, 0);
    window.arrived(0, 0, 40);
    deepEqual(losses(window, window.deadline(40)), [1, 2]);
    deepEqual(
      losses(window, window.deadline(window.active)),
      [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
    );
  });

  it("give up a single block while the wait is a guess", () => {
    const window = windowOf(64, 20);
    ask(window, 0, 20, 0);
    let now = window.deadline(0);
    deepEqual(losses(window, now), [0]);
    askOne(window, 0, 1, now);
    // The answer may be to the first request: what was asked for along with it is not lost for that.
    window.arrived(0, 0, ++now);
    deepEqual(losses(window, now + 100), []);
    window.arrived(1, 0, now + 1_000);
    equal(window.minRtt, now + 1_000);
  });

  it("say nothing of what is asked for afterwards", () => {
    const window = windowOf(64, 64);
    askOne(window, 0, 0, 0);
    window.arrived(0, 0, 40);
    for (let n = 0; n < 4; n++) {
      ask(window, 0, 3, window.active);
      const now = window.deadline(window.active);
      const left = 3 - losses(window, now).length;
      ok(left < 2);
      ask(window, 0, 40, now);
      deepEqual(losses(window, now), []);
      window.forget(now);
      equal(losses(window, now).length, 40 + left);
    }
  });

  it("shrink the window when they repeat", () => {
    const window = windowOf(64, 64);
    ask(window, 0, 64, 0);
    expire(window);
    equal(window.size, 64);
    expire(window);
    equal(window.size, 7);
    expire(window);
    equal(window.size, 4);
    for (let n = 0; n < 8; n++) expire(window);
    equal(window.size | 0, 1);
  });
});

describe("window: size", () => {
  it("grows by each clean delivery up to its capacity", () => {
    const window = windowOf(32, 8);
    ask(window, 0, 8, 0);
    for (let block = 0; block < 8; block++) window.arrived(block, 0, 10);
    ok(window.size >= 16);
    for (let block = 8; block < 100; block++) {
      ask(window, block, block + 1, block * 10);
      window.arrived(block, 0, block * 10 + 10);
    }
    ok(window.size <= 33);
    equal(window.room, 32);
  });

  it("stops growing and drains when answers queue up", () => {
    const window = windowOf(512, 64);
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
    let most = 0;
    for (let block = 0; block < 600; block++) {
      const now = free[block] + latency / 2;
      window.arrived(block, 0, now);
      fill(now);
      if (block > 64) most = Math.max(most, window.size);
    }
    // At most 600 ms in blocks of 50 ms, and what the way itself holds.
    ok(most > 4 && most < 16, `${most} blocks`);
  });

  it("has no room beyond its record of what was asked", () => {
    const window = windowOf(4, 4);
    ask(window, 0, 4, 0);
    equal(window.room, 0);
    window.arrived(1, 0, 1);
    window.arrived(2, 0, 1);
    window.arrived(3, 0, 1);
    let next = 4;
    for (; window.room > 0 && next < 100; next++) {
      ask(window, next, next + 1, 1);
      window.arrived(next, 0, 2);
    }
    ok(next < 20, `asked ${next} while block 0 was outstanding`);
    deepEqual(losses(window, 2), [0]);
    ok(window.room > 0);
  });

  it("is empty after forget, which gives back all that was on its way", () => {
    const window = windowOf(16, 8);
    ask(window, 0, 8, 0);
    window.arrived(3, 0, 10);
    window.forget(20);
    deepEqual(losses(window, 20), [0, 1, 2, 4, 5, 6, 7]);
    deepEqual([window.outstanding, window.lost(1e6), window.deadline(20)], [0, -1, Number.POSITIVE_INFINITY]);
    ask(window, 0, 2, 30);
    deepEqual(losses(window, 30), []);
    equal(window.outstanding, 2);
  });
});
