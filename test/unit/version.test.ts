import { compareVersions, packVersion, parseVersion } from "../../src/slot/version.js";
import { deepEqual, equal, ok } from "../support/assert.js";

describe("version", () => {
  const versions: [string, [number, number, number, ...string[]]][] = [
    ["1", [1, 0, 0]],
    ["1.2", [1, 2, 0]],
    ["1.2.3", [1, 2, 3]],
    ["v1.2.3", [1, 2, 3]],
    ["V1.2.3", [1, 2, 3]],
    ["0.0.0", [0, 0, 0]],
    ["2024.01.05", [2024, 1, 5]],
    ["1.2.3-rc.1", [1, 2, 3, "rc", "1"]],
    ["1.2.3-rc.1+x", [1, 2, 3, "rc", "1"]],
    ["1.2.3+x.7-a", [1, 2, 3]],
    ["1.2.3-4-gabcdef0-dirty", [1, 2, 3, "4-gabcdef0-dirty"]],
    ["1.2-rc", [1, 2, 0, "rc"]],
    ["1.2.3--", [1, 2, 3, "-"]],
    ["999999999999999.0.0", [999999999999999, 0, 0]],
  ];
  for (const [text, [major, minor, build, ...preRelease]] of versions)
    it(`reads "${text}"`, () => deepEqual(parseVersion(text), { major, minor, build, preRelease }));

  const others = [
    ...[
      "",
      "v",
      "vv1",
      "x1.2.3",
      "1.2.3.4",
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
      "1.2.3-rc.",
      "1.2.3-rc..1",
      "1.2.3-rc_1",
      "1.2.3+",
      "1.2.3+a+b",
      "1.2.3+a_b",
      "1.2.x",
      "1e3",
    ],
    ...["0x10", "1.2.3-ä", "1,2", "١.٢", "1\0", "9999999999999999", "Infinity", "NaN", "main", "deadbeef"],
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
    "1.0.1-4-gabcdef0",
    "1.0.1",
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
