/**
 * The commands of `xs-ota`, put together.
 * @module
 */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { oneLine } from "./failure.js";
import { inspectCommand } from "./inspect.js";
import { keygenCommand } from "./keygen.js";
import { signCommand, verifyCommand } from "./sign.js";

export function makeProgram(): Command {
  const program = new Command("xs-ota")
    .description(
      "Over-the-air firmware updates for Moddable XS on ESP32: keys, images, a development service, deployments.",
    )
    .version(packageVersion(), "-V, --version", "print the version")
    .addHelpText("after", "\nEach command explains itself: xs-ota <command> --help");
  for (const command of [keygenCommand(), inspectCommand(), signCommand(), verifyCommand()])
    program.addCommand(command);
  for (const command of allCommands(program)) prepare(command);
  return program;
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

/** Commands report mistakes in one line, by an exception. */
function prepare(command: Command): void {
  command
    .exitOverride()
    .allowExcessArguments(false)
    .configureOutput({ outputError: (text, write) => write(`${oneLine(text)}\n`) });
}

function packageVersion(): string {
  for (const path of ["../../package.json", "../../../package.json"]) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as { version: string })
        .version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  return "";
}
