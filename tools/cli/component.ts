/**
 * `xs-ota component` and `xs-ota bundle`: files of components, and the statement that several belong together.
 * @module
 */
import { createHash } from "node:crypto";
import { Command } from "commander";
import { buildComponent, buildStatement, ComponentError } from "../../hosts/formats/component-builder.js";
import {
  describeApp,
  ImageError,
  imageBytes,
  readImageLayout,
} from "../../hosts/formats/esp-image-layout.js";
import { type ComponentHeader, parseComponentHeader } from "../../src/components/header.js";
import { FIRMWARE_NAME, type StatementEntry } from "../../src/components/statement.js";
import { Failure } from "./failure.js";
import { readBytes, writeWhole } from "./files.js";
import { examples, jsonOption } from "./options.js";
import { print, printJson } from "./text.js";

interface ComponentOptions {
  readonly name: string;
  readonly project: string;
  readonly version: string;
  readonly minFirmware: string;
  readonly maxFirmware: string;
  readonly out: string;
  readonly force: boolean;
  readonly json: boolean;
}

export function componentCommand(): Command {
  return new Command("component")
    .summary("make the file of a component from its content")
    .description(
      "Puts a header before any content, such as an archive of web assets: which component it is, of which product and " +
        "version, and with which firmware it goes. Sign and deploy the result like an image.",
    )
    .argument("<content>", "the file with the content")
    .requiredOption("--name <name>", "which component: 1 to 15 characters of a–z A–Z 0–9 _ -")
    .requiredOption("--project <text>", "the product, as in its firmware")
    .requiredOption("--version <text>", "version of the component")
    .option("--min-firmware <version>", "oldest firmware it goes with", "")
    .option("--max-firmware <version>", "newest firmware it goes with", "")
    .requiredOption("--out <file>", "where to write it")
    .option("--force", "replace the file when it is there", false)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples([
        [
          "xs-ota component assets.bin --name assets --project my-app --version 1.2.0 --out assets-1.2.0.xac",
          "for every firmware of my-app",
        ],
        [
          "xs-ota component model.bin --name model --project my-app --version 7 --min-firmware 2.1 --out model.xac",
          "for firmware 2.1 and newer",
        ],
      ]),
    )
    .action((content: string, options: ComponentOptions) => {
      const { name, project, version, minFirmware, maxFirmware, out, force, json } = options;
      const header: ComponentHeader = { name, projectName: project, version, minFirmware, maxFirmware };
      const file = built(() => buildComponent(header, readBytes(content)));
      writeWhole(out, file, force);
      if (json) return printJson({ file: out, name, project, version, size: file.length });
      print(
        `${out}: component ${name} ${version} of ${project}, ${file.length.toLocaleString("en-US")} bytes`,
      );
    });
}

interface BundleOptions {
  readonly sequence: string;
  readonly out: string;
  readonly force: boolean;
  readonly json: boolean;
}

export function bundleCommand(): Command {
  return new Command("bundle")
    .summary("state which files belong together")
    .description(
      "Writes the statement of a set: each file's component, version and SHA-256, and a sequence number that must not fall " +
        "from set to set. A device installs the files of a job together only when they are those of its statement.",
    )
    .argument("<files...>", "an image, files of components")
    .requiredOption("--sequence <number>", "not less than that of the set before")
    .requiredOption("--out <file>", "where to write it")
    .option("--force", "replace the file when it is there", false)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples([
        [
          "xs-ota bundle app.bin assets.xac --sequence 12 --out set.xas",
          "firmware and assets, from now on together",
        ],
      ]),
    )
    .action((files: string[], { sequence, out, force, json }: BundleOptions) => {
      const { members, statement } = statementOf(files, numberOf(sequence));
      const [{ project: projectName }] = members;
      writeWhole(out, statement, force);
      if (json)
        return printJson({
          ...{ file: out, sequence: Number(sequence), project: projectName },
          members: members.map(({ entry: { name, version } }) => ({ name, version })),
        });
      for (const { entry } of members) print(`  ${entry.name.padEnd(16)} ${entry.version}`);
      print(`${out}: set ${sequence} of ${projectName}, ${files.length} files`);
    });
}

/** The statement that files belong together, and what they are. @throws Failure */
export function statementOf(
  files: readonly string[],
  sequence: number,
): { readonly members: readonly Member[]; readonly statement: Uint8Array } {
  const members = files.map(memberOf);
  const [projectName] = new Set(members.map(({ project }) => project));
  for (const { project, path } of members)
    if (project !== projectName) throw new Failure(`${path} is of ${project}, ${files[0]} of ${projectName}`);
  const entries = members.map(({ entry }) => entry);
  return { members, statement: built(() => buildStatement({ sequence, projectName, entries })) };
}

function numberOf(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new Failure(`--sequence "${text}" is no number`);
  return Number(text);
}

interface Member {
  readonly path: string;
  readonly project: string;
  readonly entry: StatementEntry;
}

/** @throws Failure when the file is neither an image nor a component's */
function memberOf(path: string): Member {
  const bytes = readBytes(path);
  const digest = new Uint8Array(createHash("sha256").update(bytes).digest());
  try {
    const { projectName, version, name } = parseComponentHeader(bytes, bytes.length);
    return { path, project: projectName, entry: { name, version, digest } };
  } catch {
    // Then it has to be an image.
  }
  try {
    readImageLayout(imageBytes(bytes));
    const { projectName, version } = describeApp(imageBytes(bytes));
    return { path, project: projectName, entry: { name: FIRMWARE_NAME, version, digest } };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new Failure(`${path} is neither the file of a component nor a whole ESP32 image: ${error.message}`);
  }
}

function built(make: () => Uint8Array): Uint8Array {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof ComponentError)) throw error;
    throw new Failure(error.message);
  }
}
