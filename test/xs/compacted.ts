/**
 * The agent's sources for tests that reach into them module by module: compacted by the call that makes dist, each
 * module an export of one bundle. Tests of the agent through its own interface run on the files of dist.
 * @module
 */
import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Plugin } from "esbuild";
import { rollup } from "rollup";
import ts from "typescript";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FILE = join(ROOT, "build/test/sources.js");
const ENTRY = "\0sources";

/** Paths of the modules below src, without the extension. */
const MODULES = (readdirSync(join(ROOT, "src"), { recursive: true }) as string[])
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.slice(0, -3));
const variable = (module: string) => module.replaceAll(/[-/]/g, "_");

let made: Promise<Record<string, object>> | undefined;

/** The modules, made anew when one of their sources has changed since. */
async function modules(): Promise<Record<string, object>> {
  const { isOlder } = await import(new URL("../../tools/build/fresh.js", import.meta.url).href);
  if (isOlder(FILE)) await make();
  return import(pathToFileURL(FILE).href);
}

/** As tsc emits it; types are checked elsewhere. */
function typesOff() {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  const compilerOptions = { ...options, declaration: false, sourceMap: false };
  return {
    name: "types off",
    resolveId: (source: string, importer = "") =>
      /^\.\.?\/.*\.js$/.test(source) ? resolve(dirname(importer), source.replace(/js$/, "ts")) : null,
    transform(code: string, id: string) {
      if (!id.endsWith(".ts")) return null;
      return { code: ts.transpileModule(code, { compilerOptions, fileName: id }).outputText, map: null };
    },
  };
}

async function make(): Promise<void> {
  const { compact } = await import(new URL("../../tools/build/compact.js", import.meta.url).href);
  const build = await rollup({
    input: ENTRY,
    plugins: [
      {
        name: "sources",
        resolveId: (source) => (source === ENTRY ? ENTRY : null),
        load: (id) =>
          id === ENTRY
            ? MODULES.map(
                (module) =>
                  `export * as ${variable(module)} from ${JSON.stringify(join(ROOT, "src", `${module}.ts`))};`,
              ).join("\n")
            : null,
      },
      typesOff(),
      compact(),
    ],
    onwarn: () => {},
  });
  const { output } = await build.generate({ format: "es" });
  await build.close();
  mkdirSync(join(FILE, ".."), { recursive: true });
  // Others may read it at the same time.
  const fresh = `${FILE}.${process.pid}`;
  writeFileSync(fresh, output[0].code);
  renameSync(fresh, FILE);
}

/** For esbuild: imports of the agent's sources take the compacted ones. */
export const compacted: Plugin = {
  name: "compacted sources",
  setup(build) {
    build.onResolve({ filter: /\/src\/[a-z0-9/-]+\.js$/ }, ({ path }) => {
      const module = path.slice(path.lastIndexOf("/src/") + 5, -3);
      return MODULES.includes(module) ? { path: module, namespace: "compacted" } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: "compacted" }, async ({ path }) => {
      made ??= modules();
      const names = Object.keys((await made)[variable(path)]);
      return {
        contents: `import { ${variable(path)} as all } from ${JSON.stringify(FILE)};
export const { ${names.join(", ")} } = all;`,
        resolveDir: ROOT,
      };
    });
  },
};
