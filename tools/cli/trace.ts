/**
 * `xs-ota trace`: names and lines for a stack trace of the released package. A release build of Moddable tells the names
 * of functions alone, a debug build the lines of the compacted modules, too.
 * @module
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { basename, dirname, join } from "node:path";
import { Command, Option } from "commander";
import { Failure } from "./failure.js";
import { readBytes, readStandardInput } from "./files.js";
import { examples, jsonOption } from "./options.js";
import { print } from "./text.js";

/** The most places a name is given for: another release's trace would fit anywhere. */
const MAX_PLACES = 6;
/** The longest trace that is read, in bytes. */
const MAX_TRACE = 1_048_576;

/** A place in the sources. */
interface Place {
  readonly name: string | undefined;
  readonly file: string;
  readonly line: number;
}

/** What `SourceMap.findEntry` gives for a place that is mapped. */
interface Entry {
  readonly originalSource?: string;
  readonly originalLine?: number;
  readonly name?: string;
}

/** A compacted module and its map. */
class ShippedModule {
  readonly name: string;
  readonly #lines: readonly string[];
  readonly #map: SourceMap;
  /** Where functions, methods and classes begin, by the names they have here: line and column, from 0. */
  readonly #definitions = new Map<string, [line: number, column: number][]>();

  constructor(path: string) {
    this.name = basename(path);
    this.#lines = readFileSync(path, "utf8").split("\n");
    this.#map = new SourceMap(JSON.parse(readFileSync(`${path}.map`, "utf8")));
    const definition =
      /(?:^\s*|\b(?:async|get|set|static)\s+|\b(?:class|function)\s+)([\w$]+)(?=\s*(?:\([^()]*\)\s*\{|extends\b|\{))|([\w$]+)\s*=\s*(?:async\s*)?(?:\([^()]*\)|[\w$]+)\s*=>/g;
    this.#lines.forEach((text, line) => {
      for (const match of text.matchAll(definition)) {
        const name = match[1] ?? match[2] ?? "";
        const column = match.index + match[0].indexOf(name);
        this.#definitions.set(name, [...(this.#definitions.get(name) ?? []), [line, column]]);
      }
    });
  }

  /** Where the functions of that name stand in the sources. */
  named(name: string): Place[] {
    return (this.#definitions.get(name) ?? []).flatMap(([line, column]) => this.#place(line, column) ?? []);
  }

  /** The place of a line, from 1: the first of the line that leads to a source. */
  at(line: number): Place | undefined {
    const text = this.#lines[line - 1] ?? "";
    for (let column = text.search(/\S|$/); column < text.length; column++) {
      const place = this.#place(line - 1, column);
      if (place) return place;
    }
    return undefined;
  }

  #place(line: number, column: number): Place | undefined {
    const entry = this.#map.findEntry(line, column) as Entry & { generatedLine?: number };
    if (entry.originalSource === undefined || entry.generatedLine !== line) return undefined;
    return {
      name: entry.name,
      file: entry.originalSource.replace(/^(\.\.?\/)+/, ""),
      line: (entry.originalLine ?? 0) + 1,
    };
  }
}

/** This program's package: this file runs from tools/cli in a clone and from dist/bin in the package. */
function ownPackage(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** @throws Failure when the folder is not a package of this program */
function shippedModules(folder: string): ShippedModule[] {
  const release = join(folder, "dist/release");
  const files = existsSync(release) ? readdirSync(release).filter((file) => file.endsWith(".js.map")) : [];
  if (files.length === 0)
    throw new Failure(`${folder}: no source maps in dist/release; is this the package xs-ota?`);
  return files.sort().map((file) => new ShippedModule(join(release, file.slice(0, -4))));
}

const show = ({ name, file, line }: Place) => `${name ? `${name} ` : ""}(${file}:${line})`;

/** A line of a trace with the places it may stand for behind it. */
function explain(text: string, modules: readonly ShippedModule[]): string {
  const frame = /^\s*(?:at )?\s*([\w$#]+)?\s*\((?:(\S+):(\d+))?\)\s*$/.exec(text);
  if (!frame) return text;
  const [, name, file, line] = frame;
  if (file !== undefined) {
    const place = modules.find((module) => module.name === basename(file))?.at(Number(line));
    return place ? `${text} → ${show(place)}` : text;
  }
  const places = name === undefined ? [] : modules.flatMap((module) => module.named(name));
  const texts = [...new Set(places.map(show))];
  if (texts.length === 0) return text;
  const more = texts.length > MAX_PLACES ? `, or ${texts.length - MAX_PLACES} more` : "";
  return `${text} → ${texts.slice(0, MAX_PLACES).join(", or ")}${more}`;
}

/** @throws Failure */
function readTrace(file: string | undefined): string {
  const bytes = file === undefined ? readStandardInput() : readBytes(file);
  if (bytes.length > MAX_TRACE) throw new Failure("a trace of more than 1 MB is none.");
  return new TextDecoder().decode(bytes);
}

export function traceCommand(): Command {
  return new Command("trace")
    .summary("names and lines for a stack trace from the field")
    .description(
      "Reads a stack trace of a device that runs the package as released, and adds the names and lines of the " +
        "sources. Of a release build, where only names are known, these are all the places they may stand for.",
    )
    .argument("[file]", "the trace; without it standard input")
    .addOption(
      new Option("--package <folder>", "package xs-ota of the release the device runs").default(
        ownPackage(),
        "this one",
      ),
    )
    .addOption(jsonOption("print JSON, one object a line"))
    .addHelpText(
      "after",
      examples([
        ["xs-ota trace crash.txt", "a trace of this release"],
        ["xs-ota trace --package old/node_modules/xs-ota < crash.txt", "of another one"],
      ]),
    )
    .action((file: string | undefined, options: { package: string; json: boolean }) => {
      const modules = shippedModules(options.package);
      for (const line of readTrace(file).replace(/\n$/, "").split("\n")) {
        const explained = explain(line, modules);
        print(options.json ? JSON.stringify({ line, explained }) : explained);
      }
    });
}
