import { DeviceFlash } from "../../hosts/emulated/device-flash.js";
import { slotTable } from "../../hosts/emulated/flash-dump.js";
import { refuse } from "../../hosts/emulated/flash-faults.js";
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { FlashError } from "../../hosts/emulated/nor-flash.js";
import { EspError } from "../../hosts/emulated/ota-operations.js";
import { ImageError } from "../../hosts/formats/esp-image-layout.js";
import {
  makeEntry,
  type OtaEntry,
  STATE_ABORTED,
  STATE_INVALID,
  STATE_NEW,
  STATE_PENDING_VERIFY,
  STATE_UNDEFINED,
  STATE_VALID,
} from "../../hosts/formats/otadata.js";
import { encodePartitionTable, PartitionTableError } from "../../hosts/formats/partition-table.js";
import { BOOT_VECTORS_SAMPLE } from "../data/boot-vectors-sample.js";
import { deepEqual, equal, ok, throws } from "../support/assert.js";
import { BootDevice, smallImage } from "../support/boot-device.js";
import { BootVectorReplay } from "../support/boot-vectors.js";
import { newSha256 } from "../support/sha256.js";

const VALID_1 = makeEntry(1, STATE_VALID);

describe("boot models against a sample of cases recorded from ESP-IDF", () => {
  const replay = new BootVectorReplay(BOOT_VECTORS_SAMPLE, newSha256);
  const operations = new Set(BOOT_VECTORS_SAMPLE.cases.map((text) => text.split("|")[2]));

  it("has cases of every operation", () => {
    ok(BOOT_VECTORS_SAMPLE.cases.length >= 100);
    equal(operations.size, 11);
  });

  for (const operation of operations)
    it(`${operation}: result, entries and flash operations agree`, () => {
      for (const text of BOOT_VECTORS_SAMPLE.cases)
        if (text.split("|")[2] === operation) equal(replay.replay(text), text);
    });
});

