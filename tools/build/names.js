/**
 * Gives properties that nobody outside of the module sees names the engine has anyway: a name of one's own takes a
 * slot, a pointer and its characters.
 * @module
 */
import * as t from "@babel/types";
import { freeNames, parse, print, programOf } from "./syntax.js";

/** Names of what the language brings along, and of what it looks for. */
const LANGUAGE = new Set([
  ...[Object, Function, Array, String, Number, RegExp, Promise, Error, Map, Set, Uint8Array, DataView]
    .flatMap((each) => [each, each.prototype, Object.getPrototypeOf(each.prototype)])
    .concat(ArrayBuffer, ArrayBuffer.prototype, Math, JSON, Reflect, /(?<a>.)/.exec("a"))
    .flatMap((object) => (object ? Object.getOwnPropertyNames(object) : [])),
  ...["cause", "then", "next", "return", "throw", "done", "value", "raw", "get", "set"],
]);

/**
 * @param code private names are gone already
 * @param own names of the properties that are the module's own, wherever they stand
 * @returns the module with these renamed, but for those that mean something to the language
 */
export function renameMembers(code, own) {
  const ast = parse(code);
  const program = programOf(ast);
  const fresh = freeNames(program);
  const names = new Map();
  for (const name of own) if (!LANGUAGE.has(name)) names.set(name, fresh.next().value);
  const rename = (key) => {
    if (t.isIdentifier(key) && names.has(key.name)) key.name = names.get(key.name);
  };
  program.traverse({
    "MemberExpression|OptionalMemberExpression"({ node: { property, computed } }) {
      if (!computed) rename(property);
    },
    "ClassMethod|ClassProperty|ObjectMethod"({ node: { key, computed } }) {
      if (!computed) rename(key);
    },
    ObjectProperty({ node }) {
      if (node.computed || !names.has(node.key.name)) return;
      node.shorthand = false;
      node.key = t.identifier(names.get(node.key.name));
    },
  });
  return print(ast);
}
