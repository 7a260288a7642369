/**
 * A board on the desk of its developer, without a service: `xs-ota push` to an application that listens (test/moddable/apps/push).
 * @module
 */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildImage, type ImageOptions } from "../../hosts/formats/image-builder.js";
import { generateIdentity } from "../../service/signer.js";
import { freePort } from "../../test/support/daemon.js";
import { PROJECT, whileItRuns } from "./desk.js";
import { BuildError, ROOT, type Sdk } from "./sdk.js";

const SECRET = "a secret of the desk";
/** In how many of its words a push that does not succeed says why. */
const REASON = 200;

/** @returns what was seen, for people @throws Error when a push ends otherwise */
export async function pushOnDesk(options: {
  readonly sdk: Sdk;
  readonly size: number;
  readonly seconds: number;
  readonly line: (text: string) => void;
}): Promise<string> {
  const { sdk, size, seconds } = options;
  const port = await freePort();
  const identity = await generateIdentity();
  const key = join(sdk.output, "push-key.pem");
  writeFileSync(key, identity.privateKeyPem, { mode: 0o600 });
  const setup = { ...options, application: join(ROOT, "test/moddable/apps/push"), restarts: 6 };
  const settings = { pushPort: port, pushSecret: SECRET };
  const image = (version: string, behaviour?: ImageOptions["behaviour"]) => {
    const file = join(sdk.output, `push-${version}.bin`);
    const firmware = { chip: "esp32", projectName: PROJECT, version, size, behaviour } as const;
    writeFileSync(
      file,
      buildImage(firmware, () => createHash("sha256")),
    );
    return file;
  };
  /** Ends as the command does; what it has printed. */
  const push = async (file: string, secret: string): Promise<string> => {
    const words = [file, `127.0.0.1:${port}`, "--key", key, "--timeout", String(seconds)];
    const program = ["tsx", join(ROOT, "tools/xs-ota.ts"), "push", ...words];
    return sdk.call(program[0], program.slice(1), sdk.output, { XS_OTA_PUSH_SECRET: secret });
  };
  /** @param text that a push says which must not succeed */
  const refused = async (file: string, secret: string, text: string): Promise<void> => {
    const said = await push(file, secret).then(
      (printed) => Promise.reject(new Error(`was taken: ${printed}`)),
      (error: Error) => (error instanceof BuildError ? error.message : Promise.reject(error)),
    );
    if (!said.includes(text)) throw new Error(`not "${text}": ${said.slice(-REASON)}`);
  };
  return whileItRuns(setup, identity.certificatePem, settings, async () => {
    await refused(image("2.0.0"), "another secret of the desk", "refuses");
    const started = performance.now();
    const said = await push(image("2.0.0"), SECRET);
    const time = ((performance.now() - started) / 1000).toFixed(1);
    if (!said.includes(`runs ${PROJECT} 2.0.0`)) throw new Error(said);
    await refused(image("3.0.0", "crash"), SECRET, `runs ${PROJECT} 2.0.0`);
    return `${size} bytes in ${time} s; another secret is refused; an image that crashes goes back`;
  });
}
