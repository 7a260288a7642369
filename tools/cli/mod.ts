/**
 * `xs-ota mod`: files of mods, from modules or from an archive of the SDK's tools.
 * @module
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { Command } from "commander";
import { ComponentError } from "../../hosts/formats/component-builder.js";
import {
  type Archive,
  ArchiveError,
  archiveOf,
  buildModFile,
  isArchive,
  type ModDescription,
  readArchive,
} from "../../hosts/formats/mod-archive.js";
import { parseComponentHeader } from "../../src/components/header.js";
import { parseModHeader } from "../../src/mods/header.js";
import { FAILED, Failure, OK } from "./failure.js";
import { readBytes, writeWhole } from "./files.js";
import { examples, jsonOption, KEY_FILE, wholeNumber } from "./options.js";
import { printableData } from "./printable.js";
import { signFile } from "./sign.js";
import { print, printJson, table } from "./text.js";

interface BuildOptions {
  readonly name: string;
  readonly project: string;
  readonly version: string;
  readonly minFirmware: string;
  readonly maxFirmware: string;
  readonly newNames: number;
  readonly host?: string;
  readonly out: string;
  readonly force: boolean;
  readonly json: boolean;
}

interface SignOptions {
  readonly key: string;
  readonly out?: string;
  readonly force: boolean;
  readonly json: boolean;
}

interface ModInspection {
  readonly kind: "mod" | "archive";
  readonly bytes: number;
  readonly sha256: string;
  readonly component?: {
    readonly name: string;
    readonly project: string;
    readonly version: string;
    readonly minFirmware: string;
    readonly maxFirmware: string;
    readonly newNames: number;
    readonly host: string;
  };
  readonly archive?: Archive;
  readonly problem?: string;
}

export function modCommand(): Command {
  return new Command("mod")
    .summary("make, sign and look into the file of a mod")
    .description(
      "A mod is JavaScript that is updated without its firmware. Its file is that of a component: deploy it like one.",
    )
    .addCommand(buildCommand())
    .addCommand(signCommand())
    .addCommand(inspectCommand());
}

function buildCommand(): Command {
  return new Command("build")
    .summary("make the file of a mod from modules, or from an archive")
    .description(
      "Compiles modules (.js) with the Moddable SDK in MODDABLE and links them into an archive; an archive (.xsa), such " +
        "as mcrun makes, is taken as it is and needs no SDK. Puts the headers before it. The module that is started first is main.js.",
    )
    .argument("<files...>", "modules, or one archive")
    .requiredOption("--project <text>", "the product, as in its firmware")
    .requiredOption("--version <text>", "version of the mod")
    .option("--name <name>", "which component it is", "mod")
    .option("--min-firmware <version>", "oldest firmware it goes with", "")
    .option("--max-firmware <version>", "newest firmware it goes with", "")
    .option(
      "--new-names <number>",
      "names it adds to the host's: the room it needs",
      wholeNumber(0, 0xffff),
      0,
    )
    .option("--host <digits>", "the only build of the host it may run on: 32 hexadecimal digits")
    .requiredOption("--out <file>", "where to write it")
    .option("--force", "replace the file when it is there", false)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples([
        [
          "xs-ota mod build main.js clock.js --project my-app --version 1.2.0 --out mod-1.2.0.xam",
          "compile, link, wrap",
        ],
        [
          "xs-ota mod build mod.xsa --project my-app --version 1.2.0 --out mod-1.2.0.xam",
          "what mcrun has made",
        ],
      ]),
    )
    .action((files: string[], options: BuildOptions) => build(files, options));
}

function signCommand(): Command {
  return new Command("sign")
    .summary("sign the file of a mod")
    .description(
      "Signs the SHA-256 of the file, as xs-ota sign does, once it is sure that it is one of a mod.",
    )
    .argument("<file>", "the file of a mod")
    .option("--key <file>", "private key in PEM", KEY_FILE)
    .option("--out <file>", "write it there instead of printing it")
    .option("--force", "replace a file that is there", false)
    .addOption(jsonOption("print the signature, its kind and where it was written as JSON"))
    .action(async (file: string, { key, out, force, json }: SignOptions) => {
      const bytes = readBytes(file);
      const { kind, problem } = inspectMod(bytes);
      if (kind !== "mod")
        throw new Failure(`${file} is an archive alone: xs-ota mod build makes a mod of it`);
      if (problem) throw new Failure(`${file} would be refused: ${problem}`);
      const signature = await signFile(bytes, key);
      const text = `${signature.value}\n`;
      if (out !== undefined) writeWhole(out, text, force);
      if (json) return printJson({ file, ...signature, out });
      if (out === undefined) process.stdout.write(text);
    });
}

function inspectCommand(): Command {
  return new Command("inspect")
    .summary("show what a mod or an archive holds")
    .description(
      "Shows headers, modules, resources and names of a mod's file or of an archive. Needs no SDK.",
    )
    .argument("<file>", "the file of a mod, or an archive (.xsa)")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `${examples([
        ["xs-ota mod inspect mod-1.2.0.xam", "before it is signed"],
        ["xs-ota mod inspect mod.xsa --json | jq .archive.symbols", "the names it uses"],
      ])}

Exit code: 0; 1 when a device would refuse it; 2 when it is neither.`,
    )
    .action((file: string, { json }: { json: boolean }) => {
      const inspection = inspectMod(readBytes(file), file);
      if (json) printJson(inspection);
      else print(...report(printableData(inspection)));
      process.exitCode = inspection.problem ? FAILED : OK;
    });
}

/** @throws Failure when it is neither a mod nor an archive */
export function inspectMod(bytes: Uint8Array, file = "it"): ModInspection {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const kind = isArchive(bytes) ? "archive" : "mod";
  const base = { kind, bytes: bytes.length, sha256 } as const;
  try {
    if (kind === "archive") {
      const archive = readArchive(bytes);
      return { ...base, archive, problem: archive.checksum === false ? "its checksum is wrong" : undefined };
    }
    const { name, projectName, version, minFirmware, maxFirmware } = parseComponentHeader(
      bytes,
      bytes.length,
    );
    const { xs, newNames, host } = parseModHeader(bytes, bytes.length);
    const digits = host ? Buffer.from(host).toString("hex") : "";
    const component = {
      name,
      project: projectName,
      version,
      minFirmware,
      maxFirmware,
      newNames,
      host: digits,
    };
    try {
      const archive = readArchive(archiveOf(bytes));
      const problem =
        xs[0] !== archive.xs[0] || xs[1] !== archive.xs[1]
          ? "its header says another version of XS than its archive"
          : archive.linked
            ? "ids stand in it: it was taken from a device"
            : archive.checksum
              ? undefined
              : "the archive's checksum is wrong";
      return { ...base, component, archive, problem };
    } catch (error) {
      return { ...base, component, problem: (error as Error).message };
    }
  } catch (error) {
    throw new Failure(`${file} is neither the file of a mod nor an archive: ${(error as Error).message}`);
  }
}

