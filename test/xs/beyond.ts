/**
 * The agent as it ships for tests whose rigs and encoders reach beyond the package's interface: what the files of dist export
 * comes from there, and the rest of a module, such as a comparison of bytes, from its source. So there is one of each class,
 * the shipped one. A test file itself may only ask for what the package exports.
 * @module
 */
import { readFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Plugin } from "esbuild";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SRC = join(ROOT, "src");

type Exports = Readonly<Record<string, unknown>>;

interface Bundle {
  /** Its file in dist. */
  readonly path: string;
  /** What the source it is made of exports. */
  readonly exports: Exports;
}

/** What a module of src exports. */
const source = (module: string): Promise<Exports> =>
  import(pathToFileURL(join(SRC, `${module}.ts`)).href) as Promise<Exports>;

/** Whether a name of a module is what a bundle exports as `name`; numbers and texts that are alike go by their names. */
function isSame(own: string, value: unknown, name: string, exported: unknown): boolean {
  return value === exported && (own === name || typeof value === "function" || typeof value === "object");
}

/** Text of a module: each of its names from the file of dist that has it, or else from the source. */
async function moduleOf(module: string, bundles: readonly Bundle[]): Promise<string> {
  const lines: string[] = [];
  for (const [own, value] of Object.entries(await source(module))) {
    const nameIn = ({ exports }: Bundle) =>
      Object.keys(exports).find((name) => isSame(own, value, name, exports[name]));
    const bundle = bundles.find(nameIn);
    const name = bundle ? nameIn(bundle) : own;
    lines.push(`export { ${name} as ${own} } from ${JSON.stringify(bundle?.path ?? `source:${module}`)};`);
  }
  return lines.join("\n");
}

/**
 * For esbuild.
 * @param file of the tests, which may ask for no more than the package exports
 * @param agent path of another bundle of the agent, in place of the one of dist
 */
export async function beyond(file?: string, agent = join(ROOT, "dist/index.js")): Promise<Plugin> {
  const { SHIPPED, shipped } = await import(new URL("../../tools/build/shipped.js", import.meta.url).href);
  const bundles = await Promise.all(
    Object.entries(SHIPPED as Record<string, string>).map(async ([name, entry]): Promise<Bundle> => {
      return { path: name === "index" ? agent : join(ROOT, `dist/${name}.js`), exports: await source(entry) };
    }),
  );
  return {
    name: "agent as shipped, and beyond",
    setup(build) {
      build.onResolve({ filter: /^\.\.?\// }, ({ path, importer, resolveDir }) => {
        const module = relative(SRC, resolve(resolveDir, path)).split(sep).join("/");
        // The file of the tests itself is left to what ships.
        if (module.startsWith("../") || importer === file) return null;
        return { path: module.replace(/\.js$/, ""), namespace: "agent" };
      });
      build.onResolve({ filter: /^source:/ }, ({ path }) => ({ path: path.slice(7), namespace: "source" }));
      build.onLoad({ filter: /.*/, namespace: "agent" }, async ({ path }) => ({
        contents: await moduleOf(path, bundles),
        resolveDir: ROOT,
      }));
      build.onLoad({ filter: /.*/, namespace: "source" }, ({ path }) => ({
        contents: readFileSync(join(SRC, `${path}.ts`), "utf8"),
        loader: "ts",
        resolveDir: resolve(SRC, path, ".."),
      }));
      return shipped(agent).setup(build);
    },
  };
}
