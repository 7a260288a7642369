import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { seeded, VirtualClock, VirtualTime } from "../support/virtual-clock.js";

describe("virtual time", () => {
  it("lets events happen in order of time, then of arrangement", () => {
    const time = new VirtualTime();
    const seen: string[] = [];
    for (const [at, name] of [
      [5, "b"],
      [1, "a"],
      [5, "c"],
      [9, "d"],
    ] as const)
      time.at(at, () => seen.push(name));
    time.runUntil(8);
    deepEqual([seen.join(""), time.now], ["abc", 8]);
    time.run(1);
    equal(seen.join(""), "abcd");
  });

  it("sorts many events", () => {
    const time = new VirtualTime();
    const random = seeded(1);
    let last = -1;
    for (let i = 0; i < 500; i++) {
      const at = Math.floor(random() * 100);
      time.at(at, () => {
        ok(at >= last);
        last = at;
      });
    }
    ok(time.runUntilDone(() => time.pending === 0));
  });

  it("tells when what is waited for does not come", () => {
    const time = new VirtualTime();
    equal(
      time.runUntilDone(() => false, 10),
      false,
    );
  });
});

describe("virtual clock", () => {
  it("fires a timer once and not when cleared", () => {
    const clock = new VirtualClock();
    const seen: number[] = [];
    clock.set(() => seen.push(clock.now()), 10);
    clock.clear(clock.set(() => seen.push(-1), 5));
    clock.clear(undefined);
    clock.run(100);
    deepEqual(seen, [10]);
  });

  it("refuses an impossible timer", () => {
    throws(() => new VirtualClock().set(() => {}, Number.NaN), { type: RangeError });
  });

  it("delays a busy device's events, in order, while the world goes on", () => {
    const time = new VirtualTime();
    const clock = new VirtualClock(time);
    const seen: string[] = [];
    const note =
      (name: string, busy = 0) =>
      () => {
        seen.push(`${name}${clock.now()}`);
        clock.busy(busy);
      };
    clock.post(1, note("a", 10));
    clock.post(2, note("b", 10));
    clock.post(3, note("c"));
    time.at(5, () => seen.push(`world${time.now}`));
    clock.post(21, note("d"));
    time.run(30);
    equal(seen.join(" "), "a1 world5 b11 c21 d21");
  });

  it("counts a timer from the device's own time", () => {
    const clock = new VirtualClock();
    let fired = 0;
    clock.post(0, () => {
      clock.busy(7);
      clock.set(() => (fired = clock.now()), 3);
    });
    clock.run(20);
    equal(fired, 10);
  });

  it("forgets everything when halted, also what was due", () => {
    const clock = new VirtualClock();
    let fired = 0;
    clock.post(0, () => clock.busy(10));
    clock.post(1, () => fired++);
    clock.post(20, () => fired++);
    clock.run(5);
    clock.halt();
    clock.set(() => (fired += 10), 1);
    clock.run(100);
    equal(fired, 10);
  });
});
