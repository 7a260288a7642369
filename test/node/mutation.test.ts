/**
 * The list of deliberate faults fits the code it is to be put into.
 * @module
 */
import { equal, ok } from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MUTATIONS } from "../mutation/mutations.js";

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

describe("deliberate faults", () => {
  for (const { name, file, from, to, tests } of MUTATIONS)
    it(`${file}: ${name}`, () => {
      const source = readFileSync(path(file), "utf8");
      equal(source.split(from).length - 1, 1, `"${from}" stands there once`);
      ok(from !== to);
      ok(tests.length > 0);
      for (const test of tests) ok(existsSync(path(test)), test);
    });
});
