/**
 * For esbuild: imports of the agent's sources take the files of dist, so that what runs is what ships. An import that
 * the package does not export fails.
 * @module
 */
import { join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SRC = join(ROOT, "src");

/** @param agent path of the agent's bundle, if not the one of dist */
export function shipped(agent = join(ROOT, "dist/index.js")) {
  const files = {
    "transfer/http.js": join(ROOT, "dist/http.js"),
    "ddi/index.js": join(ROOT, "dist/ddi.js"),
    "payload/index.js": join(ROOT, "dist/payload.js"),
    "components/index.js": join(ROOT, "dist/components.js"),
    "mods/index.js": join(ROOT, "dist/mods.js"),
    "control/failure-log.js": join(ROOT, "dist/failure-log.js"),
  };
  return {
    name: "agent as shipped",
    setup({ onResolve }) {
      onResolve(
        { filter: /^xs-ota-agent(\/http|\/ddi|\/payload|\/components|\/mods|\/failure-log)?$/ },
        ({ path }) => ({
          path: path === "xs-ota-agent" ? agent : join(ROOT, `dist/${path.split("/")[1]}.js`),
        }),
      );
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
        const module = relative(SRC, resolve(resolveDir, path)).split(sep).join("/");
        return module.startsWith("../") ? null : { path: files[module] ?? agent };
      });
    },
  };
}
