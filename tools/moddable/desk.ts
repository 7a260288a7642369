/**
 * An example on the desk: built for the simulator with keys and addresses of its own, run without a display, and
 * updated by the development service.
 * @module
 */
import { X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { buildImage } from "../../hosts/common/image-builder.js";
import { nodeCrypto } from "../../hosts/node/crypto.js";
import { DevelopmentService } from "../../service/index.js";
import type { Execution } from "../../service/job-records.js";
import { generateIdentity } from "../../service/signer.js";
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
  const { directory, flashFile } = writeApplication(
    options,
    service.url,
    identity.certificatePem,
    application,
  );
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

/** A directory with a manifest that sets the application up for this desk. */
function writeApplication(
  { sdk, config }: DeskOptions,
  url: string,
  certificatePem: string,
  application: string,
): { directory: string; flashFile: string } {
  const directory = join(sdk.output, application.split("/").at(-1) as string);
  const keys = join(directory, "keys");
  mkdirSync(keys, { recursive: true });
  writeFileSync(join(keys, "code-signing.der"), new X509Certificate(certificatePem).raw);
  const { hostname, port } = new URL(url);
  const flashFile = join(directory, `flash-${Date.now()}.bin`);
  const settings = { thingName: THING, host: hostname, port: Number(port), ...config };
  const ota = { flashFile, projectName: PROJECT, version: "1.0.0" };
  const original = JSON.parse(readFileSync(join(application, "manifest.json"), "utf8"));
  const manifest = {
    ...absolute(original, application),
    data: { "*": "./keys/*" },
    config: { ...original.config, ...settings, ota },
  };
  writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest, undefined, 2));
  return { directory, flashFile };
}

/** A part of a manifest, its relative paths made absolute. */
function absolute(value: unknown, directory: string): Record<string, unknown> {
  const turn = (item: unknown): unknown => {
    if (typeof item === "string") return /^\.{1,2}\//.test(item) ? resolve(directory, item) : item;
    if (Array.isArray(item)) return item.map(turn);
    if (typeof item !== "object" || item === null) return item;
    return Object.fromEntries(Object.entries(item).map(([key, inner]) => [key, turn(inner)]));
  };
  return turn(value) as Record<string, unknown>;
}
