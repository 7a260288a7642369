/**
 * Reads options where they are used: on XS a variable costs eleven bytes and a read of it two, a property of a variable
 * five. Options stay what they are, so it does not matter when they are read.
 * @module
 */
import * as t from "@babel/types";
import { parse, print, traverse } from "./syntax.js";

/** Up to so many reads of a property take less than a variable. */
const MAX_READS = 3;

/** `this.#options`, or a parameter of that name. */
function isOptions(path) {
  if (path.isIdentifier({ name: "options" })) return path.scope.getBinding("options")?.kind === "param";
  if (!path.isMemberExpression() || !path.get("object").isThisExpression()) return false;
  return t.isPrivateName(path.node.property) && path.node.property.id.name === "options";
}

/** @returns the module with `const { a, b } = this.#options` gone where that takes less */
export function readOptionsInPlace(code) {
  const ast = parse(code);
  let count = 0;
  traverse(ast, {
    VariableDeclarator(path) {
      const { id, init } = path.node;
      if (!t.isObjectPattern(id) || !init || !isOptions(path.get("init"))) return;
      // What is left of an object depends on what is taken from it.
      if (id.properties.some((property) => t.isRestElement(property))) return;
      const caller = path.getFunctionParent();
      const source = t.isIdentifier(init) ? init : t.identifier(`$options${count++}`);
      const kept = id.properties.filter((property) => {
        if (!t.isIdentifier(property.value)) return true;
        const { constant, referencePaths } = path.scope.getBinding(property.value.name);
        const isNear = referencePaths.every((use) => use.getFunctionParent() === caller);
        if (!constant || !isNear || referencePaths.length > MAX_READS) return true;
        for (const use of referencePaths) {
          if (use.parentPath.isObjectProperty()) use.parentPath.node.shorthand = false;
          use.replaceWith(t.memberExpression(t.cloneNode(source), t.cloneNode(property.key)));
        }
        return false;
      });
      if (kept.length === id.properties.length) return;
      const declarators = source === init ? [] : [t.variableDeclarator(source, init)];
      if (kept.length > 0) declarators.push(t.variableDeclarator(t.objectPattern(kept), t.cloneNode(source)));
      if (declarators.length > 0) path.replaceWithMultiple(declarators);
      else path.remove();
    },
  });
  return print(ast);
}
