/**
 * The agent's bundle, made as for the package.
 * @module
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import typescript from "@rollup/plugin-typescript";
import { transformSync } from "esbuild";
import { type Plugin, rollup } from "rollup";

const ROOT = new URL("../", import.meta.url);

export interface Bundle {
  code: string;
  bytes: number;
  gzipBytes: number;
}

/** A source file's text, changed before it is compiled. */
export type SourceEdit = (code: string, path: string) => string;

/** Sources that src's settings do not cover: those of the hosts, and edited ones. */
const sources = (change: SourceEdit = (code) => code): Plugin => ({
  name: "types stripped",
  resolveId(source, importer) {
    if (!importer || !/^\.\.?\/.*\.js$/.test(source)) return null;
    return resolve(dirname(importer), source.replace(/js$/, "ts"));
  },
  transform: (code, path) => transformSync(change(code, path), { loader: "ts", target: "es2022" }).code,
});

/**
 * @param input path in the project, such as "src/index.ts"
 * @param without steps of the compaction to leave out
 * @param change what is done to each source file first
 */
export async function bundle(
  input: string,
  without: readonly string[] = [],
  change?: SourceEdit,
): Promise<Bundle> {
  const { compact } = await import(new URL("tools/build/compact.js", ROOT).href);
  const quiet = { noEmitOnError: false, declaration: false, declarationDir: undefined };
  const build = await rollup({
    input: fileURLToPath(new URL(input, ROOT)),
    plugins: [
      input.startsWith("src/") && !change
        ? typescript({ tsconfig: fileURLToPath(new URL("tsconfig.json", ROOT)), ...quiet })
        : sources(change),
      compact(input.startsWith("src/") ? { without } : { iterators: true, prefix: "$d", without }),
    ],
    onwarn: () => {},
  });
  const { output } = await build.generate({ format: "es" });
  await build.close();
  return sized(output[0].code);
}

/** The agent's bundle, the very file of the package; made anew when a source has changed. */
export async function shippedAgent(): Promise<Bundle> {
  await (await import(new URL("tools/build/fresh.js", ROOT).href)).makeAgent();
  return sized(readFileSync(new URL("dist/index.js", ROOT), "utf8"));
}

const sized = (code: string): Bundle => ({
  code,
  bytes: Buffer.byteLength(code),
  gzipBytes: gzipSync(code).length,
});

/** Version in package.json. */
export function version(): string {
  return JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8")).version;
}
