import { CUT_MOMENTS, combine, cutPowerAt, refuse, StuckBits } from "../../hosts/emulated/flash-faults.js";
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import {
  BLOCK_SIZE,
  FlashError,
  MemoryStorage,
  NorFlash,
  PAGE_SIZE,
  PowerCut,
  SECTOR_SIZE,
} from "../../hosts/emulated/nor-flash.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";

const SIZE = 0x40000;

function read(flash: NorFlash, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  flash.read(offset, bytes);
  return bytes;
}

function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}

function count(bytes: Uint8Array, value: number): number {
  return bytes.filter((byte) => byte === value).length;
}

describe("NorFlash: unstable bits", () => {
  /** What a sector reads as, in many readings. */
  function readings(flash: NorFlash): string[] {
    const found = new Set<string>();
    const bytes = new Uint8Array(SECTOR_SIZE);
    for (let n = 0; n < 100; n++) {
      flash.read(0, bytes);
      found.add(bytes.join());
    }
    return [...found];
  }

  for (const kind of ["erase", "write"] as const)
    for (const moment of ["prefix", "bits", "weak"] as const)
      it(`are what a power cut (${moment}) leaves of a ${kind}, until the next whole erasure`, () => {
        const flash = new NorFlash(SECTOR_SIZE);
        if (kind === "erase") flash.write(0, new Uint8Array(SECTOR_SIZE));
        flash.faults = cutPowerAt(flash.operations, moment, 3);
        throws(() =>
          kind === "erase"
            ? flash.erase(0, SECTOR_SIZE)
            : flash.write(0, new Uint8Array(PAGE_SIZE).fill(0x5a)),
        );
        flash.faults = undefined;
        flash.restorePower();
        ok(readings(flash).length > 1);
        if (kind === "write") {
          flash.write(0, new Uint8Array(PAGE_SIZE).fill(0x5a));
          ok(readings(flash).length > 1, "programming again does not help");
        }
        flash.erase(0, SECTOR_SIZE);
        deepEqual(readings(flash), [new Uint8Array(SECTOR_SIZE).fill(0xff).join()]);
      });

  it("let a sector read as erased now and then that is not", () => {
    const flash = new NorFlash(SECTOR_SIZE);
    flash.write(0, new Uint8Array(SECTOR_SIZE));
    flash.faults = cutPowerAt(flash.operations, "weak");
    throws(() => flash.erase(0, SECTOR_SIZE));
    flash.faults = undefined;
    flash.restorePower();
    const found = readings(flash);
    ok(found.includes(new Uint8Array(SECTOR_SIZE).fill(0xff).join()) && found.length > 1);
  });

  it("are not where the chip is told to have none", () => {
    const flash = new NorFlash(SECTOR_SIZE, { unstable: () => false });
    flash.write(0, new Uint8Array(SECTOR_SIZE));
    flash.faults = cutPowerAt(flash.operations, "weak");
    throws(() => flash.erase(0, SECTOR_SIZE));
    flash.faults = undefined;
    flash.restorePower();
    equal(readings(flash).length, 1);
  });
});

