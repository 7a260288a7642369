/**
 * A product whose logic is a mod (examples/mod), as its developer works with it: `xs-ota serve`, `mod build` and `deploy`, while the
 * application runs in the simulator.
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Folder } from "../../test/cli/run.js";
import { PROJECT, THING, whileItRuns } from "./desk.js";
import { ROOT, type Sdk } from "./sdk.js";

const EXAMPLE = join(ROOT, "examples/mod");
const FILE_TYPE = "12";
/** Each mod restarts the device once, a bad one twice. */
const RESTARTS = 6;
const PORTS = ["--mqtt-port", "0", "--http-port", "0", "--page-port", "0"];

/** @returns what was seen, for people @throws Error when a command ends otherwise */
export async function deployModsByCommand(options: {
  readonly sdk: Sdk;
  readonly seconds: number;
  readonly line: (text: string) => void;
}): Promise<string> {
  const folder = new Folder();
  const build = async (version: string, ...files: readonly string[]) => {
    const words = ["--project", PROJECT, "--version", version, "--out", `${version}.xam`];
    await folder.good("mod", "build", ...files, ...words);
    return `${version}.xam`;
  };
  try {
    await folder.good("keygen");
    const serve = folder.start("serve", "--json", ...PORTS);
    const [, text] = await serve.until(/^(\{"event":"serving".*\})$/m);
    const { page, mqtt } = JSON.parse(text as string) as { page: string; mqtt: string };
    const { hostname, port } = new URL(mqtt);
    const setup = { ...options, application: EXAMPLE, restarts: RESTARTS };
    const certificate = readFileSync(folder.file("ota-cert.pem"), "utf8");
    const target = ["--type", FILE_TYPE, "--thing", THING, "--new", "--service", page];
    const limit = ["--timeout", String(options.seconds)];
    const deploy = (file: string) => folder.run("deploy", file, ...target, ...limit);
    const expect = async (file: string, code: number, words: RegExp) => {
      const result = await deploy(file);
      if (result.code !== code || !words.test(result.stdout))
        throw new Error(`${file} ended with ${result.code}: ${result.stdout}${result.stderr}`);
    };
    folder.write("main.js", 'throw new Error("this mod fails");\n');
    const hello = await build("1.0.0", join(EXAMPLE, "hello/main.js"));
    const bad = await build("2.0.0", folder.file("main.js"));
    const clock = await build("3.0.0", join(EXAMPLE, "clock/main.js"), join(EXAMPLE, "clock/seconds.js"));
    return await whileItRuns(setup, certificate, { host: hostname, port: Number(port) }, async () => {
      await expect(hello, 0, /1 accepted/);
      await expect(bad, 1, /1 rolled back/);
      await expect(hello, 1, /1 refused/);
      await expect(clock, 0, /1 accepted/);
      return "accepted, rolled back, refused as it is no newer, accepted";
    });
  } finally {
    await folder.close();
  }
}
