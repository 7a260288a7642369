import fc from "fast-check";
import { MemoryStorage } from "../../hosts/emulated/nor-flash.js";
import { SparseStorage } from "../../tools/cli/device/sparse-storage.js";
import { deepEqual } from "../support/assert.js";

const SIZE = 20_000;

describe("sparse flash storage", () => {
  it("holds the same bits as storage in one piece", () => {
    const write = fc.record({
      offset: fc.nat(SIZE - 1),
      length: fc.nat(9000),
      value: fc.constantFrom(0x00, 0x5a, 0xff),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 12 }), fc.boolean(), (writes, filled) => {
        const first = new Uint8Array(SIZE).fill(filled ? 0x11 : 0xff);
        const sparse = new SparseStorage(first.slice());
        const whole = new MemoryStorage(first.slice());
        for (const { offset, length, value } of writes) {
          const bytes = new Uint8Array(Math.min(length, SIZE - offset)).fill(value);
          sparse.write(offset, bytes);
          whole.write(offset, bytes);
          const [a, b] = [new Uint8Array(SIZE - offset), new Uint8Array(SIZE - offset)];
          sparse.read(offset, a);
          whole.read(offset, b);
          deepEqual(a, b);
        }
        const all = new Uint8Array(SIZE);
        sparse.read(0, all);
        deepEqual(all, whole.bytes);
      }),
      { numRuns: 200 },
    );
  });
});
