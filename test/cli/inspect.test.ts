import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { buildFlashDump, slotTable } from "../../hosts/emulated/flash-dump.js";
import { buildComponent, buildStatement } from "../../hosts/formats/component-builder.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { buildNvs } from "../../hosts/formats/nvs-builder.js";
import {
  encodeEntry,
  makeEntry,
  STATE_NEW,
  STATE_PENDING_VERIFY,
  STATE_VALID,
} from "../../hosts/formats/otadata.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { Folder } from "./run.js";

/** What esptool v5 prints for each image (`image-info`); offsets are those of the segments' headers. */
const ESPTOOL = [
  {
    file: "app-c3-v1.bin",
    chip: ["ESP32-C3", 5],
    entry: 0x40384000,
    flash: { mode: "DIO", frequency: "80m", size: "4MB" },
    revisions: ["v0.3", "v1.99"],
    segments: [
      [0x0418c, 0x3c000020, 0x00018],
      [0x00040, 0x3fc90000, 0x041ac],
      [0x001d8, 0x40384000, 0x041f4],
      [0x0bc3c, 0x00000000, 0x043d4],
      [0x0000c, 0x42010020, 0x10018],
    ],
    checksum: 0x70,
    sha256: "0a06102fb98ad74a3b82e93619a3756a1c1e5e8b69214d912c499a2bb45a41de",
    version: "1.0.0",
    secureVersion: 0,
    elfSha256: "1d836654622a2a421f16ae2617716b3c3d6ac03e581e72ce32be6b79836408c0",
  },
  {
    file: "app-c3-v3sec5.bin",
    chip: ["ESP32-C3", 5],
    entry: 0x40384000,
    flash: { mode: "DIO", frequency: "80m", size: "4MB" },
    revisions: ["v0.3", "v1.99"],
    segments: [
      [0x0418c, 0x3c000020, 0x00018],
      [0x00040, 0x3fc90000, 0x041ac],
      [0x001d8, 0x40384000, 0x041f4],
      [0x0bc3c, 0x00000000, 0x043d4],
      [0x0000c, 0x42010020, 0x10018],
    ],
    checksum: 0x79,
    sha256: "9f909bc02f5d21d03cd536f88fe09c90505d92404af1d10070826361c9cb8ff2",
    version: "3.0.0",
    secureVersion: 5,
    elfSha256: "fac41ffce271b8f9af4da33cb041e469074c5b625fa2757a7594620ede91c75b",
  },
  {
    file: "app-esp32x-v1.bin",
    chip: ["ESP32", 0],
    entry: 0x40084118,
    flash: { mode: "DIO", frequency: "40m", size: "4MB" },
    revisions: ["v0.0", "v3.99"],
    segments: [
      [0x04188, 0x3f400020, 0x00018],
      [0x00040, 0x3ffb0000, 0x041a8],
      [0x001dc, 0x40084000, 0x041f0],
      [0x0bc3c, 0x00000000, 0x043d4],
      [0x0000c, 0x400e0020, 0x10018],
    ],
    checksum: 0xed,
    sha256: "da55d10a44a4ed13e827c7d8782dee006ebbc42f2cbd30b65d2921d7efa47332",
    version: "1.0.0",
    secureVersion: 0,
    elfSha256: "891f562c84634d47ab23fa564d0f029c3b9774be8e1ba75af676d8c9875d553b",
  },
] as const;

const sha256 = () => createHash("sha256");

