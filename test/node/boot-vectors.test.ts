import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { deepEqual, equal, ok } from "../support/assert.js";
import { BootVectorReplay, type BootVectors } from "../support/boot-vectors.js";

const file = new URL("../data/boot-vectors.json.gz", import.meta.url);

describe("boot models against cases recorded from ESP-IDF", () => {
  const vectors = JSON.parse(gunzipSync(readFileSync(file)).toString()) as BootVectors;
  const replay = new BootVectorReplay(vectors, () => createHash("sha256"));
  const byOperation = new Map<string, string[]>();
  for (const text of vectors.cases) {
    const [, configuration, operation] = text.split("|");
    const key = `${operation}, ${configuration === "rb" ? "rollback" : "no rollback"}`;
    byOperation.set(key, [...(byOperation.get(key) ?? []), text]);
  }

  it("has all cases", () => {
    equal(vectors.cases.length, 7018);
    equal(byOperation.size, 22);
  });

  for (const [key, cases] of byOperation)
    it(`${key}: results, entries and flash operations agree`, () => {
      ok(cases.length > 100);
      const differing = cases.map((text) => [text, replay.replay(text)]).filter(([a, b]) => a !== b);
      deepEqual(differing.slice(0, 5), []);
    });
});
