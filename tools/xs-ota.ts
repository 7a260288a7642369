#!/usr/bin/env node
/**
 * `xs-ota`: what a firmware developer does ten times a day. See `xs-ota --help`.
 * @module
 */
import { CommanderError } from "commander";
import { FAILED, Failure, OK, oneLine, UNUSABLE } from "./cli/failure.js";
import { words } from "./cli/files.js";
import { makeProgram } from "./cli/program.js";

async function main(): Promise<void> {
  const program = makeProgram();
  if (process.argv.length < 3) return program.outputHelp();
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Prints the error in a line, unless that has been done. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? OK : UNUSABLE;
  process.stderr.write(`error: ${oneLine(error)}\n`);
  return error instanceof Failure ? error.exitCode : FAILED;
}

// A reader that has seen enough, such as head, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  process.stderr.write(`error: cannot print: ${words(error)}\n`);
  process.exit(FAILED);
});

await main();
