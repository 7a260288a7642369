/**
 * The application of the README on the desk, as it is printed but for its names and addresses.
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installPackage } from "./package.js";
import { printed } from "./printed.js";
import { BuildError, type Sdk } from "./sdk.js";

/** @param broker where the application is to connect @returns its directory @throws BuildError when the README is another one */
export async function readmeApplication(sdk: Sdk, broker: string, thing: string): Promise<string> {
  const directory = join(sdk.output, "readme");
  mkdirSync(directory, { recursive: true });
  await installPackage(sdk, join(directory, "node_modules/xs-ota-agent"));
  const block = (language: string) => printed("README.md", "Use it", language);
  const { hostname, port } = new URL(broker);
  let main = block("ts");
  for (const [printed, here] of [
    ['host: "192.168.1.10"', `host: "${hostname}", port: ${port}`],
    ['clientId: "my-thing"', `clientId: "${thing}"`],
    ['thingName: "my-thing"', `thingName: "${thing}"`],
    ["ota-cert.der", "code-signing.der"],
  ] as const) {
    if (!main.includes(printed)) throw new BuildError(`the README's application does not say ${printed}`);
    main = main.replace(printed, here);
  }
  writeFileSync(join(directory, "main.ts"), main);
  writeFileSync(join(directory, "manifest.json"), block("json"));
  return directory;
}