describe("NorFlash", () => {
  it("starts erased", () => {
    equal(count(read(new NorFlash(SIZE), 0, SIZE), 0xff), SIZE);
  });

  it("takes over the storage's content", () => {
    const storage = new MemoryStorage(filled(4096, 0x5a));
    deepEqual(read(new NorFlash(storage), 4094, 2), filled(2, 0x5a));
  });

  for (const size of [0, -4096, 4095, 4097, Number.NaN, 4096.5])
    it(`refuses a size of ${size}`, () => {
      throws(() => new NorFlash(size), { type: RangeError, message: "flash size" });
    });

  it("only clears bits when writing", () => {
    const flash = new NorFlash(SIZE);
    flash.write(10, Uint8Array.of(0b1100_1010));
    flash.write(10, Uint8Array.of(0b1010_0110));
    deepEqual(read(flash, 9, 3), Uint8Array.of(0xff, 0b1000_0010, 0xff));
  });

  it("only clears bits when writing words, and what is left of one", () => {
    for (const at of [16, 17]) {
      const flash = new NorFlash(SIZE);
      flash.write(at, filled(11, 0b1100_1010));
      flash.write(at, filled(11, 0b1010_0110));
      deepEqual(read(flash, at, 11), filled(11, 0b1000_0010));
      equal(count(read(flash, 0, 32), 0xff), 21);
    }
  });

  it("erases whole sectors and nothing else", () => {
    const flash = new NorFlash(SIZE);
    flash.write(0, filled(SIZE, 0));
    flash.erase(0x2000, 0x1000);
    equal(count(read(flash, 0x2000, 0x1000), 0xff), 0x1000);
    equal(count(read(flash, 0, SIZE), 0xff), 0x1000);
  });

  it("counts erase cycles of each sector", () => {
    const flash = new NorFlash(SIZE);
    flash.erase(0x1000, 0x2000);
    flash.erase(0x1000, 0x1000);
    flash.erase(0x10000, 0x10000);
    deepEqual([...flash.wear.subarray(0, 5)], [0, 2, 1, 0, 0]);
    deepEqual([...flash.wear.subarray(15, 33)], [0, ...Array(16).fill(1), 0]);
  });

  it("counts page programs and erase commands", () => {
    const flash = new NorFlash(SIZE);
    flash.write(0x0f0, filled(32, 0));
    equal(flash.operations, 2, "a write across a page boundary");
    flash.write(0x1000, filled(4096, 0));
    equal(flash.operations, 18, "a sector");
    flash.erase(0xf000, 0x12000);
    equal(flash.operations, 21, "a sector, a block, a sector");
  });

  it("erases 64 KB off the boundary sector by sector", () => {
    const flash = new NorFlash(SIZE);
    flash.erase(0x1000, 0x10000);
    equal(flash.operations, 16);
  });

  it("tells how long the chip was busy", () => {
    let ms = 0;
    const timing = { sectorErase: 45, blockErase: 150, pageProgram: 0.5, readPerKilobyte: 2 };
    const flash = new NorFlash(SIZE, { timing, onBusy: (time) => (ms += time) });
    flash.erase(0xf000, 0x11000);
    equal(ms, 195);
    flash.write(0, filled(1024, 0));
    equal(ms, 197);
    flash.read(0, filled(512, 0));
    equal(ms, 198);
  });

  for (const [offset, length] of [
    [SIZE, 1],
    [SIZE - 1, 2],
    [-1, 1],
    [0.5, 1],
    [Number.NaN, 1],
  ])
    it(`refuses to touch ${length} bytes at ${offset}`, () => {
      const flash = new NorFlash(SIZE);
      throws(() => flash.read(offset, filled(length, 0)), { type: RangeError });
      throws(() => flash.write(offset, filled(length, 0)), { type: RangeError });
      throws(() => flash.erase(offset, length), { type: RangeError });
      equal(flash.operations, 0);
    });

  it("refuses to erase parts of a sector", () => {
    const flash = new NorFlash(SIZE);
    throws(() => flash.erase(0x800, 0x1000), { type: RangeError, message: "multiple" });
    throws(() => flash.erase(0x1000, 0x800), { type: RangeError, message: "multiple" });
  });

  it("is the same in one go, without faults, as page by page", () => {
    const busy = [0, 0];
    const chips = [undefined, { fate: () => undefined }].map(
      (faults, n) => new NorFlash(4 * BLOCK_SIZE, { faults, onBusy: (ms) => (busy[n] += ms) }),
    );
    for (const chip of chips) {
      chip.write(
        250,
        Uint8Array.from({ length: 5000 }, (_, i) => i),
      );
      chip.write(4096, new Uint8Array(600).fill(0xf0));
      chip.erase(4096, 2 * BLOCK_SIZE);
      chip.write(70_000, Uint8Array.of(1, 2, 3));
    }
    const [bits, same] = chips.map((chip) => {
      const all = new Uint8Array(chip.size);
      chip.read(0, all);
      return [...all, chip.operations, ...chip.wear];
    });
    deepEqual(bits, same);
    equal(busy[0].toFixed(3), busy[1].toFixed(3));
  });

  it("lets bits rot", () => {
    const flash = new NorFlash(SIZE);
    flash.flipBits(7, 0x11);
    deepEqual(read(flash, 6, 3), Uint8Array.of(0xff, 0xee, 0xff));
    throws(() => flash.flipBits(SIZE, 1), { type: RangeError });
  });
});

