import { dirname, resolve } from "node:path";
import typescript from "@rollup/plugin-typescript";
import ts from "typescript";
import { compact } from "./tools/build/compact.js";
import { beside, moddable } from "./tools/build/moddable.js";

const { config } = ts.readConfigFile("tsconfig.json", ts.sys.readFile);
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ".");
const compilerOptions = { ...options, sourceMap: true, declaration: false, paths: undefined };

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

/** The HTTP data plane, for products that want it. */
const http = {
  input: "src/transfer/http.ts",
  output: shipped("http"),
  plugins: [
    agentModules,
    transpile,
    compact({ prefix: "$h" }),
    beside("http.d.ts", () => 'export * from "./transfer/http.js";\n'),
  ],
};

/** Deltas and compressed images, for products that want them. */
const payload = {
  input: "src/payload/index.ts",
  output: shipped("payload"),
  plugins: [
    agentModules,
    transpile,
    compact({ prefix: "$p" }),
    beside("payload.d.ts", () => 'export * from "./payload/index.js";\n'),
  ],
};

/** Their decoder in JavaScript, for platforms without the native one. */
const payloadDecoder = {
  input: "src/payload/js-decoder.ts",
  output: shipped("payload-decoder"),
  plugins: [
    agentModules,
    transpile,
    compact({ prefix: "$e" }),
    beside("payload-decoder.d.ts", () => 'export * from "./payload/js-decoder.js";\n'),
  ],
};

/** hawkBit as the fleet's service, for products that want it. */
const ddi = {
  input: "src/ddi/index.ts",
  output: shipped("ddi"),
  plugins: [
    agentModules,
    transpile,
    compact({ prefix: "$k" }),
    beside("ddi.d.ts", () => 'export * from "./ddi/index.js";\n'),
  ],
};

/** Updates from a URL, for products without a fleet service. */
const url = {
  input: "src/url/index.ts",
  output: shipped("url"),
  plugins: [
    agentModules,
    transpile,
    compact({ prefix: "$u" }),
    beside("url.d.ts", () => 'export * from "./url/index.js";\n'),
  ],
};

/** Components beside the firmware, for products that have them. */
const components = {
  input: "src/components/index.ts",
  output: shipped("components"),
  plugins: [
    agentModules,
    transpile,
    compact({ prefix: "$c" }),
    beside("components.d.ts", () => 'export * from "./components/index.js";\n'),
  ],
};

/** What mods have of components. */
const componentModules = {
  name: "modules of the components",
  resolveId: (source) =>
    /(^|\/)components\/(header|host-range|record-log)\.js$/.test(source)
      ? { id: "xs-ota-agent/components", external: true }
      : null,
};

/** Mods, for products that have them. */
const mods = {
  input: "src/mods/index.ts",
  output: shipped("mods"),
  plugins: [
    componentModules,
    agentModules,
    transpile,
    compact({ prefix: "$x" }),
    beside("mods.d.ts", () => 'export * from "./mods/index.js";\n'),
  ],
};

/** What happened before an update failed, for products that want to be told. */
const failureLog = {
  input: "src/control/failure-log.ts",
  output: shipped("failure-log"),
  plugins: [
    agentModules,
    transpile,
    compact({ prefix: "$l" }),
    beside("failure-log.d.ts", () => 'export * from "./control/failure-log.js";\n'),
  ],
};

const ours = [agent, http, ddi, url, payload, payloadDecoder, components, mods, failureLog];

/** `rollup -c --configAgent` makes what needs no output of tsc. */
export default ({ configAgent }) => (configAgent ? ours : [...ours, ...moddable]);
