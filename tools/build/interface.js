/**
 * Which names of properties the agent's sources have to themselves, asked of the TypeScript compiler: those declared
 * in `src` that nobody outside can come across. Seen from outside is whatever is exported from the entries, with all
 * it leads to; what goes over the network or comes from it; and names that stand in the sources as text.
 * @module
 */
import { basename } from "node:path";
import ts from "typescript";

/** The modules others import, and the one that tells what goes over the network. */
const ENTRIES = ["index.ts", "http.ts", "job-messages.ts"];

function programOf(tsconfig) {
  const { options, fileNames } = ts.getParsedCommandLineOfConfigFile(
    tsconfig,
    { noEmit: true },
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (fault) => console.error(fault.messageText) },
  );
  return ts.createProgram(fileNames, options);
}

/** Names of properties that can be reached from the exports of `files`. */
function reachable(program, files) {
  const checker = program.getTypeChecker();
  const names = new Set();
  const seen = new Set();
  const ours = (symbol) =>
    symbol.declarations?.some((node) => !program.isSourceFileDefaultLibrary(node.getSourceFile()));
  const visit = (type) => {
    if (seen.has(type)) return;
    seen.add(type);
    if (type.isUnionOrIntersection()) type.types.forEach(visit);
    if (type.flags & ts.TypeFlags.Object) checker.getTypeArguments(type).forEach(visit);
    type.aliasTypeArguments?.forEach(visit);
    for (const { type: member } of checker.getIndexInfosOfType(type)) visit(member);
    for (const kind of [ts.SignatureKind.Call, ts.SignatureKind.Construct])
      for (const signature of checker.getSignaturesOfType(type, kind)) {
        visit(checker.getReturnTypeOfSignature(signature));
        for (const parameter of signature.parameters) visit(checker.getTypeOfSymbol(parameter));
      }
    for (const property of checker.getPropertiesOfType(type)) {
      // "__#1@#name": private.
      if (!ours(property) || property.name.includes("#")) continue;
      names.add(property.name);
      visit(checker.getTypeOfSymbol(property));
    }
  };
  for (const file of files)
    for (let symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(file))) {
      if (symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
      if (symbol.flags & ts.SymbolFlags.Value) visit(checker.getTypeOfSymbol(symbol));
      if (symbol.flags & ts.SymbolFlags.Type) visit(checker.getDeclaredTypeOfSymbol(symbol));
    }
  return names;
}

/** Names of properties a source declares, and names it has as text. */
function declarations(program, file) {
  const checker = program.getTypeChecker();
  const declared = new Set();
  const texts = new Set();
  const visit = (node) => {
    if (ts.isStringLiteralLike(node)) texts.add(node.text);
    if (
      ts.isPropertyAssignment(node) ||
      ts.isShorthandPropertyAssignment(node) ||
      ts.isBindingElement(node)
    ) {
      // A key that its type knows nothing of is one of a dictionary.
      const { parent } = node;
      const type = ts.isBindingElement(node)
        ? ts.isObjectBindingPattern(parent) && checker.getTypeAtLocation(parent)
        : (checker.getContextualType(parent) ?? checker.getTypeAtLocation(parent));
      const key = node.propertyName ?? node.name;
      if (type && ts.isIdentifier(key) && !checker.getPropertyOfType(type, key.text)) texts.add(key.text);
    }
    const member =
      ts.isPropertySignature(node) ||
      ts.isMethodSignature(node) ||
      ts.isPropertyDeclaration(node) ||
      ts.isMethodDeclaration(node) ||
      ts.isAccessor(node);
    if (member && ts.isIdentifier(node.name)) declared.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { declared, texts };
}

/** @returns the names, sorted; @param tsconfig path of the configuration whose files are the sources */
export function ownNames(tsconfig) {
  const program = programOf(tsconfig);
  const sources = program.getRootFileNames().map((name) => program.getSourceFile(name));
  const seen = reachable(
    program,
    sources.filter(({ fileName }) => ENTRIES.includes(basename(fileName))),
  );
  const found = sources.map((file) => declarations(program, file));
  const texts = new Set(found.flatMap(({ texts }) => [...texts]));
  const declared = new Set(found.flatMap(({ declared }) => [...declared]));
  return [...declared].filter((name) => !seen.has(name) && !texts.has(name)).sort();
}
