/**
 * What the passes over the bundle share: Babel's parser and printer with one set of options, and small questions
 * about syntax trees.
 * @module
 */
import generator from "@babel/generator";
import { parse as parseModule } from "@babel/parser";
import traversal from "@babel/traverse";
import * as t from "@babel/types";
import remapping from "@jridgewell/remapping";
import MagicString from "magic-string";

export const traverse = traversal.default;

/** Name of the text before a pass in its source map. */
export const SOURCE = "code.js";

/** @returns the syntax tree of an ES module */
export function parse(code) {
  return parseModule(code, { sourceType: "module" });
}

/** @returns the text of a syntax tree, without comments, and the source map to the `code` it was parsed from */
export function print(ast, code) {
  const options = { comments: false, sourceMaps: true, sourceFileName: SOURCE };
  const { code: text, map } = generator.default(ast, options, code);
  return { code: text, map };
}

/** A text that passes rewrite one after the other, and how what comes out leads back to what went in. */
export class Rewrite {
  #maps = [];

  constructor(code) {
    this.code = code;
  }

  /** @param result of a pass over `this.code`: { code, map } */
  take({ code, map }) {
    this.code = code;
    if (map) this.#maps.unshift(map);
    return this;
  }

  /** The source map over all passes; undefined when none has changed anything. */
  get map() {
    return this.#maps.length ? remapping(this.#maps, () => null) : undefined;
  }
}

/** A pass that edits the text in place. @param pass gets a MagicString */
export function edit(code, pass) {
  const text = new MagicString(code);
  pass(text);
  return { code: text.toString(), map: text.generateMap({ hires: "boundary", source: SOURCE }) };
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

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/**
 * Names for properties nobody outside may come across: not in the module yet, and none an application would choose for
 * a member of a subclass or assign to an object, as the names of built-in functions would be.
 * @param prefix differs from bundle to bundle: a class may extend one of another
 */
export function* freeNames(program, prefix) {
  const taken = propertyNames(program);
  for (const first of ["", ...LETTERS])
    for (const last of LETTERS) if (!taken.has(prefix + first + last)) yield prefix + first + last;
  throw new Error("there are not enough names");
}
