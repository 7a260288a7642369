/**
 * The application of the README on the desk, as it is printed but for its names and addresses.
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installPackage } from "./package.js";
import { BuildError, ROOT, type Sdk } from "./sdk.js";

/** @param broker where the application is to connect @returns its directory @throws BuildError when the README is another one */
export async function readmeApplication(sdk: Sdk, broker: string, thing: string): Promise<string> {
  const directory = join(sdk.output, "readme");
  mkdirSync(directory, { recursive: true });
  await installPackage(sdk, join(directory, "node_modules/xs-ota-agent"));
  const chapter =
    readFileSync(join(ROOT, "README.md"), "utf8").split("\n## Use it\n")[1]?.split("\n## ")[0] ?? "";
  const block = (language: string) => {
    const text = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(chapter)?.[1];
    if (!text) throw new BuildError(`the README's "Use it" has no ${language}`);
    return text;
  };
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
