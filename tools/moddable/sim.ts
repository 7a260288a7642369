/**
 * `npm run sim`: builds an example for Moddable's simulator and updates it from the development service.
 * @module
 */
import { join } from "node:path";
import { Command } from "commander";
import { updateOnDesk } from "./desk.js";
import { BuildError, MissingError, ROOT, Sdk } from "./sdk.js";

interface Options {
  example: string;
  size: string;
  broker?: string;
  seconds: string;
}

async function main(): Promise<number> {
  const command = new Command("npm run sim --")
    .description("Update an example in Moddable's simulator, without a display.")
    .option("--example <name>", "directory under examples/", "minimal")
    .option("--size <bytes>", "size of the new image", "300000")
    .option("--broker <url>", "an MQTT broker that runs already (default: one of its own)")
    .option("--seconds <number>", "give up after so long", "120");
  command.parse();
  const { example, size, broker, seconds } = command.opts<Options>();
  const sdk = Sdk.find();
  if (!sdk.tested) console.log(`note: Moddable SDK ${sdk.version} has not been tried with this package`);
  try {
    console.log(`building examples/${example} with the Moddable SDK ${sdk.version} …`);
    const { execution, milliseconds } = await updateOnDesk({
      sdk,
      application: join(ROOT, "examples", example),
      size: Number(size),
      broker,
      seconds: Number(seconds),
      line: (text) => console.log(`  ${text}`),
    });
    const rate = Number(size) / 1024 / (milliseconds / 1000);
    console.log(
      `job ${execution.status} after ${(milliseconds / 1000).toFixed(1)} s, ${rate.toFixed(0)} KB/s`,
    );
    return execution.status === "SUCCEEDED" ? 0 : 1;
  } finally {
    sdk.close();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof MissingError)
    console.error(`The simulator cannot be used. Missing:\n${error.message}`);
  else if (error instanceof BuildError) console.error(`The build failed: ${error.message}`);
  else throw error;
  process.exitCode = 1;
}
