#!/usr/bin/env node
/**
 * `npm start`: one command that shows a device updating itself. See `npm start -- --help`.
 * @module
 */
import { CommanderError } from "commander";
import { FolderError } from "./start/folder.js";
import { parseOptions, type StartOptions } from "./start/options.js";
import { Run } from "./start/run.js";
import { ImageFileError } from "./start/scenario.js";
import { showSummary } from "./start/summary.js";
import { View } from "./start/view.js";

/** Outcome as expected; not as expected; unusable options; stopped by Ctrl-C. */
const OK = 0;
const FAILED = 1;
const UNUSABLE = 2;
const INTERRUPTED = 130;

async function main(): Promise<number> {
  let options: StartOptions;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? OK : UNUSABLE;
    throw error;
  }
  const view = new View();
  const run = new Run(options, view);
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    void run.close().then(() => process.exit(INTERRUPTED));
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const summary = await run.execute();
    await run.close();
    showSummary(view, summary);
    if (options.json) view.text(JSON.stringify(summary));
    return summary.ok ? OK : FAILED;
  } catch (error) {
    if (interrupted) return INTERRUPTED;
    await run.close();
    const { message } = error as Error;
    view.text();
    console.error(`error: ${message}`);
    if (options.json) view.text(JSON.stringify({ ok: false, error: message }));
    return error instanceof ImageFileError || error instanceof FolderError ? UNUSABLE : FAILED;
  }
}

process.exitCode = await main();
