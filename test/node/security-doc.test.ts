/**
 * The tests docs/SECURITY.md names exist, by these titles.
 * @module
 */
import { ok } from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { JobKind } from "../system/scenario.js";
import { scenarioOf } from "../system/seed.js";

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const document = readFileSync(path("docs/SECURITY.md"), "utf8");
const parts = document.split("\n").flatMap((line) => line.split(/[;|]/));

describe("docs/SECURITY.md", () => {
  it("names test files that exist", () => {
    const files = [...document.matchAll(/`(test\/[^`]+)`/g)].map(([, file]) => file);
    ok(files.length > 20);
    for (const file of files) ok(existsSync(path(file)), file);
  });

  it("names tests by their titles", () => {
    let named = 0;
    for (const part of parts) {
      const file = /`(test\/[^`]+\.ts)`/.exec(part)?.[1];
      if (!file) continue;
      const source = readFileSync(path(file), "utf8");
      for (const [, title] of part.matchAll(/"([^"]+)"/g)) {
        named++;
        ok(source.includes(title.split("…")[0].trim()), `${file}: ${title}`);
      }
    }
    ok(named > 20, `${named} titles`);
  });

  it("names jobs the seeds have", () => {
    const kinds = new Set<JobKind>();
    for (let seed = 1; seed <= 2000; seed++) for (const { kind } of scenarioOf(seed).jobs) kinds.add(kind);
    for (const part of parts.filter((text) => text.includes("seeds: jobs")))
      for (const [, kind] of part.matchAll(/"([^"]+)"/g)) ok(kinds.has(kind as JobKind), kind);
  });
});
