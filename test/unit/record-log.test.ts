import { CUT_MOMENTS, cutPowerAt, refuse } from "../../hosts/emulated/flash-faults.js";
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { MemoryStorage, NorFlash, SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { MAX_PAYLOAD, RecordLog } from "../../src/components/record-log.js";
import { equal, ok, throws } from "../support/assert.js";
import { testCrypto } from "../support/test-crypto.js";

const SIZE = 2 * SECTOR_SIZE;

class Rig {
  readonly storage = new MemoryStorage(SIZE);
  readonly chip: NorFlash;
  readonly flash: FlashPartition;
  log: RecordLog;

  constructor() {
    this.storage.bytes.fill(0x5a);
    this.chip = new NorFlash(this.storage);
    this.flash = new FlashPartition(this.chip, { offset: 0, size: SIZE });
    this.log = new RecordLog(this.flash, testCrypto);
  }

  /** A new life over the same flash. @returns the payload found, as a text */
  restart(): string | undefined {
    this.chip.restorePower();
    this.chip.faults = undefined;
    this.log = new RecordLog(this.flash, testCrypto);
    return text(this.log.open());
  }
}

const payload = (name: string) => Uint8Array.from(name, (letter) => letter.charCodeAt(0));
const text = (bytes: Uint8Array | undefined) => bytes && String.fromCharCode(...bytes);
/** Lives without a fault, until nothing is left to be made to stay. */
function settle(rig: Rig): void {
  rig.restart();
  rig.restart();
}
const PAST_ONE_SECTOR = 60;

describe("record log", () => {
  it("is empty on flash that holds something else", () => {
    equal(new Rig().restart(), undefined);
  });

  it("finds the newest record, over many more than a sector holds", () => {
    const rig = new Rig();
    rig.log.open();
    for (let count = 0; count < PAST_ONE_SECTOR; count++) rig.log.write(payload(`record ${count}`));
    equal(rig.restart(), `record ${PAST_ONE_SECTOR - 1}`);
  });

  it("begins each life in the other sector, erased", () => {
    const rig = new Rig();
    for (let life = 0; life < 6; life++) {
      rig.restart();
      rig.log.write(payload(`life ${life}`));
      rig.log.write(payload(`life ${life}, again`));
    }
    equal(rig.restart(), "life 5, again");
    ok(Math.abs(rig.chip.wear[0] - rig.chip.wear[1]) <= 1, `wear ${rig.chip.wear}`);
  });

  it("opened again, begins in the other sector: what lies behind the newest record is not known", () => {
    const rig = new Rig();
    rig.log.open();
    rig.log.write(payload("one"));
    const erased = rig.chip.wear[0] + rig.chip.wear[1];
    rig.log.write(payload("two"));
    equal(rig.chip.wear[0] + rig.chip.wear[1], erased);
    rig.log.open();
    rig.log.write(payload("three"));
    equal(rig.chip.wear[0] + rig.chip.wear[1], erased + 1);
    equal(rig.restart(), "three");
  });

  it("takes 0 to 1024 bytes", () => {
    const rig = new Rig();
    for (const length of [0, 1, 15, 16, 17, MAX_PAYLOAD]) {
      rig.log.write(new Uint8Array(length).fill(7));
      equal(rig.restart()?.length, length);
    }
    throws(() => rig.log.write(new Uint8Array(MAX_PAYLOAD + 1)), { type: RangeError });
    equal(rig.restart()?.length, MAX_PAYLOAD);
  });

  it("holds the old or the new record after a power cut at any operation, and never wavers afterwards", () => {
    const lives = (rig: Rig) => {
      rig.restart();
      rig.log.write(payload("old"));
      settle(rig);
      const before = rig.chip.operations;
      return () => {
        rig.log.write(payload("new"));
        rig.log.write(payload("newer"));
        return rig.chip.operations - before;
      };
    };
    const operations = lives(new Rig())();
    ok(operations >= 4);
    for (const moment of CUT_MOMENTS)
      for (let at = 0; at < operations; at++)
        for (let second = 0; second < 5; second++) {
          const rig = new Rig();
          const write = lives(rig);
          rig.chip.faults = cutPowerAt(rig.chip.operations + at, moment, at);
          try {
            write();
          } catch {
            // The power went.
          }
          ok(!rig.chip.powered, `no cut at ${at}`);
          rig.chip.restorePower();
          rig.chip.faults = cutPowerAt(rig.chip.operations + second, moment, second);
          try {
            new RecordLog(rig.flash, testCrypto).open();
          } catch {
            // It went again, while what was found is made to stay.
          }
          const found = rig.restart();
          ok(
            ["old", "new", "newer"].includes(found ?? ""),
            `${found} after a cut ${moment} ${at}, ${second}`,
          );
          for (let life = 0; life < 4; life++) equal(rig.restart(), found);
          rig.log.write(payload("next"));
          equal(rig.restart(), "next");
        }
  });
});

describe("record log: bits that read differently", () => {
  /** A log whose newest record lacks its seal, as after a power cut between record and seal. */
  function unsealed(): Rig {
    const rig = new Rig();
    rig.log.open();
    rig.log.write(payload("old"));
    const at = rig.chip.operations + 1;
    rig.chip.faults = cutPowerAt(at, "before");
    throws(() => rig.log.write(payload("new")), { code: "flash-write" });
    rig.chip.restorePower();
    return rig;
  }

  it("a record seen once stays, although its bits are gone the next time", () => {
    const rig = unsealed();
    equal(rig.restart(), "new");
    const [first] = [64 + 16];
    rig.storage.bytes[first] ^= 1;
    equal(rig.restart(), "new");
  });

  it("a record not seen stays unseen, although its bits are there the next time", () => {
    const rig = unsealed();
    const bits = rig.storage.bytes.slice();
    const at = rig.storage.bytes.findIndex((_, index) => index > 64 && bits[index] === "n".charCodeAt(0));
    ok(at > 0);
    rig.storage.bytes[at] ^= 1;
    equal(rig.restart(), "old");
    const sector = at < SECTOR_SIZE ? 0 : 1;
    // The sector the torn record lies in is as it was; its bits settle the other way.
    ok(rig.storage.bytes[at] === (bits[at] ^ 1), "the torn record was touched");
    rig.storage.bytes[at] ^= 1;
    equal(rig.restart(), "old", `a record of sector ${sector} came back`);
  });
});

describe("record log: faults of the flash", () => {
  for (const fate of ["fail", "ignore"] as const)
    it(`a command that does ${fate === "fail" ? "fail" : "nothing"} is told, and the record before stays`, () => {
      const rig = new Rig();
      rig.restart();
      rig.log.write(payload("old"));
      for (const kind of ["erase", "write"]) {
        settle(rig);
        rig.chip.faults = refuse((command) => command.kind === kind, fate);
        throws(() => rig.log.write(payload("new")), { code: "flash-write" });
        equal(rig.restart(), "old");
      }
      rig.log.write(payload("new"));
      equal(rig.restart(), "new");
    });

  it("each byte of a record inverted once: the record is not believed, or is what it was", () => {
    const rig = new Rig();
    rig.restart();
    rig.log.write(payload("old"));
    rig.restart();
    rig.log.write(payload("new"));
    const bits = rig.storage.bytes.slice();
    const ends = [0, SECTOR_SIZE].map(
      (start) => start + bits.subarray(start, start + SECTOR_SIZE).findLastIndex((byte) => byte !== 0xff),
    );
    for (let at = 0; at < SIZE; at++) {
      // Of what is blank behind a record: where the next one begins, and a sample.
      const behind = at - ends[at < SECTOR_SIZE ? 0 : 1];
      if (behind > 64 && behind % 61) continue;
      rig.storage.bytes.set(bits);
      rig.storage.bytes[at] ^= 0xff;
      const found = rig.restart();
      ok(found === "new" || found === "old", `${found} with byte ${at} inverted`);
    }
  });
});
