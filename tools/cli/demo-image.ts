/**
 * `xs-ota demo-image`: firmware that is made up, for trying things without a build of one's own.
 * @module
 */
import { createHash } from "node:crypto";
import { Command, Option } from "commander";
import type { Behaviour } from "../../hosts/emulated/device-app.js";
import { CHIPS, chipByName } from "../../hosts/formats/chips.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { Failure } from "./failure.js";
import { writeWhole } from "./files.js";
import { byteSize, examples, jsonOption } from "./options.js";
import { print, printJson } from "./text.js";

interface DemoOptions {
  readonly chip: string;
  readonly version: string;
  readonly projectName?: string;
  readonly size?: number;
  readonly behaviour?: Behaviour;
}

const PROJECT = "xs-ota-demo";
const SIZE = 256 * 1024;
const BEHAVIOURS: readonly Behaviour[] = Object.freeze(["pass", "fail", "crash", "hang", "no-network"]);

export function demoImageCommand(): Command {
  return new Command("demo-image")
    .summary("make up an image to try updates with")
    .description(
      "Writes an ESP32 image with the layout of a real one and made-up content. Simulated devices run it; on a " +
        "board it does nothing.",
    )
    .argument("<file>", "where to write it")
    .option("--version <text>", "version in the image", "2.0.0")
    .option("--project <text>", "project in the image", PROJECT)
    .option("--chip <name>", "chip it is for", "esp32c3")
    .option("--size <bytes>", "size of the image", byteSize, SIZE)
    .option("--force", "replace a file that is there", false)
    .addOption(jsonOption())
    .addOption(
      new Option("--behaviour <what>", "what it does when a simulated device boots it")
        .choices([...BEHAVIOURS])
        .default("pass"),
    )
    .addHelpText(
      "after",
      examples([
        ["xs-ota demo-image v2.bin", "version 2.0.0, for xs-ota device"],
        ["xs-ota demo-image v3.bin --version 3.0.0 --behaviour crash", "one that is rolled back"],
        ["xs-ota demo-image big.bin --size 1500K", "as large as a usual application"],
      ]),
    )
    .action(
      (
        file: string,
        {
          project,
          force,
          json,
          ...options
        }: DemoOptions & { project: string; force: boolean; json: boolean },
      ) => {
        if (!chipByName(options.chip))
          throw new Failure(`--chip must be one of ${CHIPS.map(({ name }) => name).join(", ")}.`);
        const image = demoImage({ ...options, projectName: project });
        writeWhole(file, image, force);
        const { version, chip } = options;
        if (json) return printJson({ file, project, version, chip, size: image.length });
        print(`${file}: ${project} ${options.version}, ${image.length.toLocaleString("en-US")} bytes`);
      },
    );
}

/** @throws Failure when a text does not fit */
export function demoImage({ projectName = PROJECT, size = SIZE, ...options }: DemoOptions): Uint8Array {
  try {
    return buildImage({ ...options, projectName, size }, () => createHash("sha256"));
  } catch (error) {
    throw new Failure((error as Error).message);
  }
}
