import { createHash } from "node:crypto";
import fc from "fast-check";
import { boot } from "../../hosts/emulated/boot-loader.js";
import { buildFlashDump, slotTable } from "../../hosts/emulated/flash-dump.js";
import { MemoryStorage, NorFlash } from "../../hosts/emulated/nor-flash.js";
import { checkImage } from "../../hosts/formats/esp-image-check.js";
import { ImageError, imageBytes } from "../../hosts/formats/esp-image-layout.js";
import { buildImage, sealImage } from "../../hosts/formats/image-builder.js";
import { parsePartitionCsv } from "../../hosts/formats/partition-csv.js";
import { PartitionTableError, parsePartitionTable } from "../../hosts/formats/partition-table.js";
import { ok } from "../support/assert.js";

const sha256 = () => createHash("sha256");
const IMAGE = buildImage({ version: "1.0.0", projectName: "hostile", size: 1024 }, sha256);

/** Runs a parser; only the one class of error is allowed. */
function survives(action: () => unknown, allowed: new (message: string) => Error): void {
  try {
    action();
  } catch (error) {
    ok(error instanceof allowed, `threw ${error}`);
  }
}

describe("hostile input to the boot side", () => {
  it("any changes to an image are refused or harmless", () => {
    const changes = fc.array(fc.tuple(fc.nat(IMAGE.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(changes, fc.boolean(), (list, seal) => {
        const bytes = IMAGE.slice();
        for (const [at, value] of list) bytes[at] = value;
        if (seal && list.every(([at]) => at > 32)) survives(() => sealImage(bytes, sha256), RangeError);
        survives(() => checkImage(imageBytes(bytes), { chipId: 5 }, sha256), ImageError);
      }),
      { numRuns: 3000 },
    );
  });

  it("any bytes are refused as an image", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (tail) => {
        survives(
          () => checkImage(imageBytes(Uint8Array.of(0xe9, ...tail)), { chipId: 5 }, sha256),
          ImageError,
        );
      }),
      { numRuns: 2000 },
    );
  });

  it("any bytes are refused or read as a partition table", () => {
    const row = fc.uint8Array({ minLength: 30, maxLength: 30 });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 8 }), fc.uint8Array({ maxLength: 40 }), (rows, tail) => {
        const bytes = Uint8Array.from([...rows.flatMap((bytes) => [0xaa, 0x50, ...bytes]), ...tail]);
        survives(() => parsePartitionTable(bytes), PartitionTableError);
      }),
      { numRuns: 2000 },
    );
  });

  it("any text is refused or read as CSV", () => {
    const field = fc.oneof(
      fc.constantFrom("app", "data", "ota_0", "0x1000", "4K", "-1M", "", "encrypted", "__proto__"),
      fc.string({ maxLength: 12 }),
    );
    fc.assert(
      fc.property(fc.array(fc.array(field, { maxLength: 7 }), { maxLength: 5 }), (lines) => {
        const text = lines.map((line) => line.join(",")).join("\n");
        survives(() => parsePartitionCsv(text), PartitionTableError);
      }),
      { numRuns: 2000 },
    );
  });

  it("the boot loader survives any damage to table and otadata", () => {
    const table = slotTable({ slotSize: 0x10000 });
    const content = { ota_0: IMAGE, ota_1: IMAGE };
    const dump = buildFlashDump({ flashSize: 0x30000, table, content });
    const place = fc.oneof(
      fc.integer({ min: 0x8000, max: 0x80e0 }),
      fc.integer({ min: 0xd000, max: 0xd020 }),
      fc.integer({ min: 0xe000, max: 0xe020 }),
    );
    const damage = fc.array(fc.tuple(place, fc.nat(255)), { maxLength: 12 });
    fc.assert(
      fc.property(damage, fc.boolean(), (list, rollback) => {
        const storage = new MemoryStorage(dump.slice());
        for (const [at, value] of list) storage.bytes[at] = value;
        const tableIntact = list.every(([at]) => at >= 0xd000);
        const flash = new NorFlash(storage);
        const running = boot({ flash, target: { chipId: 5 }, sha256, rollback });
        ok(!tableIntact || running !== undefined, "otadata alone cannot make a device unbootable");
      }),
      { numRuns: 1000 },
    );
  });
});
