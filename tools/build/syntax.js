/**
 * What the passes over the bundle share: Babel's parser and printer with one set of options, and small questions
 * about syntax trees.
 * @module
 */
import { runInNewContext } from "node:vm";
import generator from "@babel/generator";
import { parse as parseModule } from "@babel/parser";
import traversal from "@babel/traverse";
import * as t from "@babel/types";

export const traverse = traversal.default;

/** @returns the syntax tree of an ES module */
export function parse(code) {
  return parseModule(code, { sourceType: "module" });
}

/** @returns the text of a syntax tree, without comments */
export function print(ast) {
  return generator.default(ast, { comments: false }).code;
}

/** The program of a syntax tree, with its scopes. */
export function programOf(ast) {
  let program;
  traverse(ast, {
    Program(path) {
      program = path;
      path.stop();
    },
  });
  return program;
}

/** Functions declared for the whole module: name → binding and path of the function. Not those that wait or yield. */
export function moduleFunctions(program) {
  const found = new Map();
  for (const [name, binding] of Object.entries(program.scope.bindings)) {
    const { path } = binding;
    const fn = path.isFunctionDeclaration()
      ? path
      : path.isVariableDeclarator()
        ? path.get("init")
        : undefined;
    if (!binding.constant || !fn?.isFunction() || fn.node.async || fn.node.generator) continue;
    found.set(name, { binding, fn });
  }
  return found;
}

/** True when evaluating the node has no effect and always gives the same. */
export function isConstant(path) {
  if (path.isIdentifier()) {
    const binding = path.scope.getBinding(path.node.name);
    return path.node.name === "undefined" || (binding?.constant ?? false);
  }
  return path.isLiteral() && !path.isTemplateLiteral() && !path.isRegExpLiteral();
}

/**
 * Names the engine has in ROM anyway: a name of one's own takes a slot, a pointer and its characters. Asked of a realm
 * of its own, since libraries add to the built-in objects.
 */
const BUILT_IN = runInNewContext(`
  [
    ...[Math, Date.prototype, DataView.prototype, Array.prototype, String.prototype, Number.prototype],
    ...[Reflect, Object, Atomics, Promise, RegExp.prototype, Number, BigInt, Symbol, JSON, ArrayBuffer.prototype],
    ...[Map.prototype, WeakRef.prototype, Function.prototype, FinalizationRegistry.prototype, Proxy],
    Promise.prototype,
  ].flatMap((object) => Object.getOwnPropertyNames(object))
`);
/** Names with a meaning for the engine or the language, and HTML's, which XS does without. */
const UNFIT =
  /^(constructor|prototype|name|length|then|toString|toLocaleString|valueOf|toJSON|anchor|big|blink|bold|fixed|font.*|italics|link|small|strike|su[bp]|[A-Z_].*)$/;
const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** Names of properties in the module. */
export function propertyNames(program) {
  const taken = new Set();
  program.traverse({
    "MemberExpression|OptionalMemberExpression|ObjectProperty|ObjectMethod|ClassMethod|ClassProperty"(path) {
      const key = path.node.property ?? path.node.key;
      if (t.isIdentifier(key)) taken.add(key.name);
      if (t.isStringLiteral(key)) taken.add(key.value);
    },
  });
  return taken;
}

/** Names that are no property's name in the module yet, the cheapest first. */
export function* freeNames(program) {
  const taken = propertyNames(program);
  for (const name of new Set(BUILT_IN)) if (!taken.has(name) && !UNFIT.test(name)) yield name;
  for (const first of LETTERS)
    for (const second of LETTERS) if (!taken.has(first + second)) yield first + second;
  throw new Error("there are not enough names");
}
