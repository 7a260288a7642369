import { md5 } from "../../hosts/formats/md5.js";
import { parsePartitionCsv } from "../../hosts/formats/partition-csv.js";
import {
  appName,
  encodePartitionTable,
  findPartition,
  otaSlots,
  type Partition,
  PartitionTableError,
  parsePartitionTable,
  TYPE_APP,
  TYPE_DATA,
  verifyPartitionTable,
} from "../../hosts/formats/partition-table.js";
import { deepEqual, equal, throws } from "../support/assert.js";
import { ascii, hex } from "../support/hex.js";

const CSV = `# Name,   Type, SubType, Offset,  Size, Flags
nvs,      data, nvs,     0x9000,  0x4000,
otadata,  data, ota,     0xd000,  0x2000,
phy_init, data, phy,     0xf000,  0x1000,
factory,  app,  factory, 0x10000, 0x100000,
ota_0,    app,  ota_0,   0x110000, 0x100000,
ota_1,    app,  ota_1,   0x210000, 0x100000,
`;
/** What ESP-IDF's gen_esp32part.py makes of it, without the erased rest. */
const BINARY = hex(`
  aa50 0102 00900000 00400000 6e767300000000000000000000000000 00000000
  aa50 0100 00d00000 00200000 6f746164617461000000000000000000 00000000
  aa50 0101 00f00000 00100000 7068795f696e69740000000000000000 00000000
  aa50 0000 00000100 00001000 666163746f7279000000000000000000 00000000
  aa50 0010 00001100 00001000 6f74615f300000000000000000000000 00000000
  aa50 0011 00002100 00001000 6f74615f310000000000000000000000 00000000
  ebeb ffffffffffffffffffffffffffff bf25822c0fa6d8641bd930251e06b4c4`);

const FLASH_SIZE = 0x400000;

function row(change: Partial<Partition> = {}): Partition {
  return {
    label: "ota_0",
    type: TYPE_APP,
    subtype: 0x10,
    offset: 0x10000,
    size: 0x10000,
    encrypted: false,
    readOnly: false,
    ...change,
  };
}

describe("MD5", () => {
  for (const [text, digest] of [
    ["", "d41d8cd98f00b204e9800998ecf8427e"],
    ["abc", "900150983cd24fb0d6963f7d28e17f72"],
    ["1234567890".repeat(8), "57edf4a22be3c955ac49da2e2107b67a"],
  ])
    it(`agrees with RFC 1321 for ${text.length} characters`, () => {
      deepEqual(md5(ascii(text)), hex(digest));
    });
});

describe("partition tables, binary", () => {
  const rows = parsePartitionTable(encodePartitionTable(parsePartitionCsv(CSV)));

  it("are written as ESP-IDF writes them", () => {
    const bytes = encodePartitionTable(parsePartitionCsv(CSV));
    equal(bytes.length, 3072);
    deepEqual(bytes.slice(0, BINARY.length), BINARY);
    equal(
      bytes.subarray(BINARY.length).every((byte) => byte === 0xff),
      true,
    );
  });

  it("are read row by row", () => {
    equal(rows.length, 6);
    deepEqual(rows[4], row({ label: "ota_0", offset: 0x110000, size: 0x100000 }));
    deepEqual(rows, parsePartitionCsv(CSV));
  });

  it("need no MD5", () => {
    deepEqual(parsePartitionTable(encodePartitionTable(rows, false)), rows);
  });

  it("carry flags and labels of 16 characters", () => {
    const odd = [row({ encrypted: true, label: "a123456789012345" }), row({ readOnly: true })];
    deepEqual(parsePartitionTable(encodePartitionTable(odd)), odd);
  });

  it("are refused when the MD5 does not fit", () => {
    const bytes = encodePartitionTable(rows);
    bytes[4] ^= 1;
    throws(() => parsePartitionTable(bytes), { type: PartitionTableError, message: "MD5" });
  });

  it("are refused when a row has a wrong mark", () => {
    const bytes = encodePartitionTable(rows, false);
    bytes[32] = 0;
    throws(() => parsePartitionTable(bytes), {
      type: PartitionTableError,
      message: "row 1 starts with 0x5000",
    });
  });

  it("are refused without an end", () => {
    throws(() => parsePartitionTable(BINARY.subarray(0, 96)), {
      type: PartitionTableError,
      message: "no end",
    });
    throws(() => parsePartitionTable(new Uint8Array(0)), { type: PartitionTableError, message: "no end" });
  });

  it("hold no more rows than fit", () => {
    throws(() => encodePartitionTable(Array(95).fill(row())), {
      type: PartitionTableError,
      message: "95 rows",
    });
    equal(parsePartitionTable(encodePartitionTable(Array(94).fill(row()))).length, 94);
  });

  for (const label of ["a1234567890123456", "Größe"])
    it(`have no label "${label}"`, () => {
      throws(() => encodePartitionTable([row({ label })]), { type: PartitionTableError, message: label });
    });
});

describe("partition tables, lookups", () => {
  const rows = parsePartitionCsv(CSV);

  it("find by type and subtype", () => {
    equal(findPartition(rows, TYPE_DATA, 0)?.label, "otadata");
    equal(findPartition(rows, TYPE_DATA, 0x82), undefined);
  });

  it("find the slots up to the first gap", () => {
    const gap = [...rows, row({ label: "ota_3", subtype: 0x13, offset: 0x310000 })];
    deepEqual(
      otaSlots(gap).map(({ label }) => label),
      ["ota_0", "ota_1"],
    );
  });

  it("name app partitions", () => {
    deepEqual(
      [0x00, 0x10, 0x1f, 0x20].map((subtype) => appName(row({ subtype }))),
      ["factory", "ota_0", "ota_15", "test"],
    );
  });
});

