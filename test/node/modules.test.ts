/** What the device's memory map demands of every module of src, and of the hosts that run on it. */
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

const HOSTS = ["moddable", "mqtt", "esp32", "sim", "formats", "emulated"];
const preloaded = [
  ...files.map((name) => join(SRC, name)),
  ...HOSTS.map((name) => join(SRC, "../hosts", name)).flatMap((folder) =>
    readdirSync(folder).map((name) => join(folder, name)),
  ),
].filter((path) => path.endsWith(".ts"));

describe("modules in ROM", () => {
  it("share no regular expression: it cannot set lastIndex there, and throws at every use (every version did)", () => {
    for (const path of preloaded) {
      const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ES2022, true);
      deepStrictEqual(sharedExpressions(source), [], path);
    }
  });

  it("are known by what is evaluated when they are loaded", () => {
    const text =
      "const a = /a/; class B { static c = /c/; d = /d/; static { x(/e/); } } const f = () => /f/; export default [/g/];";
    const source = ts.createSourceFile("x.ts", text, ts.ScriptTarget.ES2022, true);
    deepStrictEqual(sharedExpressions(source), ["/a/", "/c/", "/e/", "/g/"]);
  });
});

/** Regular expressions that are made when a module is loaded: outside of functions and of the fields of instances. */
function sharedExpressions(node: ts.Node): string[] {
  if (ts.isRegularExpressionLiteral(node)) return [node.text];
  const later =
    ts.isFunctionLike(node) ||
    (ts.isPropertyDeclaration(node) &&
      !node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword));
  if (later) return [];
  const found: string[] = [];
  ts.forEachChild(node, (child) => void found.push(...sharedExpressions(child)));
  return found;
}

function isDeeplyFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen);
}