function report({ kind, bytes, sha256, component, archive, problem }: ModInspection): string[] {
  const lines: string[] = [];
  const row = (name: string, value: string) => lines.push(`${name.padEnd(12)}${value}`);
  row("File", `${kind === "mod" ? "mod" : "archive of XS"}, ${bytes.toLocaleString("en-US")} bytes`);
  row("SHA-256", sha256);
  if (component) {
    const { name, project, version, minFirmware, maxFirmware, newNames, host } = component;
    row("Component", `${name} ${version} of ${project}`);
    const range = [minFirmware && `from ${minFirmware}`, maxFirmware && `up to ${maxFirmware}`];
    row("Firmware", range.filter(Boolean).join(" ") || "any");
    row("Host", host || "any");
    row("New names", String(newNames));
  }
  if (archive) {
    const { xs, name, symbols, modules, resources, operands, linked } = archive;
    row("XS", xs.join("."));
    row("Archive", `${name}, ${symbols.length - 1} names in ${operands} places${linked ? ", linked" : ""}`);
    const entries = [
      ...modules.map(({ path, byteLength }) => [path, "module", byteLength.toLocaleString("en-US")]),
      ...resources.map(({ path, byteLength }) => [path, "resource", byteLength.toLocaleString("en-US")]),
    ];
    lines.push("", ...table(["path", "is a", "bytes"], entries));
  }
  if (problem) lines.push("", `A device would refuse it: ${problem}.`);
  return lines;
}

