/**
 * A rollup plug-in that makes the device's bundle small where XS spends memory without need. What each step saves,
 * measured with the SDK's linker: docs/DESIGN.md, "Small". Type checker and tests work on the sources, where private
 * members stay private.
 * @module
 */
import { minify } from "terser";
import { inlineFunctions } from "./calls.js";
import { shareThroughThis } from "./closures.js";
import { edit, freeNames, parse, programOf, Rewrite, SOURCE } from "./syntax.js";

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
function renamePrivate(ast, text, prefix) {
  const names = freeNames(programOf(parse(text.original)), prefix);
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
      text.overwrite(node.start, node.end, scope.get(node.name), { storeName: true });
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

/** What no application begins a name with. */
export const PREFIX = "$_";

/** Terser as a pass. */
async function shorten(code, options) {
  return minify({ [SOURCE]: code }, { ...options, sourceMap: { asObject: true } });
}

/**
 * The passes, in their order. Each is a function of a text, and of { parse: rollup's parser, prefix }, that gives
 * { code, map }.
 */
export const STEPS = {
  /** Destructuring and `for…of` */
  reads: (code, { parse }) => edit(code, (text) => readPlainly(parse(code), text)),
  /** Functions in the place of their only call. */
  calls: inlineFunctions,
  /** Constants are put in place before what is left of them becomes properties. */
  constants: (code) => shorten(code, FOLD),
  members: (code, { parse, prefix }) => edit(code, (text) => renamePrivate(parse(code), text, prefix)),
  closures: shareThroughThis,
  text: (code) => shorten(code, TERSER),
};

/**
 * @param options.iterators true when the sources also take apart what is no array, and nothing may be read plainly
 * @param options.prefix how private members' plain names begin: another one for each bundle
 * @param options.without names of steps to leave out, to see what they gain
 * @returns a rollup plug-in for an ES bundle without side effects on load
 */
export function compact({ iterators = false, prefix = PREFIX, without = [] } = {}) {
  return {
    name: "compact",
    async renderChunk(code) {
      const rewrite = new Rewrite(code);
      for (const [name, step] of Object.entries(STEPS))
        if (!without.includes(name) && !(iterators && name === "reads"))
          rewrite.take(await step(rewrite.code, { prefix, parse: (text) => this.parse(text) }));
      return { code: rewrite.code, map: rewrite.map };
    },
  };
}