describe("NorFlash losing power", () => {
  it("has done nothing when cut before a command", () => {
    const flash = new NorFlash(SIZE, { faults: cutPowerAt(1, "before") });
    throws(() => flash.write(0, filled(512, 0)), { type: PowerCut, message: "operation 1" });
    flash.restorePower();
    equal(count(read(flash, 0, 512), 0), 256);
  });

  it("has finished the command when cut after it", () => {
    const flash = new NorFlash(SIZE, { faults: cutPowerAt(1, "after") });
    throws(() => flash.write(0, filled(1024, 0)), { type: PowerCut });
    flash.restorePower();
    equal(count(read(flash, 0, 1024), 0), 512);
  });

  it("tears a page at its middle", () => {
    const flash = new NorFlash(SIZE, { faults: cutPowerAt(1, "prefix") });
    throws(() => flash.write(0, filled(1024, 0)), { type: PowerCut });
    flash.restorePower();
    deepEqual(read(flash, 0, 1024), Uint8Array.of(...filled(384, 0), ...filled(640, 0xff)));
  });

  it("tears single bits, depending on the seed", () => {
    const results = [1, 2].map((seed) => {
      const flash = new NorFlash(SIZE, { faults: cutPowerAt(0, "bits", seed) });
      throws(() => flash.write(0, filled(64, 0x0f)), { type: PowerCut });
      flash.restorePower();
      return read(flash, 0, 64);
    });
    for (const bytes of results) {
      ok(
        bytes.every((byte) => (byte & 0x0f) === 0x0f),
        "clears no bit it was not asked to",
      );
      ok(count(bytes, 0x0f) < 32 && count(bytes, 0xff) < 32, "does neither everything nor nothing");
    }
    ok(results[0].some((byte, i) => byte !== results[1][i]));
  });

  it("tears every page of a queued write", () => {
    const flash = new NorFlash(SIZE, { faults: cutPowerAt(0, "all-pages") });
    throws(() => flash.write(0, filled(600, 0)), { type: PowerCut });
    flash.restorePower();
    const zeros = [0, 256, 512].map((at) => count(read(flash, at, 256), 0));
    deepEqual(zeros, [128, 128, 44]);
  });

  it("leaves half a sector erased", () => {
    const flash = new NorFlash(SIZE);
    flash.write(0, filled(0x2000, 0));
    flash.faults = cutPowerAt(flash.operations, "prefix");
    throws(() => flash.erase(0, 0x2000), { type: PowerCut });
    flash.restorePower();
    deepEqual([count(read(flash, 0, 0x800), 0xff), count(read(flash, 0x800, 0x1800), 0)], [0x800, 0x1800]);
  });

  it("leaves half of a block's bits erased", () => {
    const flash = new NorFlash(SIZE);
    flash.write(0x10000, filled(0x10000, 0));
    flash.faults = cutPowerAt(flash.operations, "bits");
    throws(() => flash.erase(0x10000, 0x10000), { type: PowerCut });
    flash.restorePower();
    const bits = read(flash, 0x10000, 0x10000).reduce(
      (sum, byte) => sum + byte.toString(2).split("1").length - 1,
      0,
    );
    ok(bits > 0x10000 * 3 && bits < 0x10000 * 5, `${bits} of ${0x80000} bits are set`);
    equal(flash.wear[31], 1);
  });

  it("answers nothing until power is restored", () => {
    const flash = new NorFlash(SIZE);
    flash.cutPower();
    throws(() => flash.read(0, filled(1, 0)), { type: PowerCut });
    throws(() => flash.write(0, filled(1, 0)), { type: PowerCut });
    throws(() => flash.erase(0, 4096), { type: PowerCut });
    equal(flash.powered, false);
    flash.restorePower();
    equal(read(flash, 0, 1)[0], 0xff);
  });

  it("can be cut at each operation in each manner", () => {
    for (let index = 0; index < 4; index++)
      for (const moment of CUT_MOMENTS) {
        const flash = new NorFlash(SIZE, { faults: cutPowerAt(index, moment) });
        throws(
          () => {
            flash.erase(0, 0x2000);
            flash.write(0, filled(512, 0));
          },
          { type: PowerCut, message: `operation ${index}` },
        );
        equal(flash.operations, index + 1);
      }
  });
});

