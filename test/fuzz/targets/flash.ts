/**
 * What is found on flash after a power cut, bit rot, or under another firmware: the journal, otadata, the
 * partition table.
 * @module
 */
import {
  activeEntry,
  decodeEntry,
  ENTRY_SIZE,
  encodeEntry,
  isValid,
  makeEntry,
  nextSequence,
  slotOf,
} from "../../../hosts/formats/otadata.js";
import { PartitionTableError, parsePartitionTable } from "../../../hosts/formats/partition-table.js";
import { nodeCrypto } from "../../../hosts/node/crypto.js";
import type { Flash } from "../../../src/ports.js";
import { Journal } from "../../../src/slot/journal.js";
import { ascii, concat, hex } from "../../support/hex.js";
import type { Random } from "../random.js";
import { type FuzzTarget, must, TAKEN } from "../target.js";

const SECTOR = 4096;
const IDENTITY = new Uint8Array(32).fill(0x5a);

/** A flash of three sectors; the middle one is the journal's. */
function flashWith(content: Uint8Array): Flash & { readonly bytes: Uint8Array } {
  const bytes = new Uint8Array(3 * SECTOR).fill(0xff);
  bytes.set(content.subarray(0, SECTOR), SECTOR);
  const inside = (from: number, to: number) =>
    must(from >= SECTOR && to <= 2 * SECTOR, "a journal keeps to its sectors");
  return {
    bytes,
    read(into, offset) {
      inside(offset, offset + into.length);
      into.set(bytes.subarray(offset, offset + into.length));
    },
    write(from, offset) {
      inside(offset, offset + from.length);
      must(offset % 16 === 0 && from.length % 16 === 0, "flash encryption writes units of 16 bytes");
      for (let n = 0; n < from.length; n++) bytes[offset + n]! &= from[n]!;
    },
    eraseBlock(start, end = start + 1) {
      inside(start * SECTOR, end * SECTOR);
      bytes.fill(0xff, start * SECTOR, end * SECTOR);
    },
    status: () => ({ size: 3 * SECTOR, blocks: 3, blockLength: SECTOR }),
    close: () => undefined,
  };
}

function journalOn(flash: Flash): Journal {
  return new Journal(flash, 1, 1, nodeCrypto, IDENTITY);
}

/** What the sector holds. */
function content(sector: number): Uint8Array {
  return new Uint8Array(12).fill(sector + 1);
}

function written(sectors: number): Uint8Array {
  const flash = flashWith(new Uint8Array(0));
  const journal = journalOn(flash);
  for (let sector = 0; sector < sectors; sector++) journal.append(sector, content(sector));
  return flash.bytes.slice(SECTOR, 2 * SECTOR);
}
const JOURNALS = [written(1), written(2), written(5), written(252)];

export const journal: FuzzTarget = {
  name: "journal",
  corpus: [...JOURNALS, new Uint8Array(SECTOR).fill(0xff), new Uint8Array(SECTOR)],
  dictionary: [hex("ffffffff"), hex("00000000"), new Uint8Array(16).fill(0xff), ascii("XSOTAJ2\0")],
  weight: 0.1,
  generate(random: Random) {
    const bytes = random.pick(JOURNALS).slice();
    // Records change far more often than the header.
    for (let count = random.below(6); count > 0; count--)
      bytes.set(
        random.oneIn(2) ? random.bytes(16) : new Uint8Array(16).fill(0xff),
        64 + 16 * random.below(12),
      );
    return bytes;
  },
  run(input) {
    const flash = flashWith(input);
    const journal = journalOn(flash);
    if (!journal.open()) return "foreign";
    let believed = 0;
    for (let records = 0; ; records++) {
      must(records <= SECTOR / 16, "the records come to an end");
      const sector = journal.next(300);
      if (sector === undefined) break;
      must(sector >= 0 && sector < 300, "only sectors of the file are named");
      if (journal.holds(sector, content(sector))) believed++;
    }
    // It can be gone on with, to the end and beyond.
    for (let sector = 0; sector < 260; sector++) journal.append(sector, content(sector));
    return believed ? TAKEN : "empty";
  },
};

export const otadata: FuzzTarget = {
  name: "otadata",
  corpus: [
    concat(encodeEntry(makeEntry(1, 2)), encodeEntry(makeEntry(2, 0))),
    concat(encodeEntry(makeEntry(0xfffffffe, 1)), encodeEntry(makeEntry(3, 4))),
    new Uint8Array(2 * ENTRY_SIZE).fill(0xff),
    new Uint8Array(2 * ENTRY_SIZE),
  ],
  dictionary: [
    hex("ffffffff"),
    hex("00000000"),
    hex("01000000"),
    hex("9a984347"),
    hex("7437f655"),
    hex("04000000"),
  ],
  maxLength: 2 * ENTRY_SIZE,
  generate(random) {
    const entry = () =>
      encodeEntry(makeEntry(random.oneIn(3) ? random.next() : random.below(6), random.below(7)));
    return concat(entry(), entry());
  },
  run(input) {
    const whole = new Uint8Array(2 * ENTRY_SIZE).fill(0xff);
    whole.set(input);
    const entries = [whole.subarray(0, ENTRY_SIZE), whole.subarray(ENTRY_SIZE)].map(decodeEntry);
    must(
      Buffer.compare(concat(...entries.map(encodeEntry)), whole) === 0,
      "an entry is written as it was read",
    );
    const active = activeEntry(entries);
    must(active >= -1 && active < 2, "there are two entries");
    if (active < 0) {
      must(!entries.some(isValid), "a valid entry is found");
      return "none is valid";
    }
    const { sequence } = entries[active]!;
    must(isValid(entries[active]!), "the active entry is valid");
    for (let slots = 1; slots <= 16; slots++) {
      const slot = slotOf(sequence, slots);
      must(Number.isInteger(slot) && slot >= 0 && slot < slots, "a slot exists");
      if (sequence > 0xffffff00) continue;
      const next = nextSequence(sequence, slot, slots);
      must(
        next >= sequence && slotOf(next, slots) === slot,
        "a later sequence number stands for the slot asked for",
      );
    }
    return TAKEN;
  },
};

const ROW = hex("aa50 01 00 00d00000 00200000 6f74616461746100000000000000000000000000");
const APP = hex("aa50 00 10 00000100 00001000 6f74615f30000000000000000000000000000000");

export const partitionTable: FuzzTarget = {
  name: "partition-table",
  corpus: [
    concat(ROW, APP, new Uint8Array(32).fill(0xff)),
    concat(APP, hex(`ebeb${"ff".repeat(14)}${"00".repeat(16)}`)),
    ROW,
  ],
  dictionary: [hex("aa50"), hex("ebeb"), hex("ffff"), ROW, APP],
  maxLength: 0xc00,
  run(input) {
    try {
      const rows = parsePartitionTable(input);
      for (const { label, offset, size } of rows)
        must(label.length <= 16 && offset >= 0 && size >= 0, "labels fit, numbers are unsigned");
    } catch (error) {
      if (error instanceof PartitionTableError) return error.message.replace(/\d+|0x[0-9a-f]+/g, "#");
      throw error;
    }
    return TAKEN;
  },
};