describe("boot loader", () => {
  it("boots ota_0 of a new device and records it", () => {
    const device = new BootDevice();
    equal(device.boot(), "ota_0");
    deepEqual(device.entries(), ["1 valid", "-"]);
    const { operations } = device.flash;
    equal(device.boot(), "ota_0");
    equal(device.flash.operations, operations);
  });

  it("prefers a factory application on a new device, and records nothing", () => {
    const device = new BootDevice({ factory: true });
    equal(device.boot(), "factory");
    deepEqual(device.entries(), ["-", "-"]);
  });

  it("starts a new image once, and gives it up when it was not confirmed", () => {
    const device = new BootDevice({ otadata: [VALID_1, makeEntry(2, STATE_NEW)] });
    equal(device.boot(), "ota_1");
    deepEqual(device.entries(), ["1 valid", "2 pending-verify"]);
    equal(device.boot(), "ota_0");
    deepEqual(device.entries(), ["1 valid", "2 aborted"]);
  });

  it("boots a new image again and again without rollback", () => {
    const device = new BootDevice({ otadata: [VALID_1, makeEntry(2, STATE_NEW)], rollback: false });
    equal(device.boot(), "ota_1");
    equal(device.boot(), "ota_1");
    deepEqual(device.entries(), ["1 valid", "2 new"]);
  });

  for (const state of [STATE_INVALID, STATE_ABORTED])
    it(`heeds state ${state} also without rollback`, () => {
      const device = new BootDevice({ otadata: [VALID_1, makeEntry(2, state)], rollback: false });
      equal(device.boot(), "ota_0");
    });

  it("falls back to a lower slot, then the factory, then a higher slot", () => {
    const otadata = [makeEntry(2, STATE_VALID), undefined];
    const [factory, ota_0, ota_2] = ["factory", "ota_0", "ota_2"].map((label) => smallImage(label));
    for (const [images, expected] of [
      [{ factory, ota_0, ota_2 }, "ota_0"],
      [{ factory, ota_2 }, "factory"],
      [{ ota_2 }, "ota_2"],
      [{}, undefined],
    ] as const) {
      const device = new BootDevice({ factory: true, slots: 3, images: { ...images }, otadata });
      equal(device.boot(), expected);
      deepEqual(device.entries(), ["2 valid", "-"], "otadata stays as it is");
    }
  });

  it("boots a test application as the last resort", () => {
    const table = [...slotTable({ slotSize: 0x10000 })];
    table.push({ ...table[4], label: "test", subtype: 0x20, offset: 0x30000 });
    const device = new BootDevice({ table, images: { test: smallImage("test") } });
    equal(device.boot(), "test");
  });

  it("boots by fallback what is behind a gap between slots", () => {
    const table = slotTable({ slotSize: 0x10000 }).map((row) =>
      row.label === "ota_1" ? { ...row, label: "ota_2", subtype: 0x12 } : row,
    );
    const device = new BootDevice({ table, otadata: [makeEntry(2, STATE_VALID), undefined] });
    equal(device.boot(), "ota_0", "sequence number 2 of 2 slots stands for ota_1, which is not there");
  });

  it("tries everything, and repairs nothing, when otadata is damaged", () => {
    const device = new BootDevice({ otadata: [{ ...VALID_1, crc: 5 }, undefined] });
    equal(device.boot(), "ota_0");
    equal(device.flash.operations, 0);
  });

  it("boots the factory application when otadata is damaged", () => {
    const device = new BootDevice({ factory: true, otadata: [{ ...VALID_1, crc: 5 }, undefined] });
    equal(device.boot(), "factory");
  });

  it("boots ota_0 when both entries were given up", () => {
    const device = new BootDevice({ otadata: [makeEntry(1, STATE_INVALID), makeEntry(2, STATE_ABORTED)] });
    equal(device.boot(), "ota_0");
    equal(device.flash.operations, 0);
  });

  it("works without otadata", () => {
    const table = slotTable({ slotSize: 0x10000 }).filter(({ label }) => label !== "otadata");
    equal(new BootDevice({ table }).boot(), "ota_0");
  });

  it("does not boot without a partition table", () => {
    const device = new BootDevice();
    device.flash.erase(0x8000, 0x1000);
    equal(device.boot(), undefined);
    device.flash.write(0x8000, Uint8Array.of(0, 0));
    equal(device.boot(), undefined);
    throws(() => device.device, { type: PartitionTableError });
  });

  it("does not boot when the table leads outside the flash", () => {
    const device = new BootDevice();
    const table = slotTable({ slotSize: 0x80000 });
    device.flash.erase(0x8000, 0x1000);
    device.flash.write(0x8000, encodePartitionTable(table));
    equal(device.boot(), undefined);
    ok(device.log[0].includes('"ota_0" does not lie on sectors of the flash'));
  });

  it("does not boot when nothing can be read", () => {
    const device = new BootDevice();
    device.flash.faults = refuse(({ kind }) => kind === "read", "fail");
    equal(device.boot(), undefined);
    ok(device.log[0].startsWith("cannot boot: read"));
  });

  it("passes over a slot that cannot be read", () => {
    const device = new BootDevice({ otadata: [VALID_1, makeEntry(2, STATE_VALID)] });
    const { offset, size } = device.partition("ota_1");
    device.flash.faults = refuse(
      (command) => command.offset >= offset && command.offset < offset + size,
      "fail",
    );
    equal(device.boot(), "ota_0");
  });

  it("says what it does and why", () => {
    const device = new BootDevice({ otadata: [VALID_1, makeEntry(2, STATE_NEW)] });
    device.flash.erase(device.partition("ota_1").offset, 0x1000);
    device.boot();
    deepEqual(device.log, [
      "otadata entry 1 names ota_1",
      "ota_1 starts for the first time: pending verify",
      "ota_1: first byte is 0xff, not 0xe9",
      "ota_0 starts",
    ]);
  });

  it("boots a damaged image when told to skip the validation", () => {
    const images = { ota_0: smallImage("ota_0"), ota_1: smallImage("ota_1") };
    images.ota_1[400] ^= 1;
    const otadata = [VALID_1, makeEntry(2, STATE_VALID)];
    equal(new BootDevice({ images, otadata }).boot(), "ota_0");
    equal(new BootDevice({ images, otadata, skipValidation: true }).boot(), "ota_1");
  });

  it("does not boot an image without a structure even then", () => {
    const otadata = [VALID_1, makeEntry(2, STATE_VALID)];
    const device = new BootDevice({ images: { ota_0: smallImage("ota_0") }, otadata, skipValidation: true });
    equal(device.boot(), "ota_0");
  });

  it("boots an encrypted device", () => {
    const device = new BootDevice({ encrypted: true, otadata: [VALID_1, makeEntry(2, STATE_NEW)] });
    equal(device.boot(), "ota_1");
    deepEqual(device.entries(), ["1 valid", "2 pending-verify"]);
  });
});

