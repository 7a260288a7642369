import { FlashPartition } from "../../hosts/common/flash-partition.js";
import { NorFlash, SECTOR_SIZE } from "../../hosts/common/nor-flash.js";
import { Journal, journalSectors } from "../../src/journal.js";
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
    const place = { flash: this.flash, firstSector: 2, sectors: this.sectors, sectorLength: SECTOR_SIZE };
    return new Journal(place, testCrypto, new Uint8Array(32).fill(identity));
  }

  created(): Journal {
    const journal = this.journal();
    journal.create();
    return journal;
  }

  /** Offset on the chip of a byte of record `n`. */
  record(n: number, byte = 0): number {
    return 2 * SECTOR_SIZE + HEADER + n * RECORD + byte;
  }
}

/** Digest of a sector whose content is its number. */
function digest(journal: Journal, sector: number): Uint8Array {
  const hash = journal.begin(sector);
  hash.update(Uint8Array.of(sector));
  return journal.finish(hash);
}

function append(journal: Journal, ...sectors: number[]): void {
  for (const sector of sectors) journal.append(sector, digest(journal, sector));
}

/** The sectors the records vouch for, believing those below `limit`. */
function scan(journal: Journal, limit = 1000): number[] {
  const found: number[] = [];
  for (let slot = 0; ; slot++) {
    const sector = journal.scan(slot, (candidate, expected) => {
      if (candidate >= limit) return false;
      const copy = expected.slice();
      return digest(journal, candidate).every((byte, i) => byte === copy[i]);
    });
    if (sector === undefined) return found;
    if (sector >= 0) found.push(sector);
  }
}

for (const encrypted of [false, true])
  describe(`journal${encrypted ? " under flash encryption" : ""}`, () => {
    it("of a file is found again, with its records in their order", () => {
      const rig = new Rig({ encrypted });
      append(rig.created(), 3, 0, 7);
      const again = rig.journal();
      ok(again.open());
      deepEqual(scan(again), [3, 0, 7]);
    });

    it("goes on behind its last record", () => {
      const rig = new Rig({ encrypted });
      append(rig.created(), 3);
      const second = rig.journal();
      scan(second);
      append(second, 4, 5);
      deepEqual(scan(rig.journal()), [3, 4, 5]);
    });

    it("goes on behind a torn record", () => {
      const rig = new Rig({ encrypted });
      append(rig.created(), 3, 4);
      rig.chip.write(rig.record(2), Uint8Array.of(0x12, 0x34));
      const second = rig.journal();
      deepEqual(scan(second), [3, 4]);
      append(second, 5);
      const third = rig.journal();
      deepEqual(scan(third), [3, 4, 5]);
      append(third, 6);
      deepEqual(scan(rig.journal()), [3, 4, 5, 6]);
    });

    it("of another file is not taken for this one's", () => {
      const rig = new Rig({ encrypted });
      append(rig.created(), 3);
      ok(!rig.journal(2).open());
    });

    it("that was never there is not found", () => {
      ok(!new Rig({ encrypted }).journal().open());
    });

    it("is gone once cleared", () => {
      const rig = new Rig({ encrypted });
      const journal = rig.created();
      append(journal, 3);
      journal.clear();
      ok(!rig.journal().open());
    });

    it("begins empty when created over an old one", () => {
      const rig = new Rig({ encrypted });
      append(rig.created(), 3, 4);
      const second = rig.journal();
      second.create();
      deepEqual(scan(rig.journal()), []);
      append(second, 9);
      deepEqual(scan(rig.journal()), [9]);
    });

    it("writes every byte once: nothing is rewritten before it is erased", () => {
      const rig = new Rig({ encrypted });
      const journal = rig.created();
      const before = [...rig.chip.wear];
      append(journal, ...Array.from({ length: 100 }, (_, sector) => sector));
      deepEqual([...rig.chip.wear], before);
      equal(scan(rig.journal()).length, 100);
    });
  });

describe("journal: on plain flash", () => {
  it("goes on behind two torn records in a row", () => {
    const rig = new Rig();
    append(rig.created(), 3);
    for (const slot of [1, 2]) {
      const journal = rig.journal();
      deepEqual(scan(journal), [3]);
      rig.chip.write(rig.record(slot), Uint8Array.of(0x12));
    }
    const journal = rig.journal();
    scan(journal);
    append(journal, 4);
    deepEqual(scan(rig.journal()), [3, 4]);
  });
});

describe("journal: what is not believed", () => {
  it("any flipped bit of the header", () => {
    for (let byte = 0; byte < HEADER; byte++) {
      const rig = new Rig();
      append(rig.created(), 3);
      rig.chip.flipBits(2 * SECTOR_SIZE + byte, 1 << (byte & 7));
      ok(!rig.journal().open(), `byte ${byte}`);
    }
  });

  it("any flipped bit of a record, and only that record", () => {
    for (let byte = 0; byte < RECORD; byte++) {
      const rig = new Rig();
      append(rig.created(), 3, 4, 5);
      rig.chip.flipBits(rig.record(1, byte), 1 << (byte & 7));
      deepEqual(scan(rig.journal()), [3, 5], `byte ${byte}`);
    }
  });

  it("a record about a sector the file does not have", () => {
    const rig = new Rig();
    append(rig.created(), 3, 0xffffff00, 5);
    deepEqual(scan(rig.journal(), 10), [3, 5]);
  });

  it("a sector that holds something else by now", () => {
    const rig = new Rig();
    const journal = rig.created();
    journal.append(3, digest(journal, 4));
    deepEqual(scan(rig.journal()), []);
  });

  it("a record copied from the journal of another file", () => {
    const rig = new Rig();
    append(rig.created(), 3);
    const record = new Uint8Array(RECORD);
    rig.chip.read(rig.record(0), record);
    const other = rig.journal(2);
    other.create();
    rig.chip.write(rig.record(0), record);
    deepEqual(scan(rig.journal(2)), []);
  });
});

describe("journal: room", () => {
  it("is one record for each sector and some to spare, in whole sectors", () => {
    equal(journalSectors(1, 4096), 1);
    equal(journalSectors(220, 4096), 1);
    equal(journalSectors(221, 4096), 2);
    equal(journalSectors(4096, 4096), 17);
  });

  it("holds at least one record for each sector of the largest file", () => {
    for (const sectors of [1, 100, 220, 221, 1000, 4096])
      ok(journalSectors(sectors, 4096) * 4096 >= HEADER + (sectors + 32) * RECORD, String(sectors));
  });

  it("that is used up costs nothing but the resume", () => {
    const rig = new Rig();
    const journal = rig.created();
    append(journal, ...Array.from({ length: 300 }, (_, sector) => sector));
    equal(scan(rig.journal()).length, (SECTOR_SIZE - HEADER) / RECORD);
    const full = rig.journal();
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
    append(rig.created(), ...Array.from({ length: 300 }, (_, sector) => sector));
    equal(scan(rig.journal()).length, 300);
  });

  it("failures of the chip are errors", () => {
    const rig = new Rig();
    const journal = rig.created();
    rig.chip.faults = { fate: () => "fail" };
    throws(() => journal.append(1, new Uint8Array(12)));
    throws(() => journal.clear());
    throws(() => rig.journal().open());
  });
});