describe("NorFlash with faults", () => {
  it("reports failing commands and leaves the bits alone", () => {
    const flash = new NorFlash(SIZE);
    flash.write(0, filled(16, 0x5a));
    flash.faults = refuse(() => true, "fail");
    throws(() => flash.write(0, filled(16, 0)), { type: FlashError, message: "write of 16 bytes at 0" });
    throws(() => flash.erase(0, 4096), { type: FlashError, message: "erase" });
    throws(() => flash.read(0, filled(16, 0)), { type: FlashError, message: "read" });
    flash.faults = undefined;
    equal(count(read(flash, 0, 16), 0x5a), 16);
    equal(flash.wear[0], 0);
  });

  it("does nothing for ignored commands, without a word", () => {
    const flash = new NorFlash(SIZE);
    flash.write(0, filled(16, 0x5a));
    flash.faults = refuse(({ kind }) => kind !== "read", "ignore");
    flash.write(0, filled(16, 0));
    flash.erase(0, 4096);
    equal(count(read(flash, 0, 16), 0x5a), 16);
  });

  it("has bits that stick at 0 and at 1", () => {
    const stuck = new StuckBits();
    stuck.stick(5, 0x01, 0x00);
    stuck.stick(6, 0x80, 0x80);
    const flash = new NorFlash(SIZE, { faults: stuck });
    flash.erase(0, 4096);
    equal(read(flash, 5, 1)[0], 0xfe);
    flash.write(4, filled(4, 0));
    deepEqual(read(flash, 4, 4), Uint8Array.of(0, 0, 0x80, 0));
  });

  it("combines faults", () => {
    const stuck = new StuckBits();
    stuck.stick(0, 0xff, 0x42);
    const flash = new NorFlash(SIZE, { faults: combine(stuck, cutPowerAt(2, "after")) });
    flash.erase(0, 4096);
    flash.write(0, filled(4, 0));
    throws(() => flash.write(1, filled(1, 0)), { type: PowerCut });
    flash.restorePower();
    deepEqual(read(flash, 0, 4), Uint8Array.of(0x42, 0, 0, 0));
  });
});

