/**
 * The agent's sources for tests that reach into them module by module: compacted by the call that makes dist, each
 * module an export of one bundle. Tests of the agent through its own interface run on the files of dist.
 * @module
 */
import { readdirSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import typescript from "@rollup/plugin-typescript";
import type { Plugin } from "esbuild";
import { rollup } from "rollup";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FILE = join(ROOT, "build/test/sources.js");
const ENTRY = "\0sources";

/** Paths of the modules below src, without the extension. */
const MODULES = (readdirSync(join(ROOT, "src"), { recursive: true }) as string[])
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.slice(0, -3));
const variable = (module: string) => module.replaceAll(/[-/]/g, "_");

let made: Promise<Record<string, object>> | undefined;

async function make(): Promise<Record<string, object>> {
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
      typescript({
        tsconfig: join(ROOT, "tsconfig.json"),
        noEmitOnError: false,
        declaration: false,
        declarationDir: undefined,
      }),
      compact(),
    ],
    onwarn: () => {},
  });
  const { output } = await build.generate({ format: "es" });
  await build.close();
  await mkdir(join(FILE, ".."), { recursive: true });
  writeFileSync(FILE, output[0].code);
  return import(pathToFileURL(FILE).href);
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
      made ??= make();
      const names = Object.keys((await made)[variable(path)]);
      return {
        contents: `import { ${variable(path)} as all } from ${JSON.stringify(FILE)};
export const { ${names.join(", ")} } = all;`,
        resolveDir: ROOT,
      };
    });
  },
};
