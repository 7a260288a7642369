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

  it("hold no object that can be changed: the linker warns of it (of a list in one of hawkBit's)", () => {
    for (const path of preloaded) {
      const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ES2022, true);
      deepStrictEqual(changeable(source), [], path);
    }
  });

  it("hold what is made when they are loaded, and kept", () => {
    const text = `const a = []; const b = Object.freeze({ c: [1], d: Object.freeze([]) }); const e = new Set([2]);
      class F { static g = {} as const; h = []; } const i = () => ({}); const j = Object.freeze([...[3], { k: 4 }]); const [l] = f({});`;
    const source = ts.createSourceFile("x.ts", text, ts.ScriptTarget.ES2022, true);
    deepStrictEqual(changeable(source), ["[]", "[1]", "{}", "{ k: 4 }"]);
  });
});

describe("instances of classes in ROM", () => {
  it("get no property by assignment that is a method: it is frozen there, and throws (receivePush did)", () => {
    deepStrictEqual(overriding(preloaded), []);
  });

  it("are known by the types", () => {
    const path = join(import.meta.dirname, "assigned.ts");
    const text =
      "class A { m() {} n = 1; f = () => {}; } interface B { m(): void; f: () => void } function t(a: A, b: B) { a.m = b.f; a.n = 2; a.f = b.f; b.m = a.f; b.f = a.m; }";
    deepStrictEqual(overriding([path], { [path]: text }), ["a.m", "b.m"]);
  });
});

/** Assignments to what types call a method. @param texts of files that do not exist, by path */
function overriding(paths: readonly string[], texts: Readonly<Record<string, string>> = {}): string[] {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(SRC, "../tsconfig.moddable.json"), ts.sys.readFile).config,
    ts.sys,
    join(SRC, ".."),
  );
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.readFile = (path) => texts[path] ?? readFile(path);
  host.fileExists = (path) => path in texts || fileExists(path);
  const program = ts.createProgram(paths, options, host);
  const checker = program.getTypeChecker();
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    if (
      ts.isBinaryExpression(node) &&
      node.operatorToken.kind === ts.SyntaxKind.EqualsToken &&
      ts.isPropertyAccessExpression(node.left) &&
      (checker.getSymbolAtLocation(node.left.name)?.flags ?? 0) & ts.SymbolFlags.Method
    )
      found.push(node.left.getText());
    ts.forEachChild(node, look);
  };
  for (const path of paths) {
    const source = program.getSourceFile(path);
    ok(source, path);
    look(source);
  }
  return found;
}

/** Objects and lists that are made when a module is loaded, and are kept as they are: not frozen, not another call's or spread. */
function changeable(node: ts.Node): string[] {
  return madeAtLoad(node, (inner) => {
    if (!ts.isObjectLiteralExpression(inner) && !ts.isArrayLiteralExpression(inner)) return undefined;
    let { parent } = inner;
    while (ts.isAsExpression(parent) || ts.isSatisfiesExpression(parent)) parent = parent.parent;
    const passed = ts.isCallExpression(parent) || ts.isNewExpression(parent);
    return passed || ts.isSpreadElement(parent) || ts.isSpreadAssignment(parent)
      ? undefined
      : inner.getText();
  });
}

/** Regular expressions that are made when a module is loaded. */
function sharedExpressions(node: ts.Node): string[] {
  return madeAtLoad(node, (inner) => (ts.isRegularExpressionLiteral(inner) ? inner.text : undefined));
}

/** What `name` tells of a module, outside of functions and of the fields of instances. */
function madeAtLoad(node: ts.Node, name: (node: ts.Node) => string | undefined): string[] {
  const later =
    ts.isFunctionLike(node) ||
    (ts.isPropertyDeclaration(node) &&
      !node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword));
  if (later) return [];
  const told = name(node);
  const found = told === undefined ? [] : [told];
  ts.forEachChild(node, (child) => void found.push(...madeAtLoad(child, name)));
  return found;
}

function isDeeplyFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen);
}
