/**
 * A rollup plug-in that makes the device's bundle small where XS spends memory without need. Measured with the
 * SDK's linker; see docs/DESIGN.md, "Small".
 *
 * - A private name costs a slot of ROM in every method that uses it, and a private method a slot of RAM in every
 *   instance. Here they become plain properties: `#state` → `acos`. Type checker and tests work on
 *   the sources, where they stay private.
 * - Destructuring and `for…of` go through iterators and their clean-up. The sources only take arrays and plain
 *   objects apart, so properties and indexes do the same in a third of the code.
 * - A function declaration carries a prototype object. Those that can not be constructed in earnest (no `this`)
 *   become arrow functions.
 * - Terser shortens what is left.
 * @module
 */
import * as t from "@babel/types";
import MagicString from "magic-string";
import { minify } from "terser";
import { inlineFunctions } from "./inline.js";
import { shareThroughThis } from "./methods.js";
import { renameMembers } from "./names.js";
import { readOptionsInPlace } from "./options.js";
import { freeNames, parse, print, programOf, traverse } from "./syntax.js";

/** All nodes of an ESTree, parents first. */
function* walk(node) {
  if (typeof node?.type !== "string") return;
  yield node;
  for (const key of Object.keys(node)) {
    const child = node[key];
    if (Array.isArray(child)) for (const item of child) yield* walk(item);
    else if (child && typeof child === "object") yield* walk(child);
  }
}

const CLASSES = new Set(["ClassDeclaration", "ClassExpression"]);

/** Gives every private name a short plain one; a class starts where the names of the class it extends end. */
function renamePrivate(ast, text) {
  const names = freeNames(programOf(parse(text.original)));
  const free = [];
  const nameAt = (n) => {
    while (free.length <= n) free.push(names.next().value);
    return free[n];
  };
  const last = new Map();
  const visit = (node, scopes) => {
    if (typeof node?.type !== "string") return;
    if (CLASSES.has(node.type)) {
      const own = new Map();
      let next = last.get(node.superClass?.name) ?? 0;
      for (const { key } of node.body.body)
        if (key?.type === "PrivateIdentifier" && !own.has(key.name)) own.set(key.name, nameAt(next++));
      if (node.id) last.set(node.id.name, next);
      scopes = [own, ...scopes];
    }
    if (node.type === "PrivateIdentifier") {
      const scope = scopes.find((own) => own.has(node.name));
      text.overwrite(node.start, node.end, scope.get(node.name));
    }
    if (node.type === "BinaryExpression" && node.left.type === "PrivateIdentifier")
      throw new Error("`#name in object` has no counterpart among plain properties");
    for (const key of Object.keys(node)) {
      const child = node[key];
      if (Array.isArray(child)) for (const item of child) visit(item, scopes);
      else if (child && typeof child === "object") visit(child, scopes);
    }
  };
  visit(ast, []);
}

/** `function f(a) {…}` → `const f = (a) => {…}`, at the start of the module, as declarations are hoisted. */
function makeArrows(ast, text) {
  for (const node of ast.body) {
    if (node.type !== "FunctionDeclaration" || node.generator) continue;
    const inner = [...walk(node.body), ...node.params.flatMap((param) => [...walk(param)])];
    if (
      inner.some(
        ({ type, name }) => type === "ThisExpression" || (type === "Identifier" && name === "arguments"),
      )
    )
      continue;
    const async = node.async ? "async " : "";
    const open = text.original.indexOf("(", node.id.end);
    text.overwrite(node.start, open, `const ${node.id.name} = ${async}`);
    text.appendLeft(node.body.start, "=> ");
    text.appendLeft(node.end, ";\n");
    text.move(node.start, node.end, 0);
  }
}

/** The bindings of a pattern as declarations that read them from `source`. */
function readPattern(pattern, source, text) {
  const value = (target, read) => {
    if (target.type === "Identifier") return `${target.name} = ${read}`;
    if (target.type !== "AssignmentPattern" || target.left.type !== "Identifier")
      throw new Error(`no counterpart for a pattern in ${text.original.slice(pattern.start, pattern.end)}`);
    const preset = text.original.slice(target.right.start, target.right.end);
    return `${target.left.name} = ${read} === undefined ? ${preset} : ${read}`;
  };
  if (pattern.type === "ObjectPattern")
    return pattern.properties.map((property) => value(property.value, `${source}.${property.key.name}`));
  return pattern.elements.flatMap((element, index) => {
    if (!element) return [];
    if (element.type === "RestElement") return [value(element.argument, `${source}.slice(${index})`)];
    return [value(element, `${source}[${index}]`)];
  });
}

