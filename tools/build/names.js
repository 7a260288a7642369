/**
 * Gives the members of classes that nobody outside of the module sees names the engine has anyway. Which names others
 * know is asked of the sources that say so; a name that means something else anywhere in the module is left alone.
 * @module
 */
import * as t from "@babel/types";
import { freeNames, parse, print, programOf } from "./syntax.js";

/** Names of what the language brings along. */
const LANGUAGE = new Set(
  [
    Object,
    Function,
    Array,
    Uint8Array,
    DataView,
    ArrayBuffer,
    String,
    Number,
    RegExp,
    Promise,
    Error,
    Map,
    Set,
  ]
    .flatMap(({ prototype }) => [prototype, Object.getPrototypeOf(prototype)])
    .flatMap((prototype) => (prototype ? Object.getOwnPropertyNames(prototype) : [])),
);

/** Classes of the module that it does not export. */
function ownClasses(program) {
  return Object.values(program.scope.bindings).flatMap(({ path, referencePaths }) => {
    const made = path.isVariableDeclarator() ? path.get("init") : path;
    const exported =
      path.parentPath.isExportDeclaration() ||
      referencePaths.some(({ parentPath }) => parentPath.isExportSpecifier());
    return made.isClass() && !exported ? [made] : [];
  });
}

/** Names of methods, accessors and fields. */
function membersOf(path) {
  const names = [];
  for (const { node } of path.get("body.body"))
    if (t.isIdentifier(node.key) && !node.computed) names.push(node.key.name);
  path.traverse({
    AssignmentExpression({ node: { left } }) {
      if (t.isMemberExpression(left, { computed: false }) && t.isThisExpression(left.object))
        names.push(left.property.name);
    },
  });
  return names;
}

/**
 * @param code private names are gone already
 * @param known names that others may use
 * @returns the module with its own names renamed
 */
export function renameMembers(code, known) {
  const ast = parse(code);
  const program = programOf(ast);
  const foreign = new Set([...known, ...LANGUAGE]);
  program.traverse({
    "ObjectProperty|ObjectMethod"({ node: { key }, parentPath }) {
      if (!parentPath.isObjectPattern()) foreign.add(key.name ?? key.value);
    },
  });
  const fresh = freeNames(program);
  const names = new Map();
  for (const member of ownClasses(program).flatMap(membersOf))
    if (!foreign.has(member) && !names.has(member)) names.set(member, fresh.next().value);
  const rename = (key) => {
    if (t.isIdentifier(key) && names.has(key.name)) key.name = names.get(key.name);
  };
  program.traverse({
    "MemberExpression|OptionalMemberExpression"({ node: { property, computed } }) {
      if (!computed) rename(property);
    },
    "ClassMethod|ClassProperty"({ node: { key, computed } }) {
      if (!computed) rename(key);
    },
    ObjectProperty({ node, parentPath }) {
      if (!parentPath.isObjectPattern() || node.computed || !names.has(node.key.name)) return;
      node.shorthand = false;
      node.key = t.identifier(names.get(node.key.name));
    },
  });
  return print(ast);
}
