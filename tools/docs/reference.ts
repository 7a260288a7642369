/**
 * The API reference: every module that the package exports, under the name an application imports it by.
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Application, ReflectionKind } from "typedoc";

/** What a declaration file in dist, beside a bundle, passes on. */
const PASSED_ON = /^export \* from "\.\/(.+)\.js";\n$/;

/**
 * The source of each module that the package exports, by the module's name.
 * @throws Error when the package is not built
 */
function modules(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const [path, { types }] of Object.entries<{ types?: string }>(exports)) {
    if (!types) continue;
    const [, module = "index"] = PASSED_ON.exec(readFileSync(join(root, types), "utf8")) ?? [];
    const source = module.startsWith("types/") ? `${module.slice(6)}.ts` : `src/${module}.ts`;
    if (!existsSync(join(root, source)))
      throw new Error(`${types} passes on ${source}, which does not exist`);
    found.set(name + path.slice(1), source);
  }
  return found;
}

/**
 * @param out folder for the pages; undefined: they are only checked
 * @returns whether typedoc had nothing to say
 */
export async function reference(root: string, out: string | undefined): Promise<boolean> {
  const sources = modules(root);
  const app = await Application.bootstrap({
    name: "xs-ota-agent",
    entryPoints: [...sources.values()].map((source) => join(root, source)),
    tsconfig: join(root, "tsconfig.moddable.json"),
    basePath: root,
    readme: "none",
    excludePrivate: true,
    excludeInternal: true,
    hideGenerator: true,
    githubPages: false,
    disableSources: true,
    intentionallyNotExported: ["Done", "Closed", "Codes", "OTA_ERROR_CODES"],
  });
  const project = await app.convert();
  if (!project) return false;
  // Typedoc calls a module by its path.
  const nameOf = new Map([...sources].map(([name, source]) => [source.replace(/(\/index)?\.ts$/, ""), name]));
  for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
    const name = nameOf.get(module.name);
    if (!name) throw new Error(`typedoc calls a module "${module.name}"`);
    module.name = name;
  }
  project.children?.sort((a, b) => (a.name < b.name ? -1 : 1));
  app.validate(project);
  if (out) await app.generateDocs(project, out);
  return !app.logger.hasWarnings() && !app.logger.hasErrors();
}
