/** Whoever reads the documents finds every example, and every manifest there is. */
import { readdirSync, readFileSync } from "node:fs";
import { deepEqual, ok } from "../support/assert.js";

const ROOT = new URL("../../", import.meta.url);
const text = (name: string) => readFileSync(new URL(name, ROOT), "utf8");

describe("what the package offers", () => {
  it("has its examples in the README, and each in a chapter", () => {
    const examples = readdirSync(new URL("examples/", ROOT));
    ok(examples.length);
    for (const document of ["README.md", "docs/guide.md"])
      deepEqual(
        examples.filter(
          (name) => !new RegExp(`examples/${name}\\b|--example ${name}\\b`).test(text(document)),
        ),
        [],
        document,
      );
  });

  it("has its manifests in a document", () => {
    const documents = readdirSync(new URL("docs/", ROOT)).filter((name) => name.endsWith(".md"));
    const all = documents.map((name) => text(`docs/${name}`)).join("");
    const manifests = readdirSync(ROOT).filter((name) => /^manifest.*\.json$/.test(name));
    ok(manifests.length);
    deepEqual(
      manifests.filter((name) => !new RegExp(`[\`/]${name}\\b`).test(all)),
      [],
    );
  });
});
