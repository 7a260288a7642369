/**
 * The manifests for the Moddable SDK: what they name exists, and every platform gets what its modules import.
 * @module
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parsePartitionCsv } from "../../hosts/formats/partition-csv.js";
import { otaSlots, TYPE_DATA, verifyPartitionTable } from "../../hosts/formats/partition-table.js";
import { deepEqual, equal, ok } from "../support/assert.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DIST = join(ROOT, "dist");
const PLAIN = join(ROOT, "tools/dist/plain");
const PLATFORMS = ["esp32", "lin", "mac", "win"];
/** Extensions mcconfig looks for behind a module's path. */
const EXTENSIONS = [".js", ".ts", ".c"];
/** What the SDK's manifests, named by their last directories, supply. */
const SUPPLIED: Readonly<Record<string, readonly string[]>> = {
  "modules/io/manifest.json": [
    "embedded:io/socket/tcp",
    "embedded:io/socket/listener",
    "net",
    "timer",
    "time",
  ],
  "modules/io/flash/manifest.json": ["embedded:storage/flash"],
  "examples/manifest_net.json": ["net", "sntp", "embedded:network/interface/wifi"],
  "modules/files/file/manifest.json": ["file"],
  "modules/files/preference/manifest.json": ["preference"],
  "io/tcp/tlssocket/manifest.json": ["embedded:io/socket/tcp/tls", "crypt", "curve", "ecdsa", "ecp", "rsa"],
};
/** The one manifest of the SDK's that has lain in `examples`, and that SDK 10 has elsewhere: the environment may name it. */
const TLS = "$(XS_OTA_TLS_MANIFEST)";
/** In every application, by the tool itself. */
const BUILT_IN = ["mc/config"];

interface Section {
  include?: string | string[];
  modules?: Record<string, string | string[]>;
  preload?: string | string[];
  build?: Record<string, string>;
  error?: string;
}
interface Manifest extends Section {
  platforms?: Record<string, Section>;
  [key: string]: unknown;
}

const list = <T>(value: T | T[] | undefined): T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

function load(path: string): Manifest {
  return JSON.parse(readFileSync(path, "utf8")) as Manifest;
}

/** What the environment may replace, where it does not. */
function defaultOf(variable: string): string {
  const value = load(join(ROOT, "manifest.json")).build?.[`${variable.slice(2, -1)} ?=`];
  ok(value, variable);
  return value;
}

/** All manifests of the package that one pulls in, itself included, as they are for a platform. */
function sections(path: string, platform: string): { path: string; section: Section }[] {
  const manifest = load(path);
  const specific = manifest.platforms?.[platform] ?? manifest.platforms?.["..."] ?? {};
  const own = [manifest, specific].map((section) => ({ path, section }));
  const included = own.flatMap(({ section }) => list(section.include)).filter((name) => name.startsWith("."));
  return [...own, ...included.flatMap((name) => sections(resolve(dirname(path), name), platform))];
}

/** Specifiers a built module imports. */
function imports(file: string): string[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/^(?:import|export)[^;]*?\bfrom\s*"([^"]+)"|^import\s*"([^"]+)"/gm)].map((match) =>
    (match[1] ?? match[2] ?? "").replace(/^moddable:/, ""),
  );
}

