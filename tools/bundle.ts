/**
 * The agent's bundle, made as for the package.
 * @module
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import typescript from "@rollup/plugin-typescript";
import { rollup } from "rollup";

const ROOT = new URL("../", import.meta.url);

export interface Bundle {
  code: string;
  bytes: number;
  gzipBytes: number;
}

/**
 * @param input path in the project, such as "src/index.ts"
 * @param without steps of the compaction to leave out
 */
export async function bundle(input: string, without: readonly string[] = []): Promise<Bundle> {
  const { compact } = await import(new URL("tools/build/compact.js", ROOT).href);
  const quiet = { noEmitOnError: false, declaration: false, declarationDir: undefined };
  const build = await rollup({
    input: fileURLToPath(new URL(input, ROOT)),
    plugins: [
      typescript({ tsconfig: fileURLToPath(new URL("tsconfig.json", ROOT)), ...quiet }),
      compact({ without }),
    ],
    onwarn: () => {},
  });
  const { output } = await build.generate({ format: "es" });
  await build.close();
  const { code } = output[0];
  return { code, bytes: Buffer.byteLength(code), gzipBytes: gzipSync(code).length };
}

/** Version in package.json. */
export function version(): string {
  return JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8")).version;
}
