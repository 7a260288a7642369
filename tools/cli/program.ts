/**
 * The commands of `xs-ota`, put together.
 * @module
 */
import { Command } from "commander";
import own from "../package.json" with { type: "json" };
import { awsCommand } from "./aws.js";
import { completionCommand } from "./completion.js";
import { bundleCommand, componentCommand } from "./component.js";
import { demoImageCommand } from "./demo-image.js";
import { deployCommand } from "./deploy.js";
import { deviceCommand } from "./device.js";
import { oneLine } from "./failure.js";
import { hawkbitCommand } from "./hawkbit.js";
import { inspectCommand } from "./inspect.js";
import { devicesCommand, jobsCommand } from "./jobs.js";
import { keygenCommand } from "./keygen.js";
import { modCommand } from "./mod.js";
import { nvsCommand } from "./nvs.js";
import { deltaCommand, packCommand } from "./payload.js";
import { pushCommand } from "./push.js";
import { serveCommand } from "./serve.js";
import { signCommand, verifyCommand } from "./sign.js";
import { traceCommand } from "./trace.js";
import { userCommand } from "./user.js";
import { watchCommand } from "./watch.js";

export function makeProgram(): Command {
  const program = new Command("xs-ota")
    .description(
      "Over-the-air firmware updates for Moddable XS on ESP32: keys, images, a development service, deployments.",
    )
    .enablePositionalOptions()
    .version(own.version, "-V, --version", "print the version")
    .addHelpText("after", "\nEach command explains itself: xs-ota <command> --help");
  const makers = [
    ...[keygenCommand, inspectCommand, signCommand, verifyCommand],
    ...[serveCommand, deployCommand, watchCommand, jobsCommand, devicesCommand],
    ...[deviceCommand, demoImageCommand, componentCommand, bundleCommand, awsCommand, traceCommand],
    ...[deltaCommand, packCommand, nvsCommand, modCommand, pushCommand],
    ...[hawkbitCommand, userCommand, completionCommand],
  ];
  for (const make of makers) program.addCommand(make());
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