describe("manifests", () => {
  const manifests = [
    "manifest.json",
    "manifest-http.json",
    "manifest-network.json",
    "manifest-keys.json",
    "manifest-push.json",
    "manifest-components.json",
    "manifest-mods.json",
    "manifest-mqtt-shared.json",
    "manifest-ddi.json",
    "manifest-failure-log.json",
    "manifest-aws.json",
    "manifest-url.json",
    "manifest-payload.json",
    ...readdirSync(join(ROOT, "examples")).map((name) => `examples/${name}/manifest.json`),
  ];

  for (const name of manifests)
    describe(name, () => {
      const path = join(ROOT, name);

      it("names files that exist", () => {
        for (const platform of PLATFORMS)
          for (const { path: from, section } of sections(path, platform)) {
            for (const target of Object.values(section.modules ?? {}).flatMap((value) => list(value))) {
              const file = resolve(dirname(from), target);
              ok(
                EXTENSIONS.some((extension) => existsSync(file + extension)),
                `${from}: ${target}`,
              );
            }
            for (const target of Object.values(section.build ?? {}).filter((value) => value.startsWith(".")))
              ok(existsSync(resolve(dirname(from), target)), `${from}: ${target}`);
          }
      });

      for (const platform of PLATFORMS)
        it(`gives ${platform} all that its modules import`, () => {
          const all = sections(path, platform);
          const modules = all.flatMap(({ section }) => Object.keys(section.modules ?? {}));
          const supplied = all
            .flatMap(({ section }) => list(section.include))
            .map((include) => include.replace(TLS, (name) => defaultOf(name)))
            .flatMap((include) => Object.entries(SUPPLIED).filter(([end]) => include.endsWith(end)))
            .flatMap(([, names]) => names);
          const known = new Set([...modules, ...supplied, ...BUILT_IN]);
          for (const { path: from, section } of all)
            for (const target of Object.values(section.modules ?? {}).flatMap((value) => list(value))) {
              const file = `${resolve(dirname(from), target)}.js`;
              if (!existsSync(file)) continue;
              for (const specifier of imports(file))
                ok(known.has(specifier), `${target}.js imports "${specifier}"`);
            }
        });
    });

  it("have modules without calls the XS compiler takes for its own (the plain payload did not build)", () => {
    const files = ["dist", "tools/dist/plain"].flatMap((folder) =>
      (readdirSync(join(ROOT, folder), { recursive: true }) as string[])
        .filter((name) => name.endsWith(".js"))
        .map((name) => join(folder, name)),
    );
    ok(files.length > 50);
    for (const name of files)
      for (const [call] of readFileSync(join(ROOT, name), "utf8").matchAll(/\bnative\([^)]*\)/g))
        ok(/^native\("\w+"\)$/.test(call), `${name}: ${call}`);
  });

  it("have modules that import what the agent's module exports (components did not link on a device)", () => {
    const list = (text: string, name: 1 | 2) =>
      text.split(",").map((part) => /^\s*([\w$]+)(?: as ([\w$]+))?\s*$/.exec(part)?.[name] ?? part.trim());
    const text = (name: string) => readFileSync(join(ROOT, "dist", name), "utf8");
    const exported = [...text("index.js").matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, names]) =>
      list(names, 2),
    );
    ok(exported.includes("OtaAgent"));
    for (const file of readdirSync(join(ROOT, "dist")).filter((name) => name.endsWith(".js")))
      for (const [, names] of text(file).matchAll(/^import \{([^}]*)\} from "xs-ota-agent";/gm))
        for (const name of list(names, 1)) ok(exported.includes(name), `${file} imports ${name}`);
  });

  it("have platforms that export alike (PreferenceStore was not there in the simulator)", () => {
    const exported = (file: string) =>
      [...readFileSync(file, "utf8").matchAll(/^export \{([^}]*)\}/gm)]
        .flatMap(([, names]) => names.split(","))
        .map((part) => part.trim().split(" as ").at(-1))
        .sort();
    let compared = 0;
    for (const name of readdirSync(ROOT).filter((file) => /^manifest(?!.*plain).*\.json$/.test(file))) {
      const { platforms = {} } = load(join(ROOT, name));
      for (const [module, target] of Object.entries(platforms["esp32"]?.modules ?? {}))
        for (const platform of PLATFORMS.filter((other) => other !== "esp32")) {
          const other = (platforms[platform] ?? platforms["..."])?.modules?.[module];
          // What the simulators do without.
          if (other === undefined) continue;
          const [names, others] = [target, other].map((path) => exported(join(ROOT, `${path}.js`)));
          ok(names.length, `${module} exports nothing`);
          deepEqual(others, names, `${module} on ${platform}`);
          compared++;
        }
    }
    ok(compared > 0);
  });

  it("bring the decoder of payloads in JavaScript to the simulators alone: ESP32 has the native one", () => {
    const name = "xs-ota-agent/payload-decoder";
    for (const path of [join(ROOT, "manifest-payload.json"), join(PLAIN, "manifest-payload-plain.json")]) {
      const brings = (platform: string) =>
        sections(path, platform).some(({ section }) =>
          [...Object.keys(section.modules ?? {}), ...list(section.preload)].some(
            (module) => module === name || /\/(js-decoder|model|predictor)$/.test(module),
          ),
        );
      deepEqual(PLATFORMS.filter(brings), ["lin", "mac", "win"], path);
    }
    // The modules of a manifest import no more than they are given, so that it cannot come in by another name.
    const text = (file: string) => readFileSync(join(ROOT, "dist", file), "utf8");
    const own = "the payload's bits make no sense";
    ok(text("payload-decoder.js").includes(own));
    for (const file of ["payload.js", "payload-device.js", "payload-native.js"])
      ok(!text(file).includes(own), file);
  });

  it("preload every module of the package", () => {
    for (const name of readdirSync(ROOT).filter((file) => /^manifest.*\.json$/.test(file)))
      for (const platform of PLATFORMS) {
        const manifest = load(join(ROOT, name));
        const own = [manifest, manifest.platforms?.[platform] ?? {}];
        const preloaded = own.flatMap(({ preload }) => list(preload));
        const modules = own.flatMap((section) => Object.keys(section.modules ?? {}));
        deepEqual(preloaded.sort(), modules.sort(), `${name} on ${platform}`);
      }
  });

  it("set nothing for the whole application without being asked (DHE_RSA was)", () => {
    for (const name of [
      "manifest.json",
      "manifest-http.json",
      "manifest-network.json",
      "manifest-mqtt-shared.json",
      "manifest-payload.json",
    ])
      equal("config" in load(join(ROOT, name)), false, name);
  });

  it("leave to the application what is its own", () => {
    for (const name of [
      "manifest.json",
      "manifest-http.json",
      "manifest-network.json",
      "manifest-mqtt-shared.json",
    ])
      for (const key of ["creation", "strip", "defines"]) equal(key in load(join(ROOT, name)), false, key);
    // The SDK's own variables, as its manifest_base.json has them: mcpack includes a package before that.
    for (const [name, value] of Object.entries(load(join(ROOT, "manifest.json")).build ?? {})) {
      if (`$(${name})` !== TLS.replace(")", " ?=)"))
        ok(["MODULES", "BUILD", "COMMODETTO"].includes(name), name);
      ok(value.startsWith("$(MODDABLE)/"), value);
    }
  });

  it("name nothing in the SDK's examples that the environment could not name elsewhere, but the network", () => {
    const files = readdirSync(ROOT).filter((name) => /^manifest.*\.json$/.test(name));
    const named = new Set(
      files
        .flatMap((name) => PLATFORMS.flatMap((platform) => sections(join(ROOT, name), platform)))
        .flatMap(({ section }) => list(section.include))
        .filter((include) => include.includes("/examples/")),
    );
    deepEqual([...named], ["$(MODDABLE)/examples/manifest_net.json"]);
  });

  it("refuse other platforms by name", () => {
    const other = load(join(ROOT, "manifest.json")).platforms?.["..."];
    for (const platform of PLATFORMS) ok(other?.error?.includes(platform), platform);
  });

  it("can be reached by the package's name", () => {
    const { exports: entries, files } = load(join(ROOT, "package.json")) as unknown as {
      exports: Record<string, unknown>;
      files: string[];
    };
    const made = readdirSync(ROOT).filter((name) => /^manifest.*\.json$/.test(name));
    ok(made.length >= 6);
    ok(files.includes("manifest*.json"), "the manifests are not in the package");
    for (const name of made) equal(entries[`./${name}`], `./${name}`);
    for (const name of ["dist", "examples", "docs"]) ok(files.includes(name), name);
  });

  it("have readable ones beside them, whose modules are there and lead to their sources", () => {
    const made = readdirSync(ROOT).filter((name) => /^manifest.*\.json$/.test(name));
    for (const name of made) {
      const manifest = load(join(PLAIN, name.replace(".json", "-plain.json")));
      for (const path of list(manifest.include))
        ok(path.startsWith("$") || existsSync(join(PLAIN, path)), path);
      for (const section of [manifest, ...Object.values(manifest.platforms ?? {})])
        for (const path of Object.values(section.modules ?? {}).flat()) {
          const file = join(PLAIN, `${path}.js`);
          ok(existsSync(file), path);
          equal(existsSync(join(PLAIN, `${path}.d.ts`)), existsSync(join(DIST, `${path}.d.ts`)), path);
          if (!existsSync(`${file}.map`)) continue;
          const { sources } = JSON.parse(readFileSync(`${file}.map`, "utf8")) as { sources: string[] };
          equal(sources.length, 1);
          ok(existsSync(join(dirname(file), sources[0])), sources[0]);
        }
    }
  });
});

