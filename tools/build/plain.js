/**
 * Lays out tools/dist/plain, the agent as it was written, for the debugger: one module for each source, as tsc leaves them in
 * build/moddable, the TypeScript beside it in sources, and the manifests for it, manifest-plain.json and its like. XS reads
 * source maps of one source each, so that xsbug shows the TypeScript.
 * @module
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { moddable } from "./moddable.js";
import { SHIPPED } from "./shipped.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BUILT = "build/moddable";
const PLAIN = join(ROOT, "tools/dist/plain");
const SOURCES = join(ROOT, "tools/dist/sources");
/** What the manifests call a module begins with this. */
const PREFIX = "xs-ota-agent/plain";

/** Compacted files of dist and the modules they are made of. Native code stays where it is, in files of its own. */
const ENTRIES = new Map([
  ...Object.entries(SHIPPED).map(([name, source]) => [name, `src/${source}`]),
  ...moddable
    .filter(({ plugins }) => plugins.some(({ name }) => name === "compact"))
    .map(({ input, output }) => [output.file.slice(5, -3), input.slice(BUILT.length + 1, -3)]),
]);

/** The module and all it imports by relative paths. */
function withImports(module, found = new Set()) {
  if (found.has(module)) return found;
  found.add(module);
  const { importedFiles } = ts.preProcessFile(
    readFileSync(join(ROOT, BUILT, `${module}.js`), "utf8"),
    true,
    true,
  );
  for (const { fileName } of importedFiles)
    if (fileName.startsWith(".")) withImports(join(dirname(module), fileName).slice(0, -3), found);
  return found;
}

/** Native code, and what is not compacted: the files of dist as they are. */
function copyOf(file) {
  for (const name of readdirSync(join(ROOT, "dist")))
    if (name.startsWith(`${file}.`) && !/\.(d\.ts|map)$/.test(name))
      copyFileSync(join(ROOT, "dist", name), join(PLAIN, name));
  return `./${file}`;
}

/** A section of a manifest with plain modules in place of compacted ones. */
function plainSection(section) {
  const modules = {};
  const added = [];
  for (const [name, path] of Object.entries(section.modules ?? {})) {
    const file = path.replace("./dist/", "");
    const entry = ENTRIES.get(file);
    modules[name] = entry ? `./${file}` : copyOf(file);
    if (entry) added.push(...withImports(entry));
  }
  const names = [...new Set(added)].sort().map((module) => `${PREFIX}/${module}`);
  for (const name of names) modules[name] = `./${name.slice(PREFIX.length + 1)}`;
  const plain = { ...section };
  if (section.modules) plain.modules = modules;
  if (section.preload) plain.preload = [...section.preload, ...names];
  return plain;
}

function write(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

for (const folder of [PLAIN, SOURCES]) rmSync(folder, { recursive: true, force: true });
mkdirSync(PLAIN, { recursive: true });
for (const name of readdirSync(join(ROOT, "dist")).filter((file) => file.endsWith(".h")))
  copyFileSync(join(ROOT, "dist", name), join(PLAIN, name));
for (const [file, entry] of ENTRIES) {
  for (const module of withImports(entry)) {
    const built = join(ROOT, BUILT, module);
    const map = JSON.parse(readFileSync(`${built}.js.map`, "utf8"));
    const source = join(SOURCES, `${module}.ts`);
    map.sources = [relative(dirname(join(PLAIN, module)), source)];
    write(join(PLAIN, `${module}.js`), readFileSync(`${built}.js`));
    write(join(PLAIN, `${module}.js.map`), JSON.stringify(map));
    write(source, readFileSync(join(ROOT, `${module}.ts`)));
  }
  write(join(PLAIN, `${file}.js`), `export * from "${PREFIX}/${entry}";\n`);
}

// An application in TypeScript finds declarations beside the modules that its manifest names.
for (const name of readdirSync(join(ROOT, "dist"), { recursive: true }))
  if (name.endsWith(".d.ts")) write(join(PLAIN, name), readFileSync(join(ROOT, "dist", name)));

for (const name of readdirSync(ROOT).filter((file) => /^manifest.*\.json$/.test(file))) {
  const manifest = JSON.parse(readFileSync(join(ROOT, name), "utf8"));
  const plain = plainSection(manifest);
  plain.include = manifest.include?.map((path) => path.replace(/^(\.\/manifest.*)\.json$/, "$1-plain.json"));
  for (const [platform, section] of Object.entries(manifest.platforms ?? {}))
    plain.platforms = { ...plain.platforms, [platform]: plainSection(section) };
  write(join(PLAIN, name.replace(".json", "-plain.json")), `${JSON.stringify(plain, undefined, 2)}\n`);
}
