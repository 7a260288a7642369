/**
 * Lays out dist/plain, the package as it was written: one module for each source, with its comments, as tsc leaves them in
 * build/moddable; and the manifests for it, manifest-plain.json and its like. XS reads source maps of one source each, so
 * that xsbug shows the TypeScript.
 * @module
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { moddable } from "./moddable.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BUILT = "build/moddable";
/** What the manifests call a module of dist/plain begins with this. */
const PREFIX = "xs-ota-agent/plain";

/** Compacted files of dist and the modules they are made of. Native code stays where it is, in files of its own. */
const ENTRIES = new Map([
  ["index", "src/index"],
  ["http", "src/transfer/http"],
  ["ddi", "src/ddi/index"],
  ["url", "src/url/index"],
  ["payload", "src/payload/index"],
  ["components", "src/components/index"],
  ["failure-log", "src/control/failure-log"],
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

/** A section of a manifest with plain modules in place of compacted ones. */
function plainSection(section) {
  const modules = {};
  const added = [];
  for (const [name, path] of Object.entries(section.modules ?? {})) {
    const file = path.replace("./dist/", "");
    const entry = ENTRIES.get(file);
    modules[name] = entry ? `./dist/plain/${file}` : path;
    if (entry) added.push(...withImports(entry));
  }
  const names = [...new Set(added)].sort().map((module) => `${PREFIX}/${module}`);
  for (const name of names) modules[name] = `./dist/plain/${name.slice(PREFIX.length + 1)}`;
  const plain = { ...section };
  if (section.modules) plain.modules = modules;
  if (section.preload) plain.preload = [...section.preload, ...names];
  return plain;
}

rmSync(join(ROOT, "dist/plain"), { recursive: true, force: true });
for (const [file, entry] of ENTRIES) {
  for (const module of withImports(entry))
    for (const extension of [".js", ".js.map"]) {
      const to = join(ROOT, "dist/plain", module + extension);
      mkdirSync(dirname(to), { recursive: true });
      copyFileSync(join(ROOT, BUILT, module + extension), to);
    }
  writeFileSync(join(ROOT, "dist/plain", `${file}.js`), `export * from "${PREFIX}/${entry}";\n`);
}

for (const name of readdirSync(ROOT).filter(
  (file) => /^manifest.*\.json$/.test(file) && !/-plain\./.test(file),
)) {
  const manifest = JSON.parse(readFileSync(join(ROOT, name), "utf8"));
  const plain = plainSection(manifest);
  plain.include = manifest.include?.map((path) => path.replace(/^(\.\/manifest.*)\.json$/, "$1-plain.json"));
  for (const [platform, section] of Object.entries(manifest.platforms ?? {}))
    plain.platforms = { ...plain.platforms, [platform]: plainSection(section) };
  writeFileSync(join(ROOT, name.replace(".json", "-plain.json")), `${JSON.stringify(plain, undefined, 2)}\n`);
}
