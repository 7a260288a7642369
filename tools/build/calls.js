/**
 * Puts functions and private methods into the one place they are called from, if there is just one: each costs XS three
 * slots of ROM, a name, its parameters and the call. The sources stay in small functions with names.
 *
 * A body with one `return`, at its end, or called in tail position goes in as it is; any other goes into a labelled
 * block, with `break` for `return`. Only calls that are evaluated before anything else of their statement qualify.
 * @module
 */
import * as t from "@babel/types";
import { isConstant, moduleFunctions, parse, print, programOf, traverse } from "./syntax.js";

/** The one call of each function that has just one: { fn, call, remove }. */
function* singleCalls(program) {
  for (const { binding, fn } of moduleFunctions(program).values()) {
    const [reference] = binding.referencePaths;
    if (binding.references !== 1 || reference.key !== "callee" || !reference.parentPath.isCallExpression())
      continue;
    yield { fn, call: reference.parentPath, remove: () => binding.path.remove() };
  }
  const methods = [];
  // Where the private names inside a class stand: one walk for all methods.
  const places = new Map();
  program.traverse({
    ClassPrivateMethod(path) {
      const { kind, async: waits, generator: yields } = path.node;
      if (kind === "method" && !path.node.static && !waits && !yields) methods.push(path);
    },
    PrivateName(path) {
      const { name } = path.node.id;
      for (let at = path; (at = at.findParent((parent) => parent.isClassBody())); ) {
        const found = places.get(at.node) ?? new Map();
        places.set(at.node, found.set(name, [...(found.get(name) ?? []), path.parentPath]));
      }
    },
  });
  for (const fn of methods) {
    const all = places.get(fn.parent).get(fn.node.key.id.name);
    const uses = all.filter((path) => path !== fn);
    const [member] = uses;
    if (uses.length !== 1 || !member.isMemberExpression() || !member.get("object").isThisExpression())
      continue;
    if (member.key !== "callee" || !member.parentPath.isCallExpression()) continue;
    yield { fn, call: member.parentPath, remove: () => fn.remove() };
  }
}

/** `return` statements of a function itself, not of those inside it. */
function returnsOf(fn) {
  const found = [];
  fn.get("body").traverse({
    Function: (path) => path.skip(),
    ReturnStatement: (path) => void found.push(path),
  });
  return found;
}

/** True when nothing with an effect is evaluated in the statement before the call. */
function isFirst(call, statement) {
  let path = call;
  while (path.parentPath !== statement) {
    const { parentPath: parent, key, listKey } = path;
    const before = (paths) => paths.every(isConstant);
    const earlier = () => before(parent.get(listKey).slice(0, key));
    if (parent.isCallExpression() || parent.isNewExpression()) {
      if (listKey === "arguments" && !(isSteady(parent.get("callee")) && earlier())) return false;
    } else if (parent.isBinaryExpression()) {
      if (key === "right" && !isConstant(parent.get("left"))) return false;
    } else if (parent.isLogicalExpression()) {
      if (key !== "left") return false;
    } else if (parent.isConditionalExpression()) {
      if (key !== "test") return false;
    } else if (parent.isAssignmentExpression()) {
      if (key !== "right" || parent.node.operator !== "=" || !isSteady(parent.get("left"))) return false;
    } else if (parent.isTemplateLiteral()) {
      if (!earlier()) return false;
    } else if (parent.isVariableDeclarator()) {
      if (parent.key !== 0) return false;
      path = parent;
      if (parent.parentPath !== statement) return false;
      return true;
    } else if (!parent.isUnaryExpression() && !(parent.isMemberExpression() && key === "object"))
      return false;
    path = parent;
  }
  return (
    path.key === "expression" || path.key === "argument" || path.key === "test" || path.key === "discriminant"
  );
}

/** `name`, `this.name`, `Name.name`: what is found there does not depend on what the call does. */
function isSteady(path) {
  if (path.isMemberExpression() && !path.node.computed) {
    const object = path.get("object");
    return object.isThisExpression() || object.isIdentifier();
  }
  return path.isIdentifier();
}

/** True when nothing of the function follows the statement. */
function isLast(statement, fn) {
  for (let path = statement; path.parentPath !== fn; path = path.parentPath) {
    const { parentPath: parent } = path;
    if (parent.isBlockStatement()) {
      if (path.key !== parent.node.body.length - 1) return false;
    } else if (!parent.isIfStatement()) return false;
  }
  return true;
}

/** Gives everything declared in the function a name nobody else has. */
function renameAll(fn, number) {
  const rename = (scope) => {
    for (const name of Object.keys(scope.bindings))
      scope.rename(name, `${name.replace(/\$\d+$/, "")}$${number()}`);
  };
  rename(fn.scope);
  fn.traverse({ Scope: (path) => rename(path.scope) });
}

/** Declarations of the parameters, and literals and steady names put in place of them. */
function bindParameters(fn, call) {
  const declarations = [];
  const values = call.get("arguments");
  fn.get("params").forEach((parameter, index) => {
    const { name } = parameter.node;
    const binding = fn.scope.getBinding(name);
    const value = values[index];
    const node = value?.node ?? t.identifier("undefined");
    const replaceable = !value || isConstant(value);
    if (binding.constant && replaceable)
      for (const reference of binding.referencePaths) reference.replaceWith(t.cloneNode(node));
    else
      declarations.push(
        t.variableDeclaration(binding.constant ? "const" : "let", [
          t.variableDeclarator(t.identifier(name), node),
        ]),
      );
  });
  for (const value of values.slice(fn.node.params.length))
    if (!isConstant(value)) declarations.push(t.expressionStatement(value.node));
  return declarations;
}

