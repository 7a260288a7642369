import { NorFlash } from "../../hosts/emulated/nor-flash.js";
import { ModdableClock } from "../../hosts/moddable/clock.js";
import { ClassicFlash, EcmaFlash } from "../../hosts/moddable/flash.js";
import { traceLog } from "../../hosts/moddable/log.js";
import { PreferenceStore } from "../../hosts/moddable/store.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { sdk } from "../support/sdk/machine.js";
import { ClassicFlashStandIn, EcmaFlashStandIn } from "../support/sdk/storage-flash.js";

const DAY = 86_400_000;

beforeEach(() => sdk.reset());

describe("clock on the SDK's", () => {
  it("goes on with the counter, from whatever it says", () => {
    for (const base of [0, 5, 0x7fff_fff0, 0xffff_fff0]) {
      sdk.reset();
      sdk.tickBase = base;
      const clock = new ModdableClock();
      const start = clock.now();
      for (let i = 1; i <= 40; i++) {
        sdk.clock.run(1);
        equal(clock.now() - start, i, `from ${base}`);
      }
    }
  });

  it("counts months, though the counter starts again every 49 days", () => {
    const clock = new ModdableClock();
    for (let day = 1; day <= 120; day++) {
      sdk.clock.run(DAY);
      equal(clock.now(), day * DAY);
    }
  });

  it("calls back once, when so much time has passed or a little later, for a fraction too", () => {
    const clock = new ModdableClock();
    for (const ms of [0, 0.4, 1, 25.5, 60_000]) {
      let calls = 0;
      const start = sdk.clock.now();
      clock.set(() => calls++, ms);
      equal(calls, 0);
      sdk.clock.runUntilDone(() => calls > 0);
      ok(sdk.clock.now() - start >= ms, `${sdk.clock.now() - start} ms instead of ${ms}`);
      ok(sdk.clock.now() - start < ms + 2);
      sdk.clock.run(1_000);
      equal(calls, 1);
    }
  });

  it("waits longer than the SDK's timer can", () => {
    const clock = new ModdableClock();
    let calls = 0;
    clock.set(() => calls++, 40 * DAY);
    sdk.clock.run(40 * DAY - 1_000);
    equal(calls, 0);
    sdk.clock.run(2_000);
    equal(calls, 1);
  });

  it("does not call back when cleared, short or long, and clears without harm", () => {
    const clock = new ModdableClock();
    let calls = 0;
    const timers = [5, 40 * DAY].map((ms) => clock.set(() => calls++, ms));
    sdk.clock.run(1);
    for (const timer of [...timers, ...timers, undefined]) clock.clear(timer);
    sdk.clock.run(50 * DAY);
    equal(calls, 0);
    const fired = clock.set(() => calls++, 1);
    sdk.clock.run(5);
    clock.clear(fired);
    equal(calls, 1);
  });

  it("does not stand still when the wall clock is set back", () => {
    sdk.platform = "lin";
    sdk.tickBase = 1_700_000_000_000;
    const clock = new ModdableClock();
    sdk.clock.run(1_000);
    const before = clock.now();
    sdk.tickBase -= 3_600_000;
    ok(clock.now() >= before, "it went backwards");
    sdk.clock.run(1_000);
    ok(clock.now() - before >= 999, "it stands still until the hour has passed again");
  });
});

describe("log on the console", () => {
  it("leaves out the most detailed", () => {
    for (const level of ["debug", "info", "warn", "error"] as const) traceLog(level, "x");
    deepEqual(sdk.lines, ["ota info: x\n", "ota warn: x\n", "ota error: x\n"]);
  });
});

describe("store on the SDK's preferences", () => {
  it("keeps text, and tells other types of values from it", () => {
    const store = new PreferenceStore();
    equal(store.get("key"), undefined);
    store.set("key", "value");
    equal(new PreferenceStore().get("key"), "value");
    for (const values of sdk.preferences.values()) for (const name of values.keys()) values.set(name, 5);
    equal(store.get("key"), undefined);
  });

  it("does not write what is there already: every write wears the flash", () => {
    const store = new PreferenceStore();
    store.set("key", "value");
    let writes = 0;
    sdk.powerCut = () => writes++;
    store.set("key", "value");
    equal(writes, 0);
    store.set("key", "other");
    ok(writes > 0);
  });
});