function build(files: readonly string[], options: BuildOptions): void {
  const { name, project, version, minFirmware, maxFirmware, newNames, host, out, force, json } = options;
  if (host !== undefined && !/^[0-9a-f]{32}$/i.test(host))
    throw new Failure(`--host "${host}": 32 hexadecimal digits are needed`);
  const archives = files.filter((file) => file.endsWith(".xsa"));
  if (archives.length && files.length > 1) throw new Failure("one archive alone, or modules");
  const description: ModDescription = {
    ...{ name, projectName: project, version, minFirmware, maxFirmware, newNames },
    host: host === undefined ? undefined : new Uint8Array(Buffer.from(host, "hex")),
  };
  const archive = archives.length ? readBytes(files[0] as string) : compileMod(files, name);
  let file: Uint8Array;
  try {
    file = buildModFile(description, archive);
  } catch (error) {
    if (error instanceof ComponentError) throw new Failure(error.message);
    if (error instanceof ArchiveError) throw new Failure(`${files.join(", ")}: ${error.message}`);
    throw error;
  }
  writeWhole(out, file, force);
  if (json) return printJson({ file: out, name, project, version, size: file.length });
  print(`${out}: mod ${version} of ${project}, ${file.length.toLocaleString("en-US")} bytes`);
}

/** Compiles and links with the SDK's tools, as mcrun does, without what it adds. @throws Failure */
export function compileMod(files: readonly string[], name: string): Uint8Array {
  const names = files.map((file) => basename(file).replace(/\.m?js$/, ""));
  files.forEach((file, index) => {
    if (!/\.m?js$/.test(file))
      throw new Failure(`${file} is no module (.js): mcrun makes archives of more than that`);
    if (!existsSync(file) || !statSync(file).isFile())
      throw new Failure(`cannot read ${file}: there is no such file`);
    if (names.indexOf(names[index] as string) !== index) throw new Failure(`two modules "${names[index]}"`);
  });
  if (!names.includes("main")) throw new Failure("there is no main.js among the modules");
  const sdk = process.env["MODDABLE"];
  if (!sdk)
    throw new Failure(
      "compiling needs the Moddable SDK: set MODDABLE to its directory, or give an archive (.xsa) that was made with it",
    );
  const tools = ["lin", "mac", "win"].map((platform) => join(sdk, "build/bin", platform, "release"));
  const path = [...tools, process.env["PATH"] ?? ""].join(delimiter);
  const directory = mkdtempSync(join(tmpdir(), "xs-ota-mod-"));
  const run = (command: string, args: readonly string[]) => {
    const { status, error, stdout, stderr } = spawnSync(command, args, {
      cwd: directory,
      env: { ...process.env, PATH: path },
      encoding: "utf8",
    });
    if (error) throw new Failure(`cannot run ${command} of the SDK in MODDABLE=${sdk}: build its tools`);
    if (status !== 0) throw new Failure(`${command} failed:\n${`${stdout}${stderr}`.trim()}`, FAILED);
  };
  try {
    files.forEach((file, index) => {
      copyFileSync(file, join(directory, `${names[index]}.js`));
      // Without -d: debugging adds operations that are numbered anew at each link.
      run("xsc", ["-e", "-o", ".", "-r", names[index] as string, `${names[index]}.js`]);
    });
    run("xsl", [
      "-a",
      "-b",
      ".",
      "-n",
      name,
      "-o",
      ".",
      "-r",
      name,
      ...names.map((module) => `${module}.xsb`),
    ]);
    return new Uint8Array(readFileSync(join(directory, `${name}.xsa`)));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