/** A pattern that takes an object or an array apart; the rest of an object has no plain counterpart. */
function isPattern(node) {
  if (node.type === "ArrayPattern") return true;
  return node.type === "ObjectPattern" && node.properties.every(({ type }) => type === "Property");
}

/** `const {a} = b` → `const $o = b, a = $o.a`, and `for (const a of b)` → a loop over indexes. */
function readPlainly(ast, text) {
  let count = 0;
  for (const node of walk(ast)) {
    if (node.type === "VariableDeclarator" && node.init && isPattern(node.id)) {
      const source = `$o${count++}`;
      text.overwrite(node.id.start, node.id.end, source);
      text.appendLeft(node.init.end, `, ${readPattern(node.id, source, text).join(", ")}`);
    }
    if (node.type === "ForOfStatement") {
      const { id } = node.left.declarations[0];
      const array = `$a${count}`;
      const index = `$i${count++}`;
      text.overwrite(node.start, node.right.start, `for (let ${index} = 0, ${array} = `);
      text.appendLeft(node.right.end, `; ${index} < ${array}.length; ${index}++`);
      const item = `${array}[${index}]`;
      const bind = id.type === "Identifier" ? [`${id.name} = ${item}`] : readPattern(id, item, text);
      text.appendRight(node.body.start, `{ const ${bind.join(", ")}; `);
      text.appendLeft(node.body.end, " }");
    }
  }
}

const TERSER = {
  module: true,
  ecma: 2020,
  compress: { passes: 3, pure_getters: true, unsafe_arrows: true, reduce_funcs: false },
  mangle: true,
  format: { comments: false, beautify: true, indent_level: 1 },
};

/** Statements stay apart, so that calls in them can still be found. */
const FOLD = {
  ...TERSER,
  mangle: false,
  compress: { ...TERSER.compress, sequences: false, conditionals: false, if_return: false },
};

/**
 * What takes less byte code than Terser's shorter text: `true` instead of `!0`, and sums instead of templates, which
 * convert each part and add the empty ends. Parts are numbers and texts.
 */
function spell(code) {
  const ast = parse(code);
  traverse(ast, {
    UnaryExpression(path) {
      const { operator, argument } = path.node;
      if (operator === "!" && t.isNumericLiteral(argument))
        path.replaceWith(t.booleanLiteral(!argument.value));
    },
    TemplateLiteral(path) {
      if (path.parentPath.isTaggedTemplateExpression()) return;
      const { quasis, expressions } = path.node;
      const parts = quasis.flatMap(({ value }, index) => [
        ...(value.cooked ? [t.stringLiteral(value.cooked)] : []),
        ...expressions.slice(index, index + 1),
      ]);
      if (!parts.slice(0, 2).some((part) => t.isStringLiteral(part))) parts.unshift(t.stringLiteral(""));
      path.replaceWith(parts.reduce((sum, part) => t.binaryExpression("+", sum, part)));
    },
  });
  return print(ast);
}

/**
 * @param options.iterators true when the sources also take apart what is no array, and nothing may be read plainly
 * @param options.own names of properties that the module has to itself
 * @returns a rollup plug-in for an ES bundle without side effects on load
 */
export function compact({ iterators = false, own = [] } = {}) {
  return {
    name: "compact",
    async renderChunk(code) {
      const edit = (source, pass) => {
        const text = new MagicString(source);
        pass(this.parse(source), text);
        return text.toString();
      };
      const direct = readOptionsInPlace(code);
      const plain = iterators ? direct : edit(direct, readPlainly);
      // Constants are put in place before what is left of them becomes properties.
      const { code: folded } = await minify(inlineFunctions(plain), FOLD);
      const plainNames = inlineFunctions(edit(folded, renamePrivate), own);
      const shared = shareThroughThis(renameMembers(plainNames, own));
      const { code: small } = await minify(edit(shared, makeArrows), TERSER);
      return { code: spell(small), map: null };
    },
  };
}
