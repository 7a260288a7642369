/**
 * A test file of test/unit inside a real XS engine.
 * @module
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { XsWorker } from "../../hosts/xs/worker.js";
import { makePayload } from "../support/payload-maker.js";
import { beyond } from "./beyond.js";
import { compacted } from "./compacted.js";
import { PAYLOAD, PAYLOAD_HEAD, SHA256 } from "./own-calls.js";
import { sdkModules } from "./sdk-modules.js";

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const SHIM = fileURLToPath(new URL("shim.ts", import.meta.url));

export type Host = (message: Uint8Array) => Uint8Array;

const load = async (file: string) => import(new URL(`../../tools/build/${file}`, import.meta.url).href);

interface Script extends Bundled {
  /** True when the agent in it is the one of dist. */
  readonly shipped: boolean;
}

interface Bundled {
  readonly text: string;
  /** Names of the files of dist that are in it. */
  readonly files: readonly string[];
}

/** The file and all it imports as one script, with the agent by `agent`. */
async function bundleWith(file: string, agent: Plugin): Promise<Bundled> {
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: `import ${JSON.stringify(SHIM)};\nimport ${JSON.stringify(file)};`,
      resolveDir: process.cwd(),
    },
    bundle: true,
    metafile: true,
    write: false,
    format: "iife",
    platform: "neutral",
    packages: "external",
    plugins: [agent, sdkModules],
    target: "es2022",
    tsconfigRaw: { compilerOptions: { target: "ES2022", useDefineForClassFields: true } },
    logLevel: "silent",
  });
  const text = outputFiles[0]?.text ?? "";
  const foreign = /\b__require\("([^"]+)"\)/.exec(text);
  if (foreign) throw new Error(`${file} imports "${foreign[1]}", which does not exist on XS`);
  const inputs = Object.keys(metafile.inputs).map((path) => relative(DIST, resolve(path)));
  return { text, files: inputs.filter((path) => !path.startsWith("..")) };
}

/**
 * One script with the agent as it ships, the files of dist; for a file that itself asks for what the package does not
 * export, with the sources compacted in the same way. Fails for a file that imports anything of Node or npm.
 * @param agent path of another bundle of the agent, in place of the one of dist
 */
async function bundle(file: string, agent?: string): Promise<Script> {
  await (await load("fresh.js")).makeAgent();
  for (const plugin of [(await load("shipped.js")).shipped(agent), await beyond(file, agent)])
    try {
      return { ...(await bundleWith(file, plugin)), shipped: true };
    } catch (error) {
      const { errors = [] } = error as { errors?: readonly { text: string }[] };
      if (!errors.length || !errors.every(({ text }) => /^No matching export in "dist\//.test(text)))
        throw error;
    }
  return { ...(await bundleWith(file, compacted)), shipped: false };
}

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());

/** Payloads that were asked for: tests of a file have most of them alike. */
const payloads = new Map<string, Uint8Array>();

function payloadOf(message: Uint8Array): Uint8Array {
  const key = Buffer.from(sha256(message)).toString("hex");
  let payload = payloads.get(key);
  if (!payload) {
    const data = message.slice(PAYLOAD_HEAD);
    const length = new DataView(message.buffer, message.byteOffset).getUint32(2);
    const base = length > 0 ? data.subarray(0, length) : undefined;
    payload = makePayload(data.subarray(length), base, message[1]);
    payloads.set(key, payload);
  }
  return payload;
}

let folder: string | undefined;
let made = 0;

/** Where snapshots are until this process ends. */
function snapshots(): string {
  if (!folder) {
    const path = mkdtempSync(join(tmpdir(), "xs-suite-"));
    process.once("exit", () => rmSync(path, { recursive: true, force: true }));
    folder = path;
  }
  return folder;
}

export class XsSuite {
  readonly #script: string;
  /** True when the agent it runs is the one of dist. */
  readonly shipped: boolean;
  /** Names of the files of dist that it runs. */
  readonly files: readonly string[];
  readonly #host: Host;
  #worker: XsWorker | undefined;
  #snapshot: string | undefined;

  private constructor({ text, shipped, files }: Script, host?: Host) {
    this.#script = text;
    this.shipped = shipped;
    this.files = files;
    this.#host = (message) => {
      if (message[0] === SHA256) return sha256(message.subarray(1));
      if (message[0] === PAYLOAD) return payloadOf(message);
      return host?.(message) ?? new Uint8Array(0);
    };
  }

  /**
   * @param host answers what the tests call for
   * @param agent path of another bundle of the agent, in place of the one of dist
   */
  static async load(file: string, host?: Host, agent?: string): Promise<XsSuite> {
    return new XsSuite(await bundle(file, agent), host);
  }

  /** Starts an engine in which the file has been loaded: from the second time on from a snapshot of the first. */
  async start(): Promise<void> {
    const options = { stdout: "inherit", onCommand: this.#host } as const;
    this.#worker = new XsWorker(this.#snapshot ? { ...options, snapshot: this.#snapshot } : options);
    if (this.#snapshot) return;
    await this.#worker.evaluate(this.#script);
    const path = join(snapshots(), `${++made}.xss`);
    await this.#worker.writeSnapshot(path);
    this.#snapshot = path;
  }

  /** The titles of each test and of the suites around it, outermost first. */
  async list(): Promise<string[][]> {
    return JSON.parse(await this.#command(""));
  }

  /** Runs a test. Rejects when it fails, or takes longer than `timeout` ms: the engine is then gone. */
  async run(index: number, timeout: number): Promise<void> {
    const worker = this.#worker;
    const timer = setTimeout(() => void worker?.kill(), timeout);
    try {
      const error = JSON.parse(await this.#command(String(index)));
      if (error !== null) throw Object.assign(new Error(error), { stack: error });
    } finally {
      clearTimeout(timer);
    }
  }

  async stop(): Promise<void> {
    await this.#worker?.close();
    this.#worker = undefined;
  }

  async #command(text: string): Promise<string> {
    if (!this.#worker) throw new Error("XS engine not started");
    const { result } = await this.#worker.command(Buffer.from(text));
    return Buffer.from(result).toString();
  }
}