describe("xs-ota inspect", () => {
  let folder: Folder;

  before(() => {
    folder = new Folder();
    folder.take(...ESPTOOL.map(({ file }) => file));
    for (const name of ["partitions", "partitions-3ota", "partitions-factory"])
      folder.take(`${name}.csv`, `${name}.bin`);
  });

  after(() => folder.close());

  const inspect = async (...args: string[]) => JSON.parse(await folder.good("inspect", ...args, "--json"));
  const data = (name: string) => new Uint8Array(readFileSync(folder.file(name)));

  for (const expected of ESPTOOL)
    it(`agrees with esptool on ${expected.file}`, async () => {
      const image = await inspect(expected.file);
      deepEqual([image.chip, image.chipId], expected.chip);
      equal(image.imageSize, 65616);
      equal(image.entry, expected.entry);
      deepEqual(image.flash, expected.flash);
      deepEqual([image.minChipRevision, image.maxChipRevision], expected.revisions);
      deepEqual(
        image.segments.map((s: Record<string, number>) => [s["length"], s["loadAddress"], s["offset"] - 8]),
        expected.segments,
      );
      equal(image.checksum, expected.checksum);
      equal(image.sha256, expected.sha256);
      equal(image.problem, undefined);
      const { version, secureVersion, elfSha256 } = expected;
      deepEqual(image.app, {
        ...{ version, secureVersion, elfSha256 },
        projectName: "ota-fixture",
        compileTime: "Jan  1 2026 00:00:00",
        idfVersion: "v6.0.2",
      });
    });

  it("shows an image to a person", async () => {
    const text = await folder.good("inspect", "app-c3-v3sec5.bin");
    for (const part of ["ESP32-C3 (id 5), revision v0.3 to v1.99", "3.0.0", "v6.0.2", "0x79", "it boots"])
      ok(text.includes(part), `${part} is not in ${text}`);
    ok(/Secure version +5\n/.test(text), text);
  });

  it("says whether an image fits the slots", async () => {
    const { slots } = await inspect("app-c3-v1.bin", "--partitions", "partitions.csv");
    deepEqual(slots, [
      { slot: "ota_0", size: 0x180000, fits: true, resumable: true },
      { slot: "ota_1", size: 0x180000, fits: true, resumable: true },
    ]);
    folder.write("tight.csv", "otadata,data,ota,,8K\na,app,ota_0,,64K\nb,app,ota_1,,68K\n");
    const { code, stdout } = await folder.run("inspect", "app-c3-v1.bin", "--partitions", "tight.csv");
    equal(code, 1);
    ok(/ota_0 +65,536 bytes: does not fit/.test(stdout), stdout);
    ok(/ota_1 +69,632 bytes: fits, without room/.test(stdout), stdout);
  });

  for (const [running, code, order, words] of [
    ["0.9.0", 0, "newer", "newer: devices take it"],
    ["1.0.1", 1, "older", "older: devices refuse it"],
    ["1.0.0", 1, "same", "the same version in another build"],
    ["nightly", 1, "unordered", "it cannot be told which is newer"],
    ["app-c3-v1.bin", 0, "identical", "the very same build"],
    ["app-c3-v3sec5.bin", 1, "older", "3.0.0: older"],
  ] as const)
    it(`says how an image compares with what runs: ${running}`, async () => {
      const result = await folder.run("inspect", "app-c3-v1.bin", running);
      equal(result.code, code);
      ok(result.stdout.includes(words), result.stdout);
      const json = await folder.run("inspect", "app-c3-v1.bin", running, "--json");
      equal(JSON.parse(json.stdout).comparison.order, order);
    });

  it("compares images alone", async () => {
    await folder.bad(2, "no image to compare", "inspect", "partitions.csv", "1.0.0");
  });

  it("tells a damaged image, and what ESP-IDF would say", async () => {
    const bytes = data("app-c3-v1.bin");
    bytes[0x4200] ^= 1;
    folder.write("flipped.bin", bytes);
    const { code, stdout } = await folder.run("inspect", "flipped.bin");
    equal(code, 1);
    ok(stdout.includes("ESP-IDF refuses it: checksum is 0x71, the image says 0x70"), stdout);
    bytes[0x4204] ^= 1;
    folder.write("twice.bin", bytes);
    const second = await folder.run("inspect", "twice.bin");
    equal(second.code, 1);
    ok(second.stdout.includes("SHA-256 of the image differs"), second.stdout);
  });

  it("tells what follows an image, which the agent would refuse", async () => {
    folder.write("longer.bin", new Uint8Array([...data("app-c3-v1.bin"), ...new Array(16).fill(1)]));
    const { code, stdout } = await folder.run("inspect", "longer.bin");
    equal(code, 1);
    ok(stdout.includes("65,616 bytes, 16 bytes follow in the file"), stdout);
    ok(/refuses it: the image ends .*65616.*65632/.test(stdout), stdout);
  });

  for (const name of ["partitions", "partitions-3ota", "partitions-factory"])
    it(`reads ${name} the same from CSV and binary`, async () => {
      const fromCsv = await inspect(`${name}.csv`);
      deepEqual(fromCsv, await inspect(`${name}.bin`));
      equal(fromCsv.slots, name === "partitions-3ota" ? 3 : 2);
    });

  it("tells a table that breaks a rule", async () => {
    folder.write("odd.csv", "a,app,ota_0,0x12000,64K\n");
    const { code, stdout } = await folder.run("inspect", "odd.csv");
    equal(code, 1);
    ok(stdout.includes('partition "a": offset is not a multiple of 0x10000'), stdout);
  });

  it("reads an otadata dump", async () => {
    const bytes = new Uint8Array(0x2000).fill(0xff);
    folder.write("empty.bin", bytes);
    ok((await inspect("empty.bin")).meaning.startsWith("never written"));
    bytes.set(encodeEntry(makeEntry(3, STATE_VALID)), 0);
    bytes.set(encodeEntry({ ...makeEntry(4, STATE_VALID), crc: 1 }), 0x1000);
    folder.write("otadata.bin", bytes);
    const { entries, meaning } = await inspect("otadata.bin", "--partitions", "partitions-3ota.csv");
    deepEqual(entries[0], {
      ...{ empty: false, sequence: 3, state: "valid", checksumRight: true, slot: "ota_2", active: true },
    });
    equal(entries[1].checksumRight, false);
    equal(meaning, "entry 0 is the valid one with the highest sequence: ota_2 boots");
  });

  it("takes for otadata what is an entry a sector and otherwise erased, no other file of two sectors", async () => {
    const bytes = new Uint8Array(0x2000).fill(0xff);
    bytes[0x1234] = 0;
    folder.write("other.bin", bytes);
    const { code, stderr } = await folder.run("inspect", "other.bin");
    equal(code, 2);
    ok(stderr.includes("NVS partition"), stderr);
    ok((await inspect("other.bin", "--as", "otadata")).meaning.startsWith("never written"));
  });

  it("reads an NVS partition, without its values: it was taken for otadata", async () => {
    const entries = [
      { namespace: "wifi", key: "ssid", value: "workshop" },
      { namespace: "wifi", key: "password", value: "do not tell" },
      { namespace: "app", key: "model", value: new Uint8Array(5000) },
      { namespace: "app", key: "count", value: -3 },
      { namespace: "app", key: "on", value: true },
    ];
    const partition = buildNvs(entries, 0x4000);
    folder.write("nvs.bin", partition);
    const found = await inspect("nvs.bin");
    equal(found.kind, "nvs");
    deepEqual(
      found.entries.map(({ namespace, key, type, bytes, damaged }: Record<string, unknown>) =>
        [namespace, key, type, bytes, damaged].join(" "),
      ),
      [
        "wifi ssid text 8 false",
        "wifi password text 11 false",
        "app model blob 5000 false",
        "app count i32 4 false",
        "app on u8 1 false",
      ],
    );
    const text = await folder.good("inspect", "nvs.bin");
    ok(/wifi +password +text +11/.test(text), text);
    ok(!text.includes("do not"), text);
    // A byte of a value: the entry is told to be damaged.
    const at = Buffer.from(partition).indexOf("do not tell");
    partition[at] ^= 1;
    folder.write("damaged.bin", partition);
    const damaged = (await inspect("damaged.bin")).entries as { key: string; damaged: boolean }[];
    equal(damaged.find(({ key }) => key === "password")?.damaged, true);
  });

  it("reads files of components and statements of sets", async () => {
    const header = {
      name: "assets",
      projectName: "my-app",
      version: "1.2.0",
      minFirmware: "1.0",
      maxFirmware: "",
    };
    const file = buildComponent(header, new Uint8Array(100));
    folder.write("assets.xac", file);
    const digest = new Uint8Array(sha256().update(file).digest());
    folder.write(
      "set.xas",
      buildStatement({
        sequence: 7,
        projectName: "my-app",
        entries: [{ name: "assets", version: "1.2.0", digest }],
      }),
    );
    ok(
      /Component +assets 1.2.0 of my-app\nFirmware +from 1.0\n/.test(
        await folder.good("inspect", "assets.xac"),
      ),
    );
    const { sequence, members } = await inspect("set.xas");
    equal(sequence, 7);
    deepEqual(members, [{ name: "assets", version: "1.2.0", sha256: (await inspect("assets.xac")).sha256 }]);
    folder.write("cut.xas", new Uint8Array(readFileSync(folder.file("set.xas")).subarray(0, 60)));
    const { code, stderr } = await folder.run("inspect", "cut.xas");
    equal(code, 2);
    ok(stderr.includes("damaged"), stderr);
  });

  describe("of a whole flash", () => {
    const image = (version: string) => buildImage({ projectName: "p", version, size: 20_000 }, sha256);
    const dump = (otadata: Parameters<typeof buildFlashDump>[0]["otadata"], second = image("2.0.0")) =>
      buildFlashDump({
        ...{ table: slotTable({ slotSize: 0x10000 }), flashSize: 0x100000, otadata },
        content: { ota_0: image("1.0.0"), ota_1: second },
      });

    it("says which slot would boot, and why", async () => {
      folder.write("dump.bin", dump([makeEntry(1, STATE_VALID), makeEntry(2, STATE_NEW)]));
      const { boot, apps, otadata } = await inspect("dump.bin");
      equal(boot.slot, "ota_1");
      equal(boot.version, "2.0.0");
      deepEqual(boot.steps, [
        "otadata entry 1 names ota_1",
        "ota_1 starts for the first time: pending verify",
        "ota_1 starts",
      ]);
      deepEqual(
        apps.map((app: { image: { app: { version: string } } }) => app.image.app.version),
        ["1.0.0", "2.0.0"],
      );
      equal(otadata.entries[1].state, "new");
      const text = await folder.good("inspect", "dump.bin");
      ok(text.includes("Would boot      ota_1, version 2.0.0, by a boot loader with rollback:"), text);
    });

    it("sees the rollback of what was not confirmed, where the boot loader rolls back", async () => {
      folder.write("trial.bin", dump([makeEntry(1, STATE_VALID), makeEntry(2, STATE_PENDING_VERIFY)]));
      equal((await inspect("trial.bin")).boot.slot, "ota_0");
      equal((await inspect("trial.bin", "--no-rollback")).boot.slot, "ota_1");
    });

    it("sees a damaged image, and that nothing boots", async () => {
      const broken = image("2.0.0");
      broken[5000] ^= 1;
      folder.write("broken.bin", dump([makeEntry(1, STATE_VALID), makeEntry(2, STATE_VALID)], broken));
      const { boot, apps } = await inspect("broken.bin");
      equal(boot.slot, "ota_0");
      ok(apps[1].image.problem.includes("checksum"), apps[1].image.problem);
      folder.write(
        "blank.bin",
        buildFlashDump({ table: slotTable({ slotSize: 0x10000 }), flashSize: 0x100000 }),
      );
      const { code, stdout } = await folder.run("inspect", "blank.bin");
      equal(code, 1);
      ok(stdout.includes("Would boot      nothing"), stdout);
    });
  });

  it("refuses what it cannot read in one line", async () => {
    await folder.bad(2, "there is no such file", "inspect", "nothing.bin");
    await folder.bad(2, "it is a folder", "inspect", ".");
    folder.write("void.bin", "");
    await folder.bad(2, "void.bin is empty", "inspect", "void.bin");
    folder.write(
      "noise.bin",
      Uint8Array.from({ length: 5000 }, (_, i) => (i * 17 + 3) & 0xff),
    );
    await folder.bad(2, "noise.bin is no ESP32 image, component, partition table", "inspect", "noise.bin");
    await folder.bad(
      2,
      "noise.bin is no whole ESP32 image: first byte is 0x3",
      "inspect",
      "noise.bin",
      "--as",
      "image",
    );
    folder.write("cut.bin", data("app-c3-v1.bin").subarray(0, 30_000));
    await folder.bad(2, "cut.bin is no whole ESP32 image: segment 3 ends outside", "inspect", "cut.bin");
    const table = data("partitions.bin");
    table[5] ^= 1;
    folder.write("badtable.bin", table);
    await folder.bad(2, "the table does not fit its MD5", "inspect", "badtable.bin");
    folder.write("bad.csv", "a,app,ota_0,,64K\nb,app,ota_x,,64K\n");
    await folder.bad(2, "line 2: subtype", "inspect", "bad.csv");
    await folder.bad(2, "It must be one of esp32, esp32s2", "inspect", "app-c3-v1.bin", "--chip", "esp8266");
    await folder.bad(2, "missing required argument 'file'", "inspect");
    await folder.bad(2, "unknown command 'inspekt'", "inspekt");
  });

  it("explains itself", async () => {
    for (const command of ["keygen", "inspect", "sign", "verify"]) {
      const text = await folder.good(command, "--help");
      ok(text.includes("\nExamples:\n  "), `${command} --help has no examples`);
    }
  });
});
