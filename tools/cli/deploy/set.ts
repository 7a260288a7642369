/**
 * Files beside the image in a deployment: components, and the statement that they belong together.
 * @module
 */
import { basename } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { statementOf } from "../component.js";
import { Failure } from "../failure.js";
import { readBytes } from "../files.js";
import { wholeNumber } from "../options.js";

export interface SetOptions {
  readonly component?: readonly TypedFile[];
  readonly sequence?: number;
  readonly type: number;
}

interface TypedFile {
  readonly type: number;
  readonly path: string;
}

/** A file of the job beside the first one. */
export interface SetFile {
  readonly type: number;
  readonly name: string;
  readonly bytes: Uint8Array;
}

const STATEMENT_TYPE = 255;

export function addSetOptions(command: Command): Command {
  return command
    .option(
      "--component <type=file>",
      "a component's file that goes with it, and its file type; may be given several times",
      typedFile,
    )
    .option("--sequence <number>", "of the set they are; not less than that of the set before", sequence)
    .option("--type <number>", "file type of the first file; 0 is firmware", wholeNumber(0, 254), 0);
}

/** @param first the first file's path @throws Failure */
export function setFiles(first: string, { component = [], sequence }: SetOptions): SetFile[] {
  if (component.length === 0) return [];
  if (sequence === undefined)
    throw new Failure(
      "--component needs --sequence: devices install files together when a statement says so",
    );
  const { statement } = statementOf([first, ...component.map(({ path }) => path)], sequence);
  const files = component.map(({ type, path }) => ({ type, name: nameOf(path), bytes: readBytes(path) }));
  return [...files, { type: STATEMENT_TYPE, name: "set.xas", bytes: statement }];
}

/** As the service takes names. */
function nameOf(path: string): string {
  return basename(path)
    .replace(/[^\w.-]/g, "_")
    .slice(-64);
}

function typedFile(text: string, before: readonly TypedFile[] = []): TypedFile[] {
  const [, type, path] = /^(\d{1,3})=(.+)$/.exec(text) ?? [];
  if (!(Number(type) >= 1 && Number(type) < STATEMENT_TYPE))
    throw new InvalidArgumentError("It must be a file type from 1 to 254 and a file, such as 10=assets.xac.");
  return [...before, { type: Number(type), path }];
}

function sequence(text: string): number {
  return wholeNumber(0, 0xffffffff)(text);
}
