/**
 * For esbuild: modules of the SDK and of the package by the names the hosts import them by. `paths` of tsconfig.json
 * says what stands in for them, for TypeScript and for Node as well.
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const { paths } = JSON.parse(readFileSync(join(ROOT, "tsconfig.json"), "utf8")).compilerOptions as {
  paths: Record<string, [string]>;
};

export const sdkModules: Plugin = {
  name: "modules of the SDK",
  setup(build) {
    build.onResolve({ filter: /^[a-z]/ }, ({ path }) => {
      const [target] = paths[path] ?? [];
      if (!target) return undefined;
      const source = /^\.\/src\/(.+)\.ts$/.exec(target)?.[1];
      return source ? { path: source, namespace: "compacted" } : { path: join(ROOT, target) };
    });
  },
};