/** So many `return`s in the middle of a body still take less as assignments and jumps than a function of its own. */
const MAX_JUMPS = 7;

const isExit = (node) => t.isReturnStatement(node) || t.isThrowStatement(node);

/** The statements that stand for the call, and the expression that stands for its value; undefined: not worth it. */
function unfold({ fn, call, statement, caller, number }) {
  const body = fn.node.body.body;
  const returns = returnsOf(fn);
  const whole = statement.isExpressionStatement() && statement.node.expression === call.node;
  const given = statement.isReturnStatement() && statement.node.argument === call.node;
  const silent = returns.every(({ node }) => !node.argument);
  if (given || (whole && silent && isLast(statement, caller))) {
    const declarations = bindParameters(fn, call);
    const end = given && !isExit(body.at(-1)) ? [t.returnStatement()] : [];
    return { replacement: [...declarations, ...body, ...end] };
  }
  const last = body.at(-1);
  if (returns.length === 0 || (returns.length === 1 && returns[0].node === last)) {
    const declarations = bindParameters(fn, call);
    const value = returns.length === 0 ? undefined : last.argument;
    const before = [...declarations, ...(returns.length === 0 ? body : body.slice(0, -1))];
    if (whole) return { replacement: value ? [...before, t.expressionStatement(value)] : before };
    return { before, value: value ?? t.identifier("undefined") };
  }
  if (returns.length > MAX_JUMPS) return undefined;
  const declarations = bindParameters(fn, call);
  const label = t.identifier(`$l${number()}`);
  const result = t.identifier(`$r${number()}`);
  for (const path of returns) {
    const { argument } = path.node;
    const effect = whole ? argument : argument && t.assignmentExpression("=", t.cloneNode(result), argument);
    const leave = path.node === last ? [] : [t.breakStatement(t.cloneNode(label))];
    path.replaceWith(t.blockStatement([...(effect ? [t.expressionStatement(effect)] : []), ...leave]));
  }
  const block = t.labeledStatement(label, t.blockStatement(body));
  if (whole) return { replacement: [...declarations, block] };
  const variable = t.variableDeclaration("let", [t.variableDeclarator(result)]);
  return { before: [...declarations, variable, block], value: t.cloneNode(result) };
}

/** `if (a) b();` → `if (a) { b(); }`: a statement for each call. */
function addBraces(program) {
  const wrap = (path) => {
    if (path.node && !path.isBlockStatement() && !(path.key === "alternate" && path.isIfStatement()))
      path.replaceWith(t.blockStatement([path.node]));
  };
  program.traverse({
    IfStatement(path) {
      wrap(path.get("consequent"));
      wrap(path.get("alternate"));
    },
    Loop: (path) => wrap(path.get("body")),
  });
}

/** One round over the module; a function that was changed in it is not looked at again. @returns how many went in */
function round(program, number) {
  const changed = new Set();
  const outermost = (path) => {
    let found = path;
    for (let at = path; at; at = at.getFunctionParent()) found = at;
    return found.node;
  };
  let count = 0;
  for (const { fn, call, remove } of [...singleCalls(program)]) {
    const caller = call.getFunctionParent();
    if (!caller || call.findParent((path) => path === fn)) continue;
    if (changed.has(outermost(fn)) || changed.has(outermost(caller))) continue;
    if (!fn.get("params").every((path) => path.isIdentifier()) || !fn.get("body").isBlockStatement())
      continue;
    if (call.get("arguments").some((path) => path.isSpreadElement())) continue;
    if (caller.isArrowFunctionExpression() && !caller.get("body").isBlockStatement()) {
      const body = caller.get("body");
      body.replaceWith(t.blockStatement([t.returnStatement(body.node)]));
      count++;
      changed.add(outermost(caller));
      continue;
    }
    const statement = call.getStatementParent();
    const loop = statement.isLoop() || statement.parentPath.isFor();
    if (statement.getFunctionParent() !== caller || loop || !isFirst(call, statement)) continue;
    renameAll(fn, number);
    const unfolded = unfold({ fn, call, statement, caller, number });
    if (!unfolded) continue;
    const { replacement, before, value } = unfolded;
    if (replacement) statement.replaceWithMultiple([t.blockStatement(replacement)]);
    else {
      call.replaceWith(value);
      if (statement.inList) statement.insertBefore(before);
      else statement.replaceWith(t.blockStatement([...before, statement.node]));
    }
    remove();
    changed.add(outermost(fn));
    changed.add(outermost(caller));
    count++;
  }
  return count;
}

/** @returns { code, map }: the module with functions put where they are called */
export function inlineFunctions(code) {
  let names = 0;
  const number = () => names++;
  const ast = parse(code);
  addBraces(programOf(ast));
  // Paths and scopes of a tree that has changed are made anew: its text need not be.
  for (let changes = 1, all = 0; ; all += changes) {
    traverse.cache.clear();
    changes = round(programOf(ast), number);
    if (changes === 0) return all ? print(ast, code) : { code };
  }
}