describe("FlashPartition", () => {
  const options = { offset: 0x10000, size: 0x20000 };

  it("tells its size", () => {
    deepEqual(new FlashPartition(new NorFlash(SIZE), options).status(), {
      size: 0x20000,
      blocks: 32,
      blockLength: 4096,
    });
  });

  it("works at its place on the chip", () => {
    const flash = new NorFlash(SIZE);
    const partition = new FlashPartition(flash, options);
    partition.write(Uint8Array.of(1, 2, 3), 0x1000);
    deepEqual(read(flash, 0x11000, 4), Uint8Array.of(1, 2, 3, 0xff));
    const bytes = new Uint8Array(2);
    partition.read(bytes, 0x1001);
    deepEqual(bytes, Uint8Array.of(2, 3));
    partition.eraseBlock(1);
    equal(count(read(flash, 0x11000, 4), 0xff), 4);
  });

  it("erases up to, not including, the end", () => {
    const flash = new NorFlash(SIZE);
    new FlashPartition(flash, options).eraseBlock(2, 4);
    deepEqual([...flash.wear.subarray(0x11, 0x15)], [0, 1, 1, 0]);
  });

  it("erases aligned 64 KB in one command", () => {
    const flash = new NorFlash(SIZE);
    new FlashPartition(flash, options).eraseBlock(0, 32);
    equal(flash.operations, 2);
  });

  for (const place of [
    { offset: 0x800, size: 0x1000 },
    { offset: 0, size: 0x800 },
    { offset: 0, size: 0 },
    { offset: -0x1000, size: 0x1000 },
    { offset: SIZE - 0x1000, size: 0x2000 },
  ])
    it(`refuses to lie at ${place.offset}+${place.size}`, () => {
      throws(() => new FlashPartition(new NorFlash(SIZE), place), { type: RangeError });
    });

  it("refuses what leads outside", () => {
    const flash = new NorFlash(SIZE);
    const partition = new FlashPartition(flash, options);
    throws(() => partition.read(filled(2, 0), 0x1ffff), {
      type: RangeError,
      message: "outside the partition",
    });
    throws(() => partition.write(filled(1, 0), -1), { type: RangeError });
    throws(() => partition.write(filled(1, 0), 1.5), { type: RangeError });
    throws(() => partition.eraseBlock(32), { type: RangeError });
    throws(() => partition.eraseBlock(31, 33), { type: RangeError });
    throws(() => partition.eraseBlock(4, 3), { type: RangeError });
    equal(flash.operations, 0);
  });

  it("refuses to write when read-only", () => {
    const partition = new FlashPartition(new NorFlash(SIZE), { ...options, readOnly: true });
    throws(() => partition.write(filled(1, 0), 0), { message: "read-only" });
    throws(() => partition.eraseBlock(0), { message: "read-only" });
  });

  it("refuses everything when closed", () => {
    const partition = new FlashPartition(new NorFlash(SIZE), options);
    partition.close();
    partition.close();
    throws(() => partition.read(filled(1, 0), 0), { message: "closed" });
    throws(() => partition.write(filled(1, 0), 0), { message: "closed" });
    throws(() => partition.eraseBlock(0), { message: "closed" });
  });
});

describe("FlashPartition under encryption", () => {
  function encrypted(): { flash: NorFlash; partition: FlashPartition } {
    const flash = new NorFlash(SIZE);
    return { flash, partition: new FlashPartition(flash, { offset: 0, size: SIZE, encrypted: true }) };
  }

  it("reads what was written, and hides it on the chip", () => {
    const { flash, partition } = encrypted();
    const data = Uint8Array.from({ length: 64 }, (_, i) => i);
    partition.write(data, 0x1010);
    const back = new Uint8Array(64);
    partition.read(back, 0x1010);
    deepEqual(back, data);
    ok(read(flash, 0x1010, 64).some((byte, i) => byte !== i));
  });

  it("does not read 0xFF where it is erased", () => {
    const { partition } = encrypted();
    const bytes = new Uint8Array(32);
    partition.read(bytes, 0);
    ok(count(bytes, 0xff) < 8);
  });

  it("refuses writes that are not in units of 16 bytes", () => {
    const { partition } = encrypted();
    throws(() => partition.write(filled(8, 0), 0), { type: RangeError, message: "16 bytes" });
    throws(() => partition.write(filled(16, 0), 8), { type: RangeError, message: "16 bytes" });
  });

  it("refuses to write a unit twice without an erase", () => {
    const { partition } = encrypted();
    partition.write(filled(16, 7), 32);
    throws(() => partition.write(filled(16, 7), 32), { message: "not erased" });
    throws(() => partition.write(filled(32, 7), 16), { message: "not erased" });
    partition.write(filled(16, 7), 16);
    partition.eraseBlock(0);
    partition.write(filled(16, 7), 32);
  });
});
