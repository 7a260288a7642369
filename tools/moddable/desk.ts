/**
 * An example on the desk: built for the simulator with keys and addresses of its own, run without a display, and
 * updated by the development service.
 * @module
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buildImage } from "../../hosts/formats/image-builder.js";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import { freshFlash } from "../../hosts/sim/fresh-flash.js";
import { DevelopmentService } from "../../service/index.js";
import type { Execution } from "../../service/job-records.js";
import { generateIdentity } from "../../service/signer.js";
import { manifestOf, prepareExample } from "./example.js";
import type { Sdk } from "./sdk.js";

/** An application that runs without a display, with a service of its own. */
export interface DeskSetup {
  readonly sdk: Sdk;
  /** Directory of the application, with its manifest. */
  readonly application: string;
  /** A broker that runs already; default: the service's own. */
  readonly broker?: string;
  readonly instrument?: boolean;
  /** Further settings of the application. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of the machine, in place of its manifest's. */
  readonly creation?: object;
  /** Content of the device's partition "nvs". */
  readonly nvs?: Uint8Array;
  /** How often the application may restart. Default: 4. */
  readonly restarts?: number;
  /** The run may take so long, seconds. */
  readonly seconds: number;
  /** Told each line the application writes. */
  readonly line: (text: string) => void;
}

export interface DeskOptions extends DeskSetup {
  /** Bytes of the new image. */
  readonly size: number;
  /** Whether the new image is confirmed. Default: "pass". */
  readonly behaviour?: string;
  readonly protocols?: readonly ("MQTT" | "HTTP")[];
}

export const THING = "desk";
/** The product that images and files of components are made for. */
export const PROJECT = "desk";
const RESTARTS = 4;

export interface DeskResult {
  readonly execution: Execution;
  readonly milliseconds: number;
}

type Deployment = Parameters<DevelopmentService["deploy"]>[0];

/** Deploys a file to the application. @returns how its job ended */
export type Deploy = (image: Uint8Array, options?: Partial<Deployment>) => Promise<Execution>;

/**
 * Builds an application, starts it, and has something done while it runs.
 * @param certificatePem of the key that images will be signed with
 * @param config settings of the application
 * @throws Error when it ends meanwhile
 */
export async function whileItRuns<Result>(
  { sdk, application, instrument, creation, nvs, seconds, line, restarts = RESTARTS }: DeskSetup,
  certificatePem: string,
  config: Readonly<Record<string, unknown>>,
  action: (ended: Promise<never>) => Promise<Result>,
): Promise<Result> {
  const flashFile = join(sdk.output, `flash-${Date.now()}.bin`);
  const nvsFile = nvs && join(sdk.output, "nvs.bin");
  if (nvs && nvsFile) writeFileSync(nvsFile, nvs);
  const { ota } = (manifestOf(application).config ?? {}) as { ota?: object };
  const factory = { projectName: PROJECT, version: "1.0.0" };
  // A device leaves the factory with its flash written: in a memory of its own size the simulator has no room for that.
  if (creation)
    writeFileSync(
      flashFile,
      freshFlash({ ...factory, nvs }, () => nodeCrypto.sha256()),
    );
  const settings = {
    ...{ thingName: THING, ...config },
    ota: { ...ota, flashFile, ...factory, nvsFile },
  };
  const directory = await prepareExample(sdk, application, certificatePem, settings, creation);
  const library = await sdk.build({ directory, platform: "lin", instrument });
  const child = await sdk.run(library, seconds, restarts);
  createInterface({ input: child.stdout! }).on("line", line);
  child.stderr!.on("data", (data) => line(String(data).trimEnd()));
  const ended = new Promise<never>((_resolve, reject) => {
    child.once("exit", (code) =>
      reject(new Error(`the application ended with ${code}; flash in ${flashFile}`)),
    );
  });
  try {
    return await Promise.race([action(ended), ended]);
  } finally {
    ended.catch(() => {});
    if (child.exitCode === null) child.kill();
  }
}

/**
 * Builds and starts an application, and has something done with it once it is connected.
 * @throws Error when it does not connect, ends, or a job does not end in time
 */
export async function onDesk<Result>(
  setup: DeskSetup,
  action: (deploy: Deploy) => Promise<Result>,
): Promise<Result> {
  const identity = await generateIdentity();
  const service = await DevelopmentService.start({ broker: setup.broker, identity });
  const { hostname, port } = new URL(service.url);
  const device = new Promise<void>((resolve) => service.once("device", () => resolve()));
  const deploy: Deploy = (image, options) => {
    const deployment = { image, things: [THING], certFile: "desk.pem", ...options };
    const { jobId } = service.deploy(deployment as Deployment);
    return service.ended(jobId, THING, setup.seconds * 1000);
  };
  const config = { host: hostname, port: Number(port), ...setup.config };
  try {
    return await whileItRuns(setup, identity.certificatePem, config, async (ended) => {
      await Promise.race([device, ended]);
      return action((image, options) => Promise.race([deploy(image, options), ended]));
    });
  } finally {
    await service.close();
  }
}

/** @throws Error as `onDesk` */
export function updateOnDesk(options: DeskOptions): Promise<DeskResult> {
  const { size, behaviour, protocols } = options;
  return onDesk(options, async (deploy) => {
    const image = buildImage({ chip: "esp32", projectName: PROJECT, version: "2.0.0", size, behaviour }, () =>
      nodeCrypto.sha256(),
    );
    const started = performance.now();
    const execution = await deploy(image, protocols && { protocols });
    return { execution, milliseconds: performance.now() - started };
  });
}
