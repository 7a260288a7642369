/**
 * What every `Flash` has to do. A port's author calls `flashConformance` with a partition whose content may be
 * lost; it is used from its start.
 * @module
 */
import type { Flash } from "../../src/ports.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { pattern } from "../support/mqtt-peer.js";

/**
 * @param create opens the partition, of at least 40 blocks
 * @param encrypted true when the partition is encrypted: writes are then of 16 bytes, and never twice in a place
 */
export function flashConformance(title: string, create: () => Flash, encrypted = false): void {
  describe(title, () => {
    let flash: Flash;
    let block: number;
    beforeEach(() => {
      flash = create();
      block = flash.status().blockLength;
    });
    afterEach(() => flash.close());

    const read = (offset: number, length: number) => {
      const bytes = new Uint8Array(length);
      flash.read(bytes, offset);
      return bytes;
    };
    const erased = (bytes: Uint8Array) => bytes.every((byte) => byte === 0xff);

    it("says how large it is", () => {
      const { size, blocks, blockLength } = flash.status();
      equal(blocks * blockLength, size);
      ok(blocks >= 40, "the tests need 40 blocks");
      ok(blockLength >= 256 && (blockLength & (blockLength - 1)) === 0, "blocks of a power of two");
    });

    it("reads back what was written, across blocks", () => {
      flash.eraseBlock(0, 3);
      const data = pattern(2 * block);
      flash.write(data, block / 2);
      deepEqual(read(block / 2, data.length), data);
    });

    it("erases one block unless told otherwise", () => {
      flash.eraseBlock(0, 3);
      for (let i = 0; i < 3; i++) flash.write(pattern(block, i), i * block);
      flash.eraseBlock(1);
      deepEqual(read(0, block), pattern(block, 0));
      if (!encrypted) ok(erased(read(block, block)), "block 1 is not erased");
      deepEqual(read(2 * block, block), pattern(block, 2));
    });

    it("erases a range, its end excluded", () => {
      flash.eraseBlock(0, 40);
      flash.write(pattern(block, 1), 15 * block);
      flash.write(pattern(block, 2), 16 * block);
      flash.write(pattern(block, 3), 31 * block);
      flash.write(pattern(block, 4), 32 * block);
      flash.eraseBlock(16, 32);
      deepEqual(read(15 * block, block), pattern(block, 1));
      if (!encrypted) ok(erased(read(16 * block, 16 * block)), "not all of the range is erased");
      deepEqual(read(32 * block, block), pattern(block, 4));
    });

    it("erases nothing when the range is empty", () => {
      flash.eraseBlock(0, 2);
      flash.write(pattern(block), 0);
      flash.eraseBlock(0, 0);
      deepEqual(read(0, block), pattern(block));
    });

    it("writes and reads pieces in any order", () => {
      flash.eraseBlock(0, 1);
      const data = pattern(block);
      for (let at = block - 16; at >= 0; at -= 16) flash.write(data.subarray(at, at + 16), at);
      deepEqual(read(0, block), data);
      deepEqual(read(100, 77), data.slice(100, 177));
    });

    it("reads and writes parts of a larger buffer", () => {
      flash.eraseBlock(0, 1);
      const large = pattern(300);
      flash.write(large.subarray(20, 36), 32);
      const into = new Uint8Array(100);
      flash.read(into.subarray(40, 56), 32);
      deepEqual(into.slice(40, 56), large.slice(20, 36));
      ok(into.slice(0, 40).every((byte) => byte === 0) && into.slice(56).every((byte) => byte === 0));
    });

    if (!encrypted)
      it("only clears bits when it writes", () => {
        flash.eraseBlock(0, 1);
        flash.write(Uint8Array.of(0xf0, 0x3c), 4);
        flash.write(Uint8Array.of(0x3c, 0xff), 4);
        deepEqual(read(3, 4), Uint8Array.of(0xff, 0x30, 0x3c, 0xff));
      });

    it("refuses what lies outside", () => {
      const { size, blocks } = flash.status();
      throws(() => flash.read(new Uint8Array(32), size - 16));
      throws(() => flash.write(new Uint8Array(32), size - 16));
      throws(() => flash.read(new Uint8Array(16), size));
      throws(() => flash.read(new Uint8Array(16), -16));
      throws(() => flash.write(new Uint8Array(16), -16));
      throws(() => flash.eraseBlock(blocks));
      throws(() => flash.eraseBlock(blocks - 1, blocks + 1));
      throws(() => flash.eraseBlock(-1));
    });

    it("keeps its content when it is closed and opened", () => {
      flash.eraseBlock(0, 1);
      flash.write(pattern(64), 0);
      flash.close();
      flash = create();
      deepEqual(read(0, 64), pattern(64));
    });

    it("cannot be used when closed", () => {
      flash.close();
      throws(() => read(0, 16));
      throws(() => flash.eraseBlock(0));
      flash = create();
    });
  });
}