describe("boot loader with anti-rollback", () => {
  const images = { ota_0: smallImage("old", 0), ota_1: smallImage("new", 5) };

  it("raises the secure version to that of a confirmed application", () => {
    const efuse = { secureVersion: 0 };
    const device = new BootDevice({ images, efuse, otadata: [VALID_1, makeEntry(2, STATE_NEW)] });
    equal(device.boot(), "ota_1");
    equal(efuse.secureVersion, 0);
    device.control("ota_1").markValid();
    equal(efuse.secureVersion, 5);
  });

  it("raises it at boot when the application was confirmed before", () => {
    const efuse = { secureVersion: 0 };
    const device = new BootDevice({ images, efuse, otadata: [VALID_1, makeEntry(2, STATE_VALID)] });
    equal(device.boot(), "ota_1");
    equal(efuse.secureVersion, 5);
  });

  it("passes over applications with a lower secure version, whatever otadata says", () => {
    const device = new BootDevice({
      images,
      efuse: { secureVersion: 5 },
      otadata: [makeEntry(3, STATE_VALID), makeEntry(2, STATE_VALID)],
    });
    equal(device.boot(), "ota_1");
  });

  it("boots nothing rather than an application with a lower secure version", () => {
    equal(new BootDevice({ images, efuse: { secureVersion: 6 } }).boot(), undefined);
  });

  it("erases a slot it is asked to boot with a lower secure version", () => {
    const device = new BootDevice({
      images,
      efuse: { secureVersion: 5 },
      otadata: [undefined, makeEntry(2, 2)],
    });
    throws(() => device.control("ota_1").setBoot(), { type: EspError, code: "ESP_ERR_OTA_SMALL_SEC_VER" });
    throws(() => device.device.describe(device.partition("ota_0")), { type: ImageError });
    deepEqual(device.entries(), ["-", "2 valid"]);
  });

  it("finds no way back to a lower secure version", () => {
    const otadata = [VALID_1, makeEntry(2, STATE_PENDING_VERIFY)];
    const device = new BootDevice({ images, efuse: { secureVersion: 5 }, otadata });
    throws(() => device.control("ota_1").markInvalid(), { code: "ESP_ERR_OTA_ROLLBACK_FAILED" });
  });
});

describe("esp_ota operations", () => {
  it("find the slot to update", () => {
    const device = new BootDevice({ factory: true, slots: 3 });
    for (const [running, next] of [
      ["factory", "ota_0"],
      ["ota_0", "ota_1"],
      ["ota_2", "ota_0"],
    ])
      equal(device.operations(running).getNextUpdatePartition()?.label, next);
  });

  it("tell the state of a slot by the first entry for it, not by the newest", () => {
    const device = new BootDevice({ otadata: [VALID_1, makeEntry(3, STATE_NEW)] });
    const operations = device.operations("ota_0");
    equal(operations.getStatePartition(device.partition("ota_0")), STATE_VALID);
    throws(() => operations.getStatePartition(device.partition("ota_1")), { code: "ESP_ERR_NOT_FOUND" });
    throws(() => operations.getStatePartition(device.partition("nvs")), { code: "ESP_ERR_NOT_SUPPORTED" });
  });

  it("refuse to make an image bootable that would not boot, with the reason", () => {
    const device = new BootDevice({ images: { ota_0: smallImage("ota_0") }, otadata: [VALID_1] });
    throws(() => device.operations("ota_0").setBootPartition(device.partition("ota_1")), {
      type: EspError,
      code: "ESP_ERR_OTA_VALIDATE_FAILED",
      message: "first byte is 0xff",
    });
    equal(device.flash.operations, 0);
  });

  it("refuse a slot behind a gap", () => {
    const table = slotTable({ slotSize: 0x10000 }).map((row) =>
      row.label === "ota_1" ? { ...row, label: "ota_2", subtype: 0x12 } : row,
    );
    const device = new BootDevice({ table, otadata: [VALID_1] });
    throws(() => device.operations("ota_0").setBootPartition(device.partition("ota_2")), {
      code: "ESP_ERR_INVALID_ARG",
    });
  });

  it("keep the label bytes of the sector they rewrite", () => {
    const label = new Uint8Array(20).fill(0x41);
    const device = new BootDevice({ otadata: [VALID_1, makeEntry(2, STATE_ABORTED, label)] });
    device.operations("ota_0").setBootPartition(device.partition("ota_1"));
    deepEqual(device.device.entries()[1], makeEntry(2, STATE_NEW, label));
  });

  it("refuse to begin an update of the running slot or of no slot", () => {
    const device = new BootDevice({ otadata: [VALID_1] });
    const operations = device.operations("ota_0");
    throws(() => operations.begin(device.partition("ota_0")), { code: "ESP_ERR_OTA_PARTITION_CONFLICT" });
    throws(() => operations.begin(device.partition("nvs")), { code: "ESP_ERR_INVALID_ARG" });
  });

  it("need otadata", () => {
    const table = slotTable({ slotSize: 0x10000 }).filter(({ label }) => label !== "otadata");
    const device = new BootDevice({ table });
    const operations = device.operations("ota_0");
    throws(() => operations.markAppValid(), { code: "ESP_ERR_NOT_FOUND" });
    throws(() => operations.getBootPartition(), { code: "ESP_ERR_NOT_FOUND" });
  });

  it("find no last invalid partition when its image is gone", () => {
    const device = new BootDevice({
      images: { ota_0: smallImage("ota_0") },
      otadata: [VALID_1, makeEntry(2, STATE_ABORTED)],
    });
    equal(device.operations("ota_0").getLastInvalidPartition(), undefined);
  });
});

