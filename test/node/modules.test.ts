/** What the device's memory map demands of every module of src. */
import { deepStrictEqual, ok } from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";

const SRC = join(import.meta.dirname, "../../src");
const files = readdirSync(SRC, { recursive: true }) as string[];

for (const file of files.filter((name) => name.endsWith(".ts")))
  describe(`src/${file}`, () => {
    const path = join(SRC, file);
    const source = ts.createSourceFile(file, readFileSync(path, "utf8"), ts.ScriptTarget.ES2022, true);

    it("imports nothing but modules of src", () => {
      const imports = source.statements
        .filter((statement) => ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement))
        .flatMap(({ moduleSpecifier }) =>
          moduleSpecifier ? [(moduleSpecifier as ts.StringLiteral).text] : [],
        );
      deepStrictEqual(
        imports.filter((name) => !/^\.\.?\/([\w-]+\/)?[\w-]+\.js$/.test(name)),
        [],
      );
    });

    it("has no variable that changes: it is preloaded into ROM", () => {
      const variables = source.statements
        .filter(ts.isVariableStatement)
        .filter(({ declarationList }) => !(declarationList.flags & ts.NodeFlags.Const))
        .map((statement) => statement.getText());
      deepStrictEqual(variables, []);
    });

    it("exports only what is frozen, functions and classes", async () => {
      const exported = Object.entries((await import(pathToFileURL(path).href)) as Record<string, unknown>);
      for (const [name, value] of exported)
        if (typeof value === "object" && value !== null) ok(isDeeplyFrozen(value), `${name} can be changed`);
    });
  });

function isDeeplyFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen);
}
