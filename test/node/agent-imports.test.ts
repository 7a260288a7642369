/**
 * The bundles for the Moddable runtime take the agent from the application: what a host imports of its sources has to be
 * exported by the package, or the application ends when it starts (it was so with `wordsOf`).
 */
import { deepStrictEqual, ok } from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import * as agent from "../../src/index.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** What goes into those bundles. The options are bundles of their own. */
const FOLDERS = ["esp32", "moddable", "sim", "mqtt", "formats", "emulated"];
const OWN_BUNDLE =
  /\/(transfer\/http|control\/failure-log|payload\/js-decoder|(payload|components|mods|ddi|url)\/index)\.js$/;

/** Values, not types, that a file imports from the agent's sources. */
function imported(path: string): string[] {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ES2022, true);
  return source.statements.filter(ts.isImportDeclaration).flatMap(({ moduleSpecifier, importClause }) => {
    const name = (moduleSpecifier as ts.StringLiteral).text;
    if (!name.includes("/src/") && name !== "xs-ota-agent") return [];
    if (OWN_BUNDLE.test(name) || !importClause || importClause.phaseModifier) return [];
    const { namedBindings } = importClause;
    if (!namedBindings || !ts.isNamedImports(namedBindings)) return [];
    return namedBindings.elements
      .filter((element) => !element.isTypeOnly)
      .map(({ propertyName, name: local }) => (propertyName ?? local).text);
  });
}

describe("what the hosts for Moddable import of the agent", () => {
  let total = 0;
  for (const folder of FOLDERS)
    for (const file of readdirSync(`${ROOT}hosts/${folder}`).filter((name) => name.endsWith(".ts")))
      it(`hosts/${folder}/${file}`, () => {
        const names = imported(`${ROOT}hosts/${folder}/${file}`);
        total += names.length;
        deepStrictEqual(
          names.filter((name) => !(name in agent)),
          [],
        );
      });
  after(() => ok(total > 3, "nothing was looked at"));
});
