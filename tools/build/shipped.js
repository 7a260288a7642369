/**
 * For esbuild: imports of the agent's sources take the files of dist, so that what runs is what ships. An import that
 * the package does not export fails.
 * @module
 */
import { join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SRC = join(ROOT, "src");

/** The agent's files of dist, each with the source it is made of. */
export const SHIPPED = Object.freeze({
  index: "index",
  http: "transfer/http",
  ddi: "ddi/index",
  url: "url/index",
  payload: "payload/index",
  "payload-decoder": "payload/js-decoder",
  components: "components/index",
  mods: "mods/index",
  "failure-log": "control/failure-log",
});

/** @param agent path of the agent's bundle, if not the one of dist */
export function shipped(agent = join(ROOT, "dist/index.js")) {
  const pathOf = (name) => (name === "index" ? agent : join(ROOT, `dist/${name}.js`));
  const files = Object.fromEntries(
    Object.entries(SHIPPED).map(([name, source]) => [`${source}.js`, pathOf(name)]),
  );
  return {
    name: "agent as shipped",
    setup({ onResolve }) {
      onResolve({ filter: /^xs-ota-agent(\/|$)/ }, ({ path }) => {
        const name = path.split("/")[1] ?? "index";
        return name in SHIPPED ? { path: pathOf(name) } : null;
      });
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
        const module = relative(SRC, resolve(resolveDir, path)).split(sep).join("/");
        return module.startsWith("../") ? null : { path: files[module] ?? agent };
      });
    },
  };
}
