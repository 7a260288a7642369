/** The XS runner itself: what must fail there does fail here. */

import { deepStrictEqual, ok } from "node:assert";
import { rejects } from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { XsSuite } from "../xs/xs-suite.js";

const CASES = `
  const order = [];
  describe("outer", () => {
    before(() => { order.push("before"); });
    after(() => { order.push("after"); });
    beforeEach(async () => { await null; order.push("each"); });
    it("passes", () => { order.push("passes"); });
    it("throws", () => { throw new RangeError("deliberate"); });
    describe("inner", () => {
      it("rejects", async () => { await null; throw new TypeError("later"); });
    });
    it("never ends", () => new Promise(() => {}));
    it("loops", () => { for (;;); });
    it("knows the order", () => { if (order.join() !== "before,each,passes,each") throw new Error(order.join()); });
  });
`;

describe("Tests on XS", () => {
  let directory: string;
  let suite: XsSuite;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "xs-suite-"));
    writeFileSync(join(directory, "cases.test.ts"), CASES);
    suite = await XsSuite.load(join(directory, "cases.test.ts"));
  });
  beforeEach(() => suite.start());
  afterEach(() => suite.stop());
  after(() => rmSync(directory, { recursive: true }));

  it("are listed with the titles around them", async () => {
    const titles = await suite.list();
    deepStrictEqual(titles[2], ["outer", "inner", "rejects"]);
    deepStrictEqual(titles.length, 6);
  });

  it("pass when they return", () => suite.run(0, 5_000));

  it("run hooks in mocha's order", async () => {
    await suite.run(0, 5_000);
    await suite.run(5, 5_000);
  });

  it("fail with the error they throw", () => rejects(suite.run(1, 5_000), /RangeError: deliberate/));

  it("fail with the error they reject with", () => rejects(suite.run(2, 5_000), /TypeError: later/));

  it("fail when they wait for ever", () => rejects(suite.run(3, 5_000), /never happens/));

  it("fail when they do not stop computing", () => rejects(suite.run(4, 200), /killed/));

  it("may not import Node", async () => {
    writeFileSync(
      join(directory, "node.test.ts"),
      'import { join } from "node:path"; console.log(join("a", "b"));',
    );
    await rejects(XsSuite.load(join(directory, "node.test.ts")), /node:path/);
  });

  it("run in a process whose own intrinsics stay unlocked", () => {
    ok(!Object.isFrozen(Array.prototype));
  });
});