describe("partition tables, rules", () => {
  for (const [title, rows, message] of [
    ["an app off a 64 KB boundary", [row({ offset: 0x11000 })], "0x10000"],
    ["data off a 4 KB boundary", [row({ type: TYPE_DATA, subtype: 2, offset: 0x10800 })], "0x1000"],
    ["part of a sector", [row({ size: 0x10800 })], "size"],
    ["nothing", [row({ size: 0 })], "size"],
    ["more than the flash", [row({ size: FLASH_SIZE })], "does not fit"],
    ["the table itself", [row({ type: TYPE_DATA, subtype: 2, offset: 0x8000 })], "begins before 0x9000"],
    ["the same bytes twice", [row(), row({ label: "x", offset: 0x10000 })], "begins before 0x20000"],
    ["the same label twice", [row(), row({ offset: 0x20000 })], "used twice"],
    ["otadata of one sector", [row({ type: TYPE_DATA, subtype: 0, size: 0x1000 })], "0x2000"],
    [
      "two otadata",
      [0x10000, 0x20000].map((offset) =>
        row({ label: `${offset}`, type: TYPE_DATA, subtype: 0, size: 0x2000, offset }),
      ),
      "more than one",
    ],
  ] as const)
    it(`forbid ${title}`, () => {
      throws(() => verifyPartitionTable(rows, FLASH_SIZE), { type: PartitionTableError, message });
    });

  it("allow any order", () => {
    verifyPartitionTable([...parsePartitionCsv(CSV)].reverse(), FLASH_SIZE);
  });
});

describe("partition tables, CSV", () => {
  it("may leave out offsets", () => {
    const rows = parsePartitionCsv(
      "nvs,data,nvs,,0x6000\nphy,data,phy,,4K\na,app,ota_0,,1M,\nb,app,ota_1,,64k",
    );
    deepEqual(
      rows.map(({ offset, size }) => [offset, size]),
      [
        [0x9000, 0x6000],
        [0xf000, 0x1000],
        [0x10000, 0x100000],
        [0x110000, 0x10000],
      ],
    );
  });

  it("align an app without offset, not data", () => {
    const rows = parsePartitionCsv("nvs,data,nvs,,0x1000\na,app,ota_0,,0x10000\nb,data,fat,,0x1000");
    deepEqual(
      rows.map(({ offset }) => offset),
      [0x9000, 0x10000, 0x20000],
    );
  });

  it("take a negative size for the offset of the end", () => {
    deepEqual(parsePartitionCsv("a,app,ota_0,0x10000,-0x30000")[0].size, 0x20000);
    deepEqual(parsePartitionCsv("a,app,ota_0,0x10000,-2M")[0].size, 0x1f0000);
  });

  it("know names and numbers of types and subtypes", () => {
    const rows = parsePartitionCsv(
      "a,app,ota_15,,64K\nb,0,0x20,,64K\nc,data,littlefs,,4K\nd,0x40,1,,4K\ne,data,,,4K\nf,1,129,,4K",
    );
    deepEqual(
      rows.map(({ type, subtype }) => [type, subtype]),
      [
        [0, 0x1f],
        [0, 0x20],
        [1, 0x83],
        [0x40, 1],
        [1, 6],
        [1, 0x81],
      ],
    );
  });

  it("know flags", () => {
    const [a, b] = parsePartitionCsv("a,data,nvs,,4K,encrypted\nb,data,nvs,,4K,encrypted:readonly");
    deepEqual([a.encrypted, a.readOnly, b.encrypted, b.readOnly], [true, false, true, true]);
  });

  it("skip comments and empty lines, with any line ends", () => {
    equal(parsePartitionCsv("# a\r\n\r\n  # b\r\nnvs, data, nvs, , 4K\r\n").length, 1);
  });

  it("may begin behind a table elsewhere", () => {
    equal(parsePartitionCsv("nvs,data,nvs,,4K", 0x10000)[0].offset, 0x11000);
  });

  for (const [line, message] of [
    ["nvs,data,nvs,0x9000", "needs name"],
    ["nvs,dada,nvs,,4K", 'type "dada"'],
    ["nvs,data,ota_0,,4K", 'subtype "ota_0"'],
    ["nvs,app,ota_16,,64K", 'subtype "ota_16"'],
    ["nvs,app,,,64K", 'subtype ""'],
    ["nvs,data,nvs,,4G", 'size "4G"'],
    ["nvs,data,nvs,,", 'size ""'],
    ["nvs,data,nvs,x,4K", 'offset "x"'],
    ["nvs,data,nvs,,4K,secret", '"secret"'],
    ["nvs,data,nvs,0x8000,4K", "0x9000 is free"],
    ["nvs,255,nvs,,4K", "type 255"],
    ["nvs,toString,nvs,,4K", 'type "toString"'],
    ["nvs,data,nvs,0x9000,-0x9000", "leaves nothing"],
  ])
    it(`refuse "${line}"`, () => {
      throws(() => parsePartitionCsv(`# first\n${line}`), { type: PartitionTableError, message: `line 2: ` });
      throws(() => parsePartitionCsv(line), { type: PartitionTableError, message });
    });
});
