/**
 * Lets functions find what belongs to the module without closures: on XS every function that refers to a binding
 * of its module carries an environment, two slots and one for each binding. Methods find the same through `this`:
 * one object becomes the prototype of the module's classes, and what their methods refer to becomes a method or a
 * property of it. The object is made while the module is preloaded, and stays in ROM.
 * @module
 */
import * as t from "@babel/types";
import { freeNames, moduleFunctions, parse, print, programOf } from "./syntax.js";

/** Name of the common prototype. */
const SHARED = "$shared";

/** Classes of the module that extend nothing: name → path. */
function rootClasses(program) {
  const found = new Map();
  for (const [name, { path, constant }] of Object.entries(program.scope.bindings)) {
    const made = path.isVariableDeclarator() ? path.get("init") : path;
    if (constant && made.isClass() && !made.node.superClass) found.set(name, made);
  }
  return found;
}

/** `x = 1;` in a class → `this.x = 1;` in its constructor: a class with fields carries a function that sets them. */
function moveFields(path) {
  const fields = path.get("body.body").filter((member) => member.isClassProperty() && !member.node.static);
  const set = ({ key, computed }, value) =>
    t.assignmentExpression("=", t.memberExpression(t.thisExpression(), key, computed), value);
  const settings = [];
  // `this.a = this.b = 0` takes less than two statements.
  const chains = new Map();
  for (const { node } of fields) {
    const { value } = node;
    if (!value || t.isIdentifier(value, { name: "undefined" })) continue;
    const literal = t.isLiteral(value) && !t.isTemplateLiteral(value) && !t.isRegExpLiteral(value);
    const chain = literal ? chains.get(value.value) : undefined;
    if (chain) chain.expression = set(node, chain.expression);
    else settings.push(t.expressionStatement(set(node, value)));
    if (literal && !chain) chains.set(value.value, settings.at(-1));
  }
  for (const field of fields) field.remove();
  if (settings.length === 0) return;
  const maker = path.get("body.body").find((member) => member.isClassMethod({ kind: "constructor" }));
  if (maker) maker.node.body.body.unshift(...settings);
  else
    path.node.body.body.unshift(
      t.classMethod("constructor", t.identifier("constructor"), [], t.blockStatement(settings)),
    );
}

/** What `this` is at a place: "instance" of a root class, "free", or the module's function around the place. */
function surroundings(path, roots, functions) {
  for (let at = path; ; at = at.parentPath) {
    if (at.isProgram()) return "free";
    if (at.isClassMethod())
      return roots.has(at.parentPath.parentPath.node) && !at.node.static ? "instance" : "free";
    if (!at.isFunction()) continue;
    const owner = functions.get(at.node);
    if (owner !== undefined) return owner;
    if (!at.isArrowFunctionExpression()) return "free";
  }
}

/** The functions that are only wanted where `this` can be a root class's instance. */
function movable(functions, context) {
  const moved = new Set(functions.keys());
  for (let before = -1; before !== moved.size; ) {
    before = moved.size;
    for (const [name, { binding }] of functions) {
      const reachable = binding.referencePaths.every((path) => {
        const where = context(path);
        return where === "instance" || moved.has(where);
      });
      if (!reachable || binding.references === 0) moved.delete(name);
    }
  }
  return moved;
}

/** Bytes of a slot; of a text or a global in byte code beside its characters; of a property of `this` there. */
const SLOT = 16;
const TEXT = 3;
const GLOBAL = 6;
const PROPERTY = 4;

/** Texts, globals and functions of Math that take less as properties: [node, places]. */
function commonValues(program, within) {
  const texts = new Map();
  const globals = new Map();
  const functions = new Map();
  const add = (map, key, path) => {
    if (!within(path)) return;
    if (!map.has(key)) map.set(key, []);
    map.get(key).push(path);
  };
  program.traverse({
    StringLiteral(path) {
      const isName = path.key === "key" || path.parentPath.isDirective();
      if (!isName) add(texts, path.node.value, path);
    },
    ReferencedIdentifier(path) {
      const { name } = path.node;
      // The functions of Math do not look at `this`.
      const isCalled =
        path.parentPath.key === "callee" && path.parentPath.isMemberExpression({ computed: false });
      if (name === "Math" && isCalled) return add(functions, path.parent.property.name, path.parentPath);
      if (!path.scope.hasBinding(name, true) && /^[A-Z]/.test(name)) add(globals, name, path);
    },
  });
  const found = [];
  for (const [text, paths] of texts)
    if (paths.length * (TEXT + text.length - PROPERTY) > SLOT + text.length + 1)
      found.push([t.stringLiteral(text), paths]);
  for (const [name, paths] of functions)
    if (paths.length * (GLOBAL - 1) > SLOT)
      found.push([t.memberExpression(t.identifier("Math"), t.identifier(name)), paths]);
  for (const [name, paths] of globals)
    if (paths.length * (GLOBAL - PROPERTY) > SLOT) found.push([t.identifier(name), paths]);
  return found;
}

