import { compareVersions, packVersion, parseVersion } from "../../src/slot/version.js";
import { deepEqual, equal, ok } from "../support/assert.js";

describe("version", () => {
  const versions: [string, number[], string[]?, number?][] = [
    ["1", [1, 0, 0, 0]],
    ["1.2", [1, 2, 0, 0]],
    ["1.2.3", [1, 2, 3, 0]],
    ["v1.2.3", [1, 2, 3, 0]],
    ["V1.2.3", [1, 2, 3, 0]],
    ["13.4.0.2", [13, 4, 0, 2]],
    ["13.4.0.2(tasmota32)", [13, 4, 0, 2]],
    ["0.0.0", [0, 0, 0, 0]],
    ["2024.01.05", [2024, 1, 5, 0]],
    ["2024-10-1", [2024, 10, 1, 0]],
    ["2024-10-01-rc2", [2024, 10, 1, 0], ["rc", "2"]],
    ["20241001", [20241001, 0, 0, 0]],
    ["202410011259", [202410011259, 0, 0, 0]],
    ["123456", [123456, 0, 0, 0]],
    ["1.2.3-rc.1", [1, 2, 3, 0], ["rc", "1"]],
    ["1.2.3-RC-1", [1, 2, 3, 0], ["rc", "1"]],
    ["1.2.3-rc1+x", [1, 2, 3, 0], ["rc", "1"]],
    ["1.2.3rc1", [1, 2, 3, 0], ["rc", "1"]],
    ["2026.7.0b1", [2026, 7, 0, 0], ["b", "1"]],
    ["2026.7.0-dev", [2026, 7, 0, 0], ["dev"]],
    ["1.2.3+x.7-a", [1, 2, 3, 0]],
    ["1.2.3-4-gabcdef0-dirty", [1, 2, 3, 0], [], 4],
    ["1.2.3-dirty", [1, 2, 3, 0]],
    ["1.6.0-rc4-12-gabcdef0", [1, 6, 0, 0], ["rc", "4"], 12],
    ["1.2-rc", [1, 2, 0, 0], ["rc"]],
    ["999999999999999.0.0", [999999999999999, 0, 0, 0]],
  ];
  for (const [text, numbers, preRelease = [], commits = 0] of versions)
    it(`reads "${text}"`, () =>
      deepEqual(parseVersion(text), { numbers, preRelease: [...preRelease], commits }));

  const others = [
    ...[
      "",
      "v",
      "vv1",
      "x1.2.3",
      "1.2.3.4.5",
      "1.",
      ".1",
      "1..2",
      "1.2.",
      " 1.2.3",
      "1.2.3 ",
      "-1.2.3",
      "1.-2.3",
    ],
    ...[
      "1.2.3-",
      "1.2.3--",
      "1.2a",
      "1.2.3final",
      "1.2.3-rc.",
      "1.2.3-rc..1",
      "1.2.3-rc_1",
      "1.2.3+",
      "1.2.3+a+b",
      "1.2.3+a_b",
      "1.2.x",
      "1e3",
    ],
    ...[
      "0x10",
      "1.2.3-ä",
      "1,2",
      "١.٢",
      "1\0",
      "9999999999999999",
      "Infinity",
      "NaN",
      "main",
      "deadbeef",
      "9e627e7-dirty",
      "1234567",
      "1234567-dirty",
    ],
  ];
  for (const text of others)
    it(`does not read ${JSON.stringify(text)}`, () => equal(parseVersion(text), undefined));

  // Every row is older than the next.
  const order = [
    "0.0.1",
    "0.9.9",
    "1.0.0-1",
    "1.0.0-9",
    "1.0.0-10",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "v1",
    "1.0.1-dev",
    "1.0.1b1",
    "1.0.1-beta.2",
    "1.0.1-rc4",
    "1.0.1-rc4-9-gabcdef0",
    "1.0.1-rc4-10-gabcdef0",
    "1.0.1-RC-5",
    "1.0.1-rc10",
    "1.0.1",
    "1.0.1-4-gabcdef0",
    "1.0.1-9-gabcdef0",
    "1.0.1-10-g1234567-dirty",
    "1.0.1.1",
    "1.0.1.2",
    "1.0.1.10(tasmota)",
    "1.0.255",
    "1.0.65536",
    "1.0.65537",
    "1.2",
    "1.256",
    "1.257",
    "2.0.0-0",
    "2.0.0",
    "256.0.0",
    "257.0.0",
    "2024-9-1",
    "2024-10-1",
    "2026.7.0-dev20260601",
    "2026.7.0b1",
    "2026.7.0b10",
    "2026.7.0",
    "2026.7.1",
    "20240901",
    "20241001",
  ];
  it("orders versions", () => {
    for (let a = 0; a < order.length; a++)
      for (let b = 0; b < order.length; b++)
        equal(
          Math.sign(compareVersions(order[a], order[b])),
          Math.sign(a - b),
          `${order[a]} and ${order[b]}`,
        );
  });

  for (const [a, b] of [
    ["1.2.3", "v1.2.3+build.5"],
    ["1", "1.0.0"],
    ["01.02", "1.2"],
    ["1.0.0-rc", "1.0-rc+x"],
    ["1.0.0-rc.4", "1.0RC4"],
    ["1.0.0a2", "1.0-alpha2"],
    ["v2.1-9-gabcdef0", "2.1-9-g1234567-dirty"],
    ["2.1", "2.1-dirty"],
  ])
    it(`finds "${a}" and "${b}" equal`, () => equal(compareVersions(a, b), 0));

  it("finds no order with what is no version", () => {
    ok(Number.isNaN(compareVersions("1.0.0", "main")));
    ok(Number.isNaN(compareVersions("main", "1.0.0")));
    ok(Number.isNaN(compareVersions("main", "main")));
  });

  const packed: [string, number][] = [
    ["1.0.1", 0x01000001],
    ["1.2.3-rc.1", 0x01020003],
    ["255.255.65535", 0xffffffff],
    ["256.0.0", 0xff000000],
    ["0.9.0", 0x00090000],
    ["1.256.65536", 0x01ffffff],
    ["main", 0],
  ];
  for (const [text, value] of packed) it(`packs "${text}"`, () => equal(packVersion(text), value));
});
