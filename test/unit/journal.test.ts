import { cutPowerAt } from "../../hosts/emulated/flash-faults.js";
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { NorFlash, SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { Journal, journalSectors } from "../../src/slot/journal.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { testCrypto } from "../support/test-crypto.js";

const HEADER = 64;
const RECORD = 16;

class Rig {
  readonly chip = new NorFlash(4 * SECTOR_SIZE);
  readonly flash: FlashPartition;
  readonly sectors: number;

  constructor(options: { encrypted?: boolean; sectors?: number } = {}) {
    const { encrypted, sectors = 1 } = options;
    this.sectors = sectors;
    this.flash = new FlashPartition(this.chip, { offset: 0, size: 4 * SECTOR_SIZE, encrypted });
  }

  journal(identity = 1): Journal {
    return new Journal(this.flash, 2, this.sectors, testCrypto, new Uint8Array(32).fill(identity));
  }

  /** The journal as it is found after a restart. */
  found(identity = 1): Journal {
    const journal = this.journal(identity);
    ok(journal.open());
    return journal;
  }

  /** Offset on the chip of a byte of record `n`. */
  record(n: number, byte = 0): number {
    return 2 * SECTOR_SIZE + HEADER + n * RECORD + byte;
  }
}

/** What the tests have in a sector. */
function content(sector: number): Uint8Array {
  return Uint8Array.of(sector, sector >> 8);
}

function append(journal: Journal, ...sectors: number[]): void {
  for (const sector of sectors) journal.append(sector, content(sector));
}

/** The sectors below `limit` that the records vouch for. */
function scan(journal: Journal, limit = 1000): number[] {
  const found: number[] = [];
  for (;;) {
    const sector = journal.next(limit);
    if (sector === undefined) return found;
    if (journal.holds(sector, content(sector))) found.push(sector);
  }
}

for (const encrypted of [false, true])
  describe(`journal${encrypted ? " under flash encryption" : ""}`, () => {
    it("of a file is found again, with its records in their order", () => {
      const rig = new Rig({ encrypted });
      append(rig.journal(), 3, 0, 7);
      deepEqual(scan(rig.found()), [3, 0, 7]);
    });

    it("goes on behind its last record", () => {
      const rig = new Rig({ encrypted });
      append(rig.journal(), 3);
      const second = rig.found();
      scan(second);
      append(second, 4, 5);
      deepEqual(scan(rig.found()), [3, 4, 5]);
    });

    it("goes on behind a torn record", () => {
      const rig = new Rig({ encrypted });
      append(rig.journal(), 3, 4);
      rig.chip.write(rig.record(2), Uint8Array.of(0x12, 0x34));
      const second = rig.found();
      deepEqual(scan(second), [3, 4]);
      append(second, 5);
      const third = rig.found();
      deepEqual(scan(third), [3, 4, 5]);
      append(third, 6);
      deepEqual(scan(rig.found()), [3, 4, 5, 6]);
    });

    it("of another file is not taken for this one's", () => {
      const rig = new Rig({ encrypted });
      append(rig.journal(), 3);
      ok(!rig.journal(2).open());
    });

    it("that was never there is not found", () => {
      ok(!new Rig({ encrypted }).journal().open());
    });

    it("is gone once cleared", () => {
      const rig = new Rig({ encrypted });
      const journal = rig.journal();
      append(journal, 3);
      journal.clear();
      ok(!rig.journal().open());
    });

    it("begins empty over that of another file, with the first record", () => {
      const rig = new Rig({ encrypted });
      append(rig.journal(), 3, 4);
      const second = rig.journal(2);
      ok(!second.open());
      deepEqual(scan(rig.found()), [3, 4]);
      append(second, 9);
      ok(second.live);
      deepEqual(scan(rig.found(2)), [9]);
      ok(!rig.journal().open());
    });

    it("writes every byte once: nothing is rewritten before it is erased", () => {
      const rig = new Rig({ encrypted });
      const journal = rig.journal();
      append(journal, 0);
      const before = [...rig.chip.wear];
      append(journal, ...Array.from({ length: 99 }, (_, sector) => sector + 1));
      deepEqual([...rig.chip.wear], before);
      equal(scan(rig.found()).length, 100);
    });
  });

describe("journal: on plain flash", () => {
  it("goes on behind two torn records in a row", () => {
    const rig = new Rig();
    append(rig.journal(), 3);
    for (const slot of [1, 2]) {
      deepEqual(scan(rig.found()), [3]);
      rig.chip.write(rig.record(slot), Uint8Array.of(0x12));
    }
    const journal = rig.found();
    scan(journal);
    append(journal, 4);
    deepEqual(scan(rig.found()), [3, 4]);
  });
});

describe("journal: what is not believed", () => {
  it("any flipped bit of the header", () => {
    for (let byte = 0; byte < HEADER; byte++) {
      const rig = new Rig();
      append(rig.journal(), 3);
      rig.chip.flipBits(2 * SECTOR_SIZE + byte, 1 << (byte & 7));
      ok(!rig.journal().open(), `byte ${byte}`);
    }
  });

  it("any flipped bit of a record, and only that record", () => {
    for (let byte = 0; byte < RECORD; byte++) {
      const rig = new Rig();
      append(rig.journal(), 3, 4, 5);
      rig.chip.flipBits(rig.record(1, byte), 1 << (byte & 7));
      deepEqual(scan(rig.found()), [3, 5], `byte ${byte}`);
    }
  });

  it("a record about a sector the file does not have", () => {
    const rig = new Rig();
    append(rig.journal(), 3, 0xffffff00, 5);
    deepEqual(scan(rig.found(), 10), [3, 5]);
  });

  it("a sector that holds something else by now", () => {
    const rig = new Rig();
    rig.journal().append(3, content(4));
    deepEqual(scan(rig.found()), []);
  });

  it("a record copied from the journal of another file", () => {
    const rig = new Rig();
    append(rig.journal(), 3);
    const record = new Uint8Array(RECORD);
    rig.chip.read(rig.record(0), record);
    append(rig.journal(2), 4);
    rig.chip.write(rig.record(1), record);
    deepEqual(scan(rig.found(2)), [4]);
  });
});

describe("journal: room", () => {
  it("is one record for each sector and some to spare, in whole sectors", () => {
    equal(journalSectors(1, 4096), 1);
    equal(journalSectors(188, 4096), 1);
    equal(journalSectors(189, 4096), 2);
    equal(journalSectors(4096, 4096), 17);
  });

  it("holds at least one record for each sector of the largest file", () => {
    for (const sectors of [1, 100, 188, 189, 1000, 4096])
      ok(journalSectors(sectors, 4096) * 4096 >= HEADER + (sectors + 64) * RECORD, String(sectors));
  });

  it("that is used up costs nothing but the resume", () => {
    const rig = new Rig();
    const journal = rig.journal();
    append(journal, ...Array.from({ length: 300 }, (_, sector) => sector));
    equal(scan(rig.found()).length, (SECTOR_SIZE - HEADER) / RECORD);
    const full = rig.found();
    scan(full);
    append(full, 7);
    deepEqual([...rig.chip.wear], [0, 0, 1, 0]);
    const behind = new Uint8Array(SECTOR_SIZE);
    rig.flash.read(behind, 3 * SECTOR_SIZE);
    ok(
      behind.every((byte) => byte === 0xff),
      "something was written behind the journal",
    );
  });

  it("may take several sectors", () => {
    const rig = new Rig({ sectors: 2 });
    append(rig.journal(), ...Array.from({ length: 300 }, (_, sector) => sector));
    equal(scan(rig.found()).length, 300);
  });

  it("may go downwards, with its header at the same place whatever its size", () => {
    const rig = new Rig({ sectors: -2 });
    append(rig.journal(), ...Array.from({ length: 300 }, (_, sector) => sector));
    equal(scan(rig.found()).length, 300);
    deepEqual([...rig.chip.wear], [0, 1, 1, 0]);
    ok(new Journal(rig.flash, 2, -1, testCrypto, new Uint8Array(32).fill(1)).open());
  });

  for (const sectors of [2, -2])
    it(`is worthless from the first erasure on, ${sectors > 0 ? "upwards" : "downwards"}`, () => {
      const rig = new Rig({ sectors });
      const journal = rig.journal();
      append(journal, ...Array.from({ length: 300 }, (_, sector) => sector));
      rig.chip.faults = cutPowerAt(rig.chip.operations, "after");
      throws(() => journal.clear());
      rig.chip.faults = undefined;
      rig.chip.restorePower();
      ok(!rig.journal().open());
    });

  it("leaves out the slot behind the last record: a torn one may read as erased", () => {
    const rig = new Rig();
    append(rig.journal(), 3);
    const second = rig.found();
    scan(second);
    append(second, 4);
    const slot = new Uint8Array(RECORD);
    rig.chip.read(rig.record(1), slot);
    ok(slot.every((byte) => byte === 0xff));
    deepEqual(scan(rig.found()), [3, 4]);
  });

  it("failures of the chip are errors", () => {
    const rig = new Rig();
    const journal = rig.journal();
    append(journal, 1);
    rig.chip.faults = { fate: () => "fail" };
    throws(() => append(journal, 2));
    throws(() => journal.clear());
    throws(() => rig.journal().open());
  });
});