describe("esp_ota_invalidate_inactive_ota_data_slot", () => {
  const bad = { ...makeEntry(2, STATE_VALID), crc: 5 };
  const REFUSED: readonly [string, string, readonly (OtaEntry | undefined)[]][] = [
    ["no entry is active", "ota_0", [makeEntry(1, STATE_ABORTED), undefined]],
    [
      "no entry is active, and both were given up",
      "ota_0",
      [makeEntry(1, STATE_ABORTED), makeEntry(2, STATE_INVALID)],
    ],
    ["the inactive entry is empty", "ota_0", [VALID_1, undefined]],
    [
      "the inactive entry is empty, with a checksum that is right",
      "ota_0",
      [VALID_1, makeEntry(0xffffffff, 0)],
    ],
    ["the checksum of the inactive entry is wrong", "ota_0", [VALID_1, bad]],
    ["the inactive entry is the running slot's", "ota_0", [VALID_1, makeEntry(2, STATE_VALID)]],
  ];
  for (const [title, running, otadata] of REFUSED)
    it(`is ESP_FAIL when ${title}; esp_ota_begin does not mind`, () => {
      const device = new BootDevice({ otadata });
      // In the last case the boot loader has fallen back: the active entry names ota_1.
      const operations = device.operations(running);
      throws(() => operations.invalidateInactive(), { type: EspError, code: "ESP_FAIL" });
      throws(() => operations.eraseLastBootAppPartition(), { type: EspError, code: "ESP_FAIL" });
      operations.begin(device.partition("ota_1"));
      equal(device.flash.operations, 0);
    });

  it("erases the entry of another slot, and esp_ota_erase_last_boot_app_partition the slot as well", () => {
    const otadata = [makeEntry(3, STATE_VALID), makeEntry(2, STATE_ABORTED)];
    const device = new BootDevice({ otadata });
    device.operations("ota_0").invalidateInactive();
    deepEqual(device.entries(), ["3 valid", "-"]);
    equal(device.device.describe(device.partition("ota_1")).version, "ota_1");
    const other = new BootDevice({ otadata });
    other.operations("ota_0").eraseLastBootAppPartition();
    deepEqual(other.entries(), ["3 valid", "-"]);
    throws(() => other.device.describe(other.partition("ota_1")), { type: ImageError });
  });
});

