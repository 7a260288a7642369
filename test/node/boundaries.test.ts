/** The lines between the folders, as docs/DESIGN.md draws them, and no import that leads back to where it came from. */
import { deepStrictEqual } from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FOLDERS = ["src", "hosts", "service", "tools", "bench", "test", "examples"];

type Graph = ReadonlyMap<string, readonly string[]>;

/** Where a path of the sources leads that an import names; undefined for a package or a module of the SDK. */
function target(from: string, name: string, files: ReadonlySet<string>): string | undefined {
  if (!name.startsWith(".")) return undefined;
  const path = join(dirname(from), name);
  return [path, path.replace(/\.js$/, ".ts")].find((file) => files.has(file)) ?? path;
}

/** The files of the repository that are compiled or run, and what each imports, types included. */
function graphOf(folders: readonly string[]): Graph {
  const files = folders
    .flatMap((folder) =>
      (readdirSync(join(ROOT, folder), { recursive: true }) as string[]).map((file) => `${folder}/${file}`),
    )
    .filter((file) => /\.(ts|js)$/.test(file) && !file.includes("/node_modules/"));
  const known = new Set(files);
  return new Map(
    files.map((file) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(ROOT, file), "utf8"), true, true);
      return [file, importedFiles.flatMap(({ fileName }) => target(file, fileName, known) ?? [])];
    }),
  );
}

/** Who may import whom. A file belongs to the first of these folders its path starts with. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  src: [],
  "hosts/formats": ["src"],
  "hosts/mqtt": ["src"],
  "hosts/moddable": ["src", "hosts/mqtt", "hosts/formats"],
  "hosts/esp32": ["src", "hosts/mqtt", "hosts/formats", "hosts/moddable"],
  "hosts/emulated": ["src", "hosts/formats"],
  "hosts/sim": ["src", "hosts/mqtt", "hosts/formats", "hosts/moddable", "hosts/emulated"],
  "hosts/xs": ["src", "hosts/mqtt", "hosts/formats", "hosts/emulated", "hosts/node"],
  "hosts/node": ["src", "hosts/mqtt", "hosts/formats", "hosts/emulated", "hosts/xs"],
  service: ["src", "hosts/formats", "hosts/node"],
  tools: ["src", "hosts", "service", "bench", "test"],
  bench: ["src", "hosts", "service", "tools", "test"],
  test: ["src", "hosts", "service", "tools", "bench", "examples"],
  examples: [],
};

const isWithin = (file: string, folder: string) => file.startsWith(`${folder}/`);

/** Imports that cross a line: "from → to". */
function crossings(graph: Graph): string[] {
  return [...graph].flatMap(([file, imports]) => {
    const zone = Object.keys(ALLOWED).find((folder) => isWithin(file, folder));
    if (!zone) return [`${file}: its folder is not drawn`];
    return imports
      .filter((to) => ![zone, ...(ALLOWED[zone] ?? [])].some((folder) => isWithin(to, folder)))
      .map((to) => `${file} → ${to}`);
  });
}

/** Groups of files that import each other in a circle. */
function circles(graph: Graph): string[][] {
  const reach = new Map<string, Set<string>>();
  const from = (file: string) => {
    const seen = new Set<string>();
    const open = [...(graph.get(file) ?? [])];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...(graph.get(next) ?? []));
    }
    return seen;
  };
  for (const file of graph.keys()) reach.set(file, from(file));
  const found = new Map<string, string[]>();
  for (const [file, seen] of reach) {
    if (!seen.has(file)) continue;
    const group = [...seen].filter((other) => reach.get(other)?.has(file)).sort();
    found.set(group.join(), group);
  }
  return [...found.values()];
}

describe("boundaries", () => {
  const graph = graphOf(FOLDERS);
  const withImport = (file: string, to: string): Graph =>
    new Map([...graph, [file, [...(graph.get(file) ?? []), to]]]);

  it("are crossed by no import", () => deepStrictEqual(crossings(graph), []));

  it("hold no circle of imports", () =>
    deepStrictEqual(
      circles(graph).filter(([first]) => !first?.startsWith("service/")),
      [],
    ));

  for (const [file, to] of [
    ["hosts/moddable/agent.ts", "hosts/emulated/nor-flash.ts"],
    ["hosts/esp32/index.ts", "hosts/emulated/boot-loader.ts"],
    ["hosts/mqtt/mqtt-client.ts", "hosts/emulated/flash-dump.ts"],
    ["hosts/formats/otadata.ts", "hosts/emulated/boot-loader.ts"],
    ["src/agent.ts", "hosts/formats/chips.ts"],
    ["service/inspection.ts", "hosts/emulated/flash-dump.ts"],
    ["service/jobs.ts", "tools/start.ts"],
  ] as const)
    it(`would notice ${file} importing ${to}`, () =>
      deepStrictEqual(crossings(withImport(file, to)), [`${file} → ${to}`]));

  it("would notice a circle", () =>
    deepStrictEqual(circles(withImport("src/errors.ts", "src/agent.ts")).length > 0, true));
});