const member = (object, name) => t.memberExpression(object, t.identifier(name));

/** @returns { code, map }: the module with its classes' fields and closures gone */
export function shareThroughThis(code, { prefix }) {
  const ast = parse(code);
  const program = programOf(ast);
  const roots = rootClasses(program);
  for (const path of roots.values()) moveFields(path);
  program.scope.crawl();
  if (roots.size === 0) return print(ast, code);

  const rootNodes = new Set([...roots.values()].map(({ node }) => node));
  const functions = moduleFunctions(program);
  const byNode = new Map([...functions].map(([name, { fn }]) => [fn.node, name]));
  const context = (path) => surroundings(path, rootNodes, byNode);
  const moved = movable(functions, context);
  const names = freeNames(program, prefix);
  const within = (path) => {
    const where = context(path);
    return where === "instance" || moved.has(where);
  };
  const properties = [];
  const aliases = [];
  const alias = (paths, node) => {
    const property = names.next().value;
    for (const path of paths) path.replaceWith(member(t.thisExpression(), property));
    aliases.push([property, node]);
  };

  const bindings = Object.entries(program.scope.bindings).filter(
    ([, { kind, constant, path }]) => kind !== "module" && constant && !isLiteral(path),
  );
  for (const [name, binding] of bindings) {
    const isMoved = moved.has(name);
    const seen = binding.referencePaths.filter(within);
    if (seen.length === 0) continue;
    const property = names.next().value;
    for (const path of seen) {
      const value = member(t.thisExpression(), property);
      const called = path.key === "callee" && path.parentPath.isCallExpression();
      path.replaceWith(isMoved && !called ? forward(value, functions.get(name).fn) : value);
      if (path.parentPath.isObjectProperty()) path.parentPath.node.shorthand = false;
    }
    if (!isMoved) aliases.push([property, t.identifier(name)]);
    else properties.push([property, functions.get(name).fn, binding.path]);
  }
  for (const [node, paths] of commonValues(program, within)) alias(paths, node);
  const methods = properties.map(([property, fn, declaration]) => {
    const { params, body } = fn.node;
    const block = t.isBlockStatement(body) ? body : t.blockStatement([t.returnStatement(body)]);
    declaration.remove();
    return t.objectMethod("method", t.identifier(property), params, block);
  });
  program.pushContainer("body", [
    t.variableDeclaration("const", [t.variableDeclarator(t.identifier(SHARED), t.objectExpression(methods))]),
    ...aliases.map(([property, node]) =>
      t.expressionStatement(t.assignmentExpression("=", member(t.identifier(SHARED), property), node)),
    ),
    ...[...roots.keys()].map((name) =>
      t.expressionStatement(
        t.callExpression(member(t.identifier("Object"), "setPrototypeOf"), [
          member(t.identifier(name), "prototype"),
          t.identifier(SHARED),
        ]),
      ),
    ),
    t.expressionStatement(t.callExpression(member(t.identifier("Object"), "freeze"), [t.identifier(SHARED)])),
  ]);
  return print(ast, code);
}

/** Literals are put in place by Terser where that is shorter. */
function isLiteral(path) {
  return path.isVariableDeclarator() && t.isLiteral(path.node.init) && !t.isBigIntLiteral(path.node.init);
}

/** A function that is handed on loses `this`: an arrow function keeps it. */
function forward(value, fn) {
  const params = fn.node.params.map((_, index) => t.identifier(`$p${index}`));
  return t.arrowFunctionExpression(
    params,
    t.callExpression(
      value,
      params.map((node) => t.cloneNode(node)),
    ),
  );
}
