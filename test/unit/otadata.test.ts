import {
  activeEntry,
  crcOf,
  decodeEntry,
  ENTRY_SIZE,
  encodeEntry,
  isCrcRight,
  isInvalid,
  isValid,
  lastInvalidEntry,
  makeEntry,
  nextSequence,
  type OtaEntry,
  STATE_ABORTED,
  STATE_INVALID,
  STATE_NEW,
  STATE_PENDING_VERIFY,
  STATE_UNDEFINED,
  STATE_VALID,
  slotOf,
  stateName,
} from "../../hosts/formats/otadata.js";
import { deepEqual, equal, throws } from "../support/assert.js";
import { hex } from "../support/hex.js";

const FF20 = "ff".repeat(20);

describe("otadata entries", () => {
  for (const [sequence, crc] of [
    [0, 0xffffffff],
    [1, 0x4743989a],
    [2, 0x55f63774],
    [3, 0xed4a5011],
    [4, 0x709d68a8],
    [5, 0xc8210fcd],
    [0xfffffffe, 0x99f8b879],
  ])
    it(`have checksum 0x${crc.toString(16)} for sequence number ${sequence}`, () => {
      equal(crcOf(sequence), crc);
    });

  it("are written byte by byte as the boot loader writes them", () => {
    deepEqual(encodeEntry(makeEntry(1, STATE_VALID)), hex(`01000000 ${FF20} 02000000 9a984347`));
  });

  it("are read field by field", () => {
    const entry = decodeEntry(hex(`04030201 ${"07".repeat(20)} 03000000 efbeadde`));
    deepEqual(entry, {
      sequence: 0x01020304,
      label: new Uint8Array(20).fill(7),
      state: STATE_INVALID,
      crc: 0xdeadbeef,
    });
    equal(isCrcRight(entry), false);
  });

  it("survive decoding and encoding, at any place in a buffer", () => {
    const bytes = Uint8Array.from({ length: 40 }, (_, i) => i * 31);
    deepEqual(encodeEntry(decodeEntry(bytes.subarray(5, 37))), bytes.slice(5, 37));
  });

  it("keep a label", () => {
    const label = new Uint8Array(20).fill(0x61);
    deepEqual(decodeEntry(encodeEntry(makeEntry(9, STATE_NEW, label))).label, label);
  });

  for (const length of [0, ENTRY_SIZE - 1, ENTRY_SIZE + 1])
    it(`are not ${length} bytes long`, () => {
      throws(() => decodeEntry(new Uint8Array(length)), { type: RangeError, message: "32 bytes" });
    });

  it("name their states", () => {
    const names = [0, 1, 2, 3, 4, STATE_UNDEFINED, 5].map(stateName);
    deepEqual(names, ["new", "pending-verify", "valid", "invalid", "aborted", "undefined", "undefined"]);
  });
});

describe("otadata rules", () => {
  const blank = decodeEntry(new Uint8Array(ENTRY_SIZE).fill(0xff));
  const damaged = (entry: OtaEntry): OtaEntry => ({ ...entry, crc: entry.crc ^ 1 });

  it("call an erased entry invalid", () => {
    equal(isInvalid(blank), true);
    equal(isCrcRight(blank), false);
  });

  for (const state of [STATE_INVALID, STATE_ABORTED])
    it(`call an entry invalid that is ${stateName(state)}`, () => {
      equal(isInvalid(makeEntry(1, state)), true);
    });

  for (const state of [STATE_NEW, STATE_PENDING_VERIFY, STATE_VALID, STATE_UNDEFINED, 17])
    it(`call an entry in state ${state} valid`, () => {
      equal(isValid(makeEntry(1, state)), true);
    });

  it("call an entry with a wrong checksum neither valid nor invalid", () => {
    const entry = damaged(makeEntry(1, STATE_VALID));
    deepEqual([isValid(entry), isInvalid(entry)], [false, false]);
  });

  for (const [title, entries, expected] of [
    ["the higher one", [makeEntry(3, STATE_VALID), makeEntry(4, STATE_VALID)], 1],
    ["the first one on a tie", [makeEntry(3, STATE_VALID), makeEntry(3, STATE_NEW)], 0],
    ["by unsigned numbers", [makeEntry(0x80000000, STATE_VALID), makeEntry(1, STATE_VALID)], 0],
    ["the only valid one", [makeEntry(9, STATE_ABORTED), makeEntry(8, STATE_VALID)], 1],
    ["the only undamaged one", [makeEntry(1, STATE_VALID), damaged(makeEntry(2, STATE_VALID))], 0],
    ["neither when both are erased", [blank, blank], -1],
    ["neither when both were given up", [makeEntry(1, STATE_INVALID), makeEntry(2, STATE_ABORTED)], -1],
  ] as const)
    it(`make ${title} active`, () => {
      equal(activeEntry(entries), expected);
    });

  for (const [title, entries, expected] of [
    ["the lower one of two", [makeEntry(3, STATE_ABORTED), makeEntry(2, STATE_INVALID)], 1],
    ["the only one", [makeEntry(3, STATE_VALID), makeEntry(2, STATE_INVALID)], 1],
    ["none that is damaged", [damaged(makeEntry(3, STATE_INVALID)), blank], -1],
    ["none that is just empty", [blank, makeEntry(1, STATE_VALID)], -1],
  ] as const)
    it(`find as the last one given up ${title}`, () => {
      equal(lastInvalidEntry(entries), expected);
    });

  it("map sequence numbers to slots", () => {
    deepEqual(
      [1, 2, 3, 4].map((sequence) => slotOf(sequence, 2)),
      [0, 1, 0, 1],
    );
    equal(slotOf(0, 2), 1, "sequence number 0 wraps");
    equal(slotOf(0, 3), 0, "sequence number 0 wraps");
  });

  it("find the next sequence number for a slot", () => {
    for (const slots of [1, 2, 3, 7, 16])
      for (let slot = 0; slot < slots; slot++)
        for (let from = 1; from < 40; from++) {
          const next = nextSequence(from, slot, slots);
          equal(slotOf(next, slots), slot);
          equal(next >= from && next < from + slots, true, `${from} -> ${next}`);
        }
  });
});
