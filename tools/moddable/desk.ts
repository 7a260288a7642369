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
import { DevelopmentService } from "../../service/index.js";
import type { Execution } from "../../service/job-records.js";
import { generateIdentity } from "../../service/signer.js";
import { prepareExample } from "./example.js";
import type { Sdk } from "./sdk.js";

export interface DeskOptions {
  readonly sdk: Sdk;
  /** Directory of the application, with its manifest. */
  readonly application: string;
  /** Bytes of the new image. */
  readonly size: number;
  /** A broker that runs already; default: the service's own. */
  readonly broker?: string;
  readonly instrument?: boolean;
  /** Further settings of the application. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Content of the device's partition "nvs". */
  readonly nvs?: Uint8Array;
  /** Whether the new image is confirmed. Default: "pass". */
  readonly behaviour?: string;
  readonly protocols?: readonly ("MQTT" | "HTTP")[];
  /** The run may take so long, seconds. */
  readonly seconds: number;
  /** Told each line the application writes. */
  readonly line: (text: string) => void;
}

const THING = "desk";
const PROJECT = "desk";
const RESTARTS = 4;

export interface DeskResult {
  readonly execution: Execution;
  readonly milliseconds: number;
}

/** @throws Error when the application does not connect, or the job does not end in time */
export async function updateOnDesk(options: DeskOptions): Promise<DeskResult> {
  const { sdk, application, size, seconds, line } = options;
  const identity = await generateIdentity();
  const service = await DevelopmentService.start({ broker: options.broker, identity });
  const { hostname, port } = new URL(service.url);
  const flashFile = join(sdk.output, `flash-${Date.now()}.bin`);
  const nvsFile = options.nvs && join(sdk.output, "nvs.bin");
  if (options.nvs && nvsFile) writeFileSync(nvsFile, options.nvs);
  const directory = prepareExample(sdk, application, identity.certificatePem, {
    thingName: THING,
    host: hostname,
    port: Number(port),
    ...options.config,
    ota: { flashFile, projectName: PROJECT, version: "1.0.0", nvsFile },
  });
  try {
    const library = await sdk.build({ directory, platform: "lin", instrument: options.instrument });
    const child = await sdk.run(library, seconds, RESTARTS);
    const output = createInterface({ input: child.stdout! });
    output.on("line", line);
    child.stderr!.on("data", (data) => line(String(data).trimEnd()));
    const ended = new Promise<never>((_resolve, reject) => {
      child.once("exit", (code) =>
        reject(new Error(`the application ended with ${code}; flash in ${flashFile}`)),
      );
    });
    try {
      const device = new Promise<void>((resolve) => service.once("device", () => resolve()));
      await Promise.race([device, ended]);
      const sha256 = () => nodeCrypto.sha256();
      const { behaviour } = options;
      const image = buildImage(
        { chip: "esp32", projectName: PROJECT, version: "2.0.0", size, behaviour },
        sha256,
      );
      const started = performance.now();
      const deployed = { image, things: [THING], certFile: "desk.pem" };
      const protocols = options.protocols && { protocols: options.protocols };
      const job = service.deploy({ ...deployed, ...protocols } as Parameters<
        DevelopmentService["deploy"]
      >[0]);
      const execution = await Promise.race([service.ended(job.jobId, THING, seconds * 1000), ended]);
      return { execution, milliseconds: performance.now() - started };
    } finally {
      ended.catch(() => {});
      if (child.exitCode === null) child.kill();
    }
  } finally {
    await service.close();
  }
}
