/**
 * A product whose logic is a mod (examples/mod) on the desk: built for the simulator, run without a display, and given one
 * mod after the other by the development service, bad ones among them.
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildModFile } from "../../hosts/formats/mod-archive.js";
import type { Execution } from "../../service/job-records.js";
import { compileMod } from "../cli/mod.js";
import { onDesk, PROJECT } from "./desk.js";
import { ROOT, type Sdk } from "./sdk.js";

export const FILE_TYPE = 12;
const EXAMPLE = join(ROOT, "examples/mod");
/** Each mod restarts the device once, a bad one twice. */
const RESTARTS = 8;

/** A mod that is deployed: its modules, by name, or those of a directory of the example. */
export interface DeskMod {
  readonly version: string;
  readonly files?: readonly string[];
  readonly main?: string;
}

/** What the example has, and what can go wrong: the module throws; the engine aborts. */
export const DESK_MODS: readonly DeskMod[] = Object.freeze([
  { version: "1.0.0", files: ["hello/main.js"] },
  { version: "2.0.0", main: 'throw new Error("this mod fails");\n' },
  { version: "3.0.0", main: "function more(n) {\n  return more(n + 1) + n;\n}\nmore(0);\n" },
  { version: "4.0.0", files: ["clock/main.js", "clock/seconds.js"] },
]);

export interface DeskModsOptions {
  readonly sdk: Sdk;
  readonly mods: readonly DeskMod[];
  /** The whole run may take so long, seconds. */
  readonly seconds: number;
  /** Told each line the application writes. */
  readonly line: (text: string) => void;
}

/** @returns how the job of each mod ended @throws Error when the application ends, or a job does not */
export function updateModsOnDesk({ sdk, mods, seconds, line }: DeskModsOptions): Promise<Execution[]> {
  const images = mods.map((mod) => modFile(sdk, mod));
  const setup = { sdk, application: EXAMPLE, seconds, line, restarts: RESTARTS };
  return onDesk(setup, async (deploy) => {
    const executions: Execution[] = [];
    for (const image of images) executions.push(await deploy(image, { fileType: FILE_TYPE }));
    return executions;
  });
}

/** @returns the file of a mod, compiled by the SDK */
export function modFile(sdk: Sdk, { version, files, main }: DeskMod): Uint8Array {
  const paths = files?.map((name) => join(EXAMPLE, name)) ?? [join(sdk.output, `mod-${version}`, "main.js")];
  if (main !== undefined) {
    mkdirSync(join(sdk.output, `mod-${version}`), { recursive: true });
    writeFileSync(paths[0] as string, main);
  }
  const description = {
    ...{ name: "mod", projectName: PROJECT, version, minFirmware: "", maxFirmware: "" },
    ...{ newNames: 0, host: undefined },
  };
  return buildModFile(description, compileMod(paths, "mod"));
}