describe("native functions", () => {
  const names = (file: string, pattern: RegExp) =>
    [
      ...new Set([...readFileSync(join(ROOT, file), "utf8").matchAll(pattern)].map((match) => match[1])),
    ].sort();
  const inText = (file: string) => names(file, /native\("(\w+)"\)\.call\(\s*this[,)]/g);

  for (const [bundle, source] of [
    ["mods-native", "mods"],
    ["payload-native", "payload"],
  ])
    it(`that ${bundle}.js calls are those of ${source}.c`, () => {
      const inC = names(`hosts/esp32/${source}.c`, /^void (xs_ota_\w+)\(xsMachine/gm);
      ok(inC.length > 0);
      deepEqual(inText(`dist/${bundle}.js`), inC);
    });

  it("that the simulator's mods call are in mods.c", () => {
    const inC = names("hosts/esp32/mods.c", /^void (xs_ota_\w+)\(xsMachine/gm);
    for (const name of inText("dist/mods-sim.js")) ok(inC.includes(name), name);
  });

  it("are the same in boot.ts and boot.c", () => {
    const inC = names("hosts/esp32/boot.c", /^void (xs_\w+)\(/gm);
    deepEqual(names("hosts/esp32/boot.ts", /native\("(\w+)"\)/g), inC);
    deepEqual(names("dist/boot.js", /native\("(\w+)"\)\.call\(this[,)]/g), inC);
    const text = (file: string) => readFileSync(join(ROOT, file), "utf8");
    ok(text("dist/boot.c") === text("hosts/esp32/boot.c"), "dist/boot.c is stale: npm run build");
  });
});

describe("partition tables", () => {
  for (const megabytes of [4, 8, 16])
    it(`have two equal slots on ${megabytes} MB`, () => {
      const text = readFileSync(join(ROOT, `hosts/esp32/partitions/${megabytes}mb.csv`), "utf8");
      const table = parsePartitionCsv(text);
      const bytes = megabytes * 1_048_576;
      verifyPartitionTable(table, bytes);
      const slots = otaSlots(table);
      equal(slots.length, 2);
      equal(slots[0].size, slots[1].size);
      for (const { offset } of slots) equal(offset % 0x10000, 0);
      equal(table.find(({ type, subtype }) => type === TYPE_DATA && subtype === 0)?.size, 0x2000, "otadata");
      equal(table.at(-1)!.offset + table.at(-1)!.size, bytes, "flash left over");
    });
});
