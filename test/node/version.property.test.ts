/**
 * Laws of the order of versions.
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { compareVersions, packVersion, parseVersion } from "../../src/slot/version.js";

const number = fc.oneof(fc.nat(3), fc.nat(70000));
const identifier = fc.oneof(
  fc.nat(12).map(String),
  fc.stringMatching(/^[0-9a-z]{1,3}(-[0-9a-z]{1,3})?$/),
  fc.constantFrom("rc4", "dev", "b1", "dirty"),
);
const version = fc
  .tuple(
    number,
    number,
    number,
    fc.array(identifier, { maxLength: 3 }),
    fc.boolean(),
    fc.constantFrom("", "", "-3-gabcdef0", "-12-g1234567-dirty"),
  )
  .map(
    ([major, minor, build, pre, v, described]) =>
      `${v ? "v" : ""}${major}.${minor}.${build}${pre.length ? `-${pre.join(".")}` : ""}${described}`,
  );
const sign = (a: string, b: string) => Math.sign(compareVersions(a, b)) + 0;

describe("versions, generated", () => {
  it("are antisymmetric and transitive", () =>
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        equal(sign(a, a), 0);
        equal(sign(a, b), -sign(b, a) + 0);
        const [x, y, z] = [a, b, c].sort(sign);
        ok(sign(x, y) <= 0 && sign(y, z) <= 0 && sign(x, z) <= 0);
      }),
    ));

  it("keep their order when packed, while their numbers fit", () => {
    const fitting = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(65535)).map((numbers) => numbers.join("."));
    fc.assert(
      fc.property(fitting, fitting, (a, b) => equal(Math.sign(packVersion(a) - packVersion(b)), sign(a, b))),
    );
  });

  it("read any text without an error", () =>
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const read = parseVersion(text);
        if (read) deepEqual(parseVersion(`v${text.replace(/^v/i, "")}`), read);
      }),
    ));
});
