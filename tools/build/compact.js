/**
 * A rollup plug-in that makes the device's bundle small where XS spends memory without need. Measured with the
 * SDK's linker; see docs/DESIGN.md, "Small".
 *
 * - A private name costs a slot of ROM in every method that uses it, and a private method a slot of RAM in every
 *   instance. Here they become plain properties with short names: `#state` → `$3`. Type checker and tests work on
 *   the sources, where they stay private.
 * - A function declaration carries a prototype object. Those that can not be constructed in earnest (no `this`)
 *   become arrow functions.
 * - Terser shortens what is left.
 * @module
 */
import MagicString from "magic-string";
import { minify } from "terser";

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
  const last = new Map();
  const visit = (node, scopes) => {
    if (typeof node?.type !== "string") return;
    if (CLASSES.has(node.type)) {
      const names = new Map();
      let next = last.get(node.superClass?.name) ?? 0;
      for (const { key } of node.body.body)
        if (key?.type === "PrivateIdentifier" && !names.has(key.name)) names.set(key.name, `$${next++}`);
      if (node.id) last.set(node.id.name, next);
      scopes = [names, ...scopes];
    }
    if (node.type === "PrivateIdentifier") {
      const scope = scopes.find((names) => names.has(node.name));
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
  const body = ast.body.map((node) => (node.type === "ExportNamedDeclaration" ? node.declaration : node));
  for (const node of body) {
    if (node?.type !== "FunctionDeclaration" || node.generator) continue;
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

/** @returns a rollup plug-in for an ES bundle without side effects on load */
export function compact() {
  return {
    name: "compact",
    async renderChunk(code) {
      const ast = this.parse(code);
      const text = new MagicString(code);
      makeArrows(ast, text);
      renamePrivate(ast, text);
      const { code: small } = await minify(text.toString(), {
        module: true,
        ecma: 2020,
        compress: { passes: 3, pure_getters: true, unsafe_arrows: true, hoist_props: false },
        mangle: true,
        format: { comments: false, beautify: true, indent_level: 1 },
      });
      return { code: small, map: null };
    },
  };
}