describe("store on the SDK's preferences, when the power goes", () => {
  it("holds the value before or the new one, wherever it goes (a key was erased before it was written)", () => {
    for (const step of ["before erase", "between erase and write", "after write"])
      for (let before = 0; before < 4; before++) {
        sdk.reset();
        const store = new PreferenceStore();
        for (let i = 0; i <= before; i++) store.set("key", `old ${i}`);
        sdk.powerCut = (at) => {
          if (at === step) throw new Error("power");
        };
        throws(() => store.set("key", "new"), { message: "power" });
        sdk.powerCut = undefined;
        const value = new PreferenceStore().get("key");
        ok(value === "new" || value === `old ${before}`, `${step}: ${value}`);
        store.set("key", "last");
        equal(store.get("key"), "last");
      }
  });
});

for (const [title, create] of [
  ["ECMA-419 flash", (chip: NorFlash) => new EcmaFlash(new EcmaFlashStandIn(chip))],
  ["classic flash", (chip: NorFlash) => new ClassicFlash(new ClassicFlashStandIn(chip))],
] as const)
  describe(`${title}, whose offsets are of 32 bits`, () => {
    const SIZE = 8 * 4096;
    const WRAP = 0x1_0000_0000;
    const content = (chip: NorFlash) => {
      const bytes = new Uint8Array(SIZE);
      chip.read(0, bytes);
      return bytes;
    };

    it("refuses what would come out at another place", () => {
      const chip = new NorFlash(SIZE);
      chip.erase(0, SIZE);
      chip.write(0, new Uint8Array(SIZE).fill(0x55));
      const before = content(chip);
      const flash = create(chip);
      const bytes = new Uint8Array(16);
      for (const offset of [WRAP, WRAP + 16, -WRAP, 0.5, Number.NaN, SIZE - 15, SIZE, -1]) {
        throws(() => flash.read(bytes, offset), { type: RangeError });
        throws(() => flash.write(bytes, offset), { type: RangeError });
      }
      for (const block of [WRAP, -WRAP, 0.5, Number.NaN, 8, -1]) {
        throws(() => flash.eraseBlock(block), { type: RangeError });
        if (block !== 8) throws(() => flash.eraseBlock(0, block), { type: RangeError });
      }
      throws(() => flash.eraseBlock(2, 1), { type: RangeError });
      throws(() => flash.eraseBlock(7, 9), { type: RangeError });
      deepEqual(content(chip), before);
    });

    it("takes an end that is left out for one block, none for none", () => {
      const chip = new NorFlash(SIZE);
      chip.erase(0, SIZE);
      chip.write(0, new Uint8Array(SIZE).fill(0x55));
      const flash = create(chip);
      flash.eraseBlock(3, undefined);
      flash.eraseBlock(5, 5);
      flash.read(new Uint8Array(0), SIZE);
      flash.write(new Uint8Array(0), SIZE);
      content(chip).forEach((byte, at) => {
        if (byte !== (at >> 12 === 3 ? 0xff : 0x55)) throw new Error(`byte ${at} is ${byte}`);
      });
    });

    it("cannot be used when closed", () => {
      const flash = create(new NorFlash(SIZE));
      flash.close();
      throws(() => flash.read(new Uint8Array(1), 0));
      throws(() => flash.write(new Uint8Array(1), 0));
      throws(() => flash.eraseBlock(0));
      throws(() => flash.status());
    });
  });

describe("timer of the SDK", () => {
  it("takes the callbacks of a clock for its own, one at a time", () => {
    const order: number[] = [];
    const clock = new ModdableClock();
    for (const ms of [3, 1, 2]) clock.set(() => order.push(ms), ms);
    sdk.clock.run(10);
    deepEqual(order, [1, 2, 3]);
  });
});