describe("ModelBootControl", () => {
  it("describes the running application", () => {
    const { running, rollbackEnabled, runningPartition, otherPartition } = new BootDevice().control("ota_0");
    equal(running.version, "ota_0");
    equal(running.chipId, 5);
    equal(rollbackEnabled, true);
    deepEqual([runningPartition.label, otherPartition.label], ["ota_0", "ota_1"]);
  });

  it("goes through the life of an update", () => {
    const device = new BootDevice();
    device.boot();
    const old = device.control("ota_0");
    deepEqual([old.imageState(), old.otherState()], ["valid", "undefined"]);
    old.setBoot();
    deepEqual([old.imageState(), old.otherState()], ["valid", "new"]);
    equal(device.boot(), "ota_1");
    const fresh = device.control("ota_1");
    deepEqual([fresh.imageState(), fresh.otherState()], ["pending-verify", "valid"]);
    fresh.markValid();
    equal(fresh.imageState(), "valid");
    equal(device.boot(), "ota_1");
  });

  it("goes back when the application gives itself up", () => {
    const device = new BootDevice({ otadata: [VALID_1, makeEntry(2, STATE_PENDING_VERIFY)] });
    device.control("ota_1").markInvalid();
    equal(device.boot(), "ota_0");
    equal(device.control("ota_0").otherState(), "invalid");
  });

  it("goes back when the application was not confirmed", () => {
    const device = new BootDevice({ otadata: [VALID_1, makeEntry(2, STATE_NEW)] });
    device.boot();
    equal(device.boot(), "ota_0");
    equal(device.control("ota_0").otherState(), "aborted");
  });

  it("refuses to give up the only application", () => {
    const device = new BootDevice({ otadata: [VALID_1] });
    throws(() => device.control("ota_0").markInvalid(), { code: "ESP_ERR_OTA_ROLLBACK_FAILED" });
    equal(device.flash.operations, 0);
  });

  it("knows no state of a factory application", () => {
    const control = new BootDevice({ factory: true }).control("factory");
    equal(control.imageState(), "undefined");
    throws(() => control.markValid(), { code: "ESP_FAIL" });
  });

  for (const state of [STATE_ABORTED, STATE_INVALID, STATE_NEW, STATE_VALID, STATE_UNDEFINED])
    it(`forgets state ${state} of the other slot`, () => {
      const device = new BootDevice({ otadata: [VALID_1, makeEntry(2, state)] });
      const control = device.control("ota_0");
      control.clearOther();
      equal(control.otherState(), "undefined");
      deepEqual(device.entries(), ["1 valid", "-"]);
      equal(device.boot(), "ota_0");
    });

  it("has nothing to forget without a flash operation", () => {
    const device = new BootDevice({ otadata: [VALID_1, makeEntry(3, STATE_NEW)] });
    const control = device.control("ota_0");
    control.clearOther();
    equal(device.flash.operations, 0);
    const blank = new BootDevice({ encrypted: true, otadata: [VALID_1] });
    blank.control("ota_0").clearOther();
    equal(blank.flash.operations, 0);
  });

  it("restarts through the host", () => {
    let restarts = 0;
    new BootDevice().control("ota_0", () => restarts++).restart();
    equal(restarts, 1);
  });

  it("needs another slot", () => {
    throws(() => new BootDevice({ slots: 1 }).control("ota_0"), { message: "no other slot" });
  });

  it("needs an application that describes itself", () => {
    const device = new BootDevice({ images: {} });
    throws(() => device.control("ota_0"), { type: ImageError });
  });

  it("lets flash errors through", () => {
    const device = new BootDevice({ otadata: [VALID_1, makeEntry(2, STATE_PENDING_VERIFY)] });
    const control = device.control("ota_1");
    device.flash.faults = refuse(({ kind }) => kind === "erase", "fail");
    throws(() => control.markValid(), { type: FlashError });
  });
});

describe("device flash", () => {
  it("opens partitions as the table says", () => {
    const table = slotTable({ slotSize: 0x10000 }).map((row) =>
      row.label === "nvs" ? { ...row, readOnly: true } : row,
    );
    const { device } = new BootDevice({ table });
    ok(device instanceof DeviceFlash);
    const nvs = device.open(device.partitions[0]);
    ok(nvs instanceof FlashPartition);
    equal(nvs.status().size, 0x4000);
    throws(() => nvs.eraseBlock(0), { message: "read-only" });
  });

  it("has no entries without otadata", () => {
    const table = slotTable({ slotSize: 0x10000 }).filter(({ label }) => label !== "otadata");
    throws(() => new BootDevice({ table }).device.entries(), { message: "no otadata" });
  });
});
