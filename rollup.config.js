import { dirname, resolve } from "node:path";
import typescript from "@rollup/plugin-typescript";
import ts from "typescript";
import { compact } from "./tools/build/compact.js";
import { beside, moddable } from "./tools/build/moddable.js";
import { SHIPPED } from "./tools/build/shipped.js";

const { config } = ts.readConfigFile("tsconfig.json", ts.sys.readFile);
const { options: typeScript } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ".");
const compilerOptions = { ...typeScript, sourceMap: true, declaration: false, paths: undefined };

/** What ships: compacted, its source map in a file of its own that the module does not speak of. */
const shipped = (name) => ({
  file: `dist/${name}.js`,
  format: "es",
  sourcemap: "hidden",
  sourcemapExcludeSources: true,
  assetFileNames: "[name]",
});

/** The package: one ES module for a Moddable manifest, its declarations beside it. */
const agent = {
  input: "src/index.ts",
  output: shipped("index"),
  plugins: [typescript({ sourceMap: true }), compact()],
};

/** For options: their types are checked with the agent's, and by `tsc -p tsconfig.moddable.json`. */
const transpile = {
  name: "types off",
  resolveId: (source, importer) =>
    /^\.\.?\/.*\.js$/.test(source) ? resolve(dirname(importer), source.replace(/js$/, "ts")) : null,
  transform(code, id) {
    const { outputText, sourceMapText } = ts.transpileModule(code, { compilerOptions, fileName: id });
    const map = JSON.parse(sourceMapText);
    return { code: outputText.replace(/^\/\/# sourceMappingURL=.*$/m, ""), map: { ...map, sources: [id] } };
  },
};

/** Modules of an option that the agent's bundle has: one error class, one flash layer. What they import of them it exports. */
const agentModules = {
  name: "modules of the agent",
  resolveId(source, importer = "") {
    const names = importer.includes("/src/url/")
      ? /(^|\/)(errors|control\/job-document)\.js$/
      : /\/src\/(components|mods)\//.test(importer)
        ? /(^|\/)(errors|slot\/flash-pal|slot\/version)\.js$/
        : /(^|\/)(errors|slot\/flash-pal)\.js$/;
    return names.test(source) ? { id: "xs-ota-agent", external: true } : null;
  },
};

/** What mods have of components. */
const componentModules = {
  name: "modules of the components",
  resolveId: (source) =>
    /(^|\/)components\/(header|host-range|record-log)\.js$/.test(source)
      ? { id: "xs-ota-agent/components", external: true }
      : null,
};

/** @param prefix of its private names, its own: an application may have several bundles @param first plug-ins of this one alone */
const option = (name, prefix, ...first) => ({
  input: `src/${SHIPPED[name]}.ts`,
  output: shipped(name),
  plugins: [
    ...first,
    agentModules,
    transpile,
    compact({ prefix }),
    beside(`${name}.d.ts`, () => `export * from "./${SHIPPED[name]}.js";\n`),
  ],
});

/** What products may have beside the agent. */
const options = [
  option("http", "$h"),
  option("ddi", "$k"),
  option("url", "$u"),
  option("payload", "$p"),
  option("payload-decoder", "$e"),
  option("components", "$c"),
  option("mods", "$x", componentModules),
  option("failure-log", "$l"),
];

const ours = [agent, ...options];

/** `rollup -c --configAgent` makes what needs no output of tsc. */
export default ({ configAgent }) => (configAgent ? ours : [...ours, ...moddable]);
