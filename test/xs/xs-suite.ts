/**
 * A test file of test/unit inside a real XS engine.
 * @module
 */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { XsWorker } from "../../hosts/xs/worker.js";
import { compacted } from "./compacted.js";
import { sdkModules } from "./sdk-modules.js";

const SHIM = fileURLToPath(new URL("shim.ts", import.meta.url));

export type Host = (message: Uint8Array) => Uint8Array;

/** One script with the file and all it imports, the agent compacted as it is shipped. Fails for a file that imports anything of Node or npm. */
async function bundle(file: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import ${JSON.stringify(SHIM)};\nimport ${JSON.stringify(file)};`,
      resolveDir: process.cwd(),
    },
    bundle: true,
    write: false,
    format: "iife",
    platform: "neutral",
    packages: "external",
    plugins: [sdkModules, compacted],
    target: "es2022",
    tsconfigRaw: { compilerOptions: { target: "ES2022", useDefineForClassFields: true } },
    logLevel: "silent",
  });
  const text = outputFiles[0]?.text ?? "";
  const foreign = /\b__require\("([^"]+)"\)/.exec(text);
  if (foreign) throw new Error(`${file} imports "${foreign[1]}", which does not exist on XS`);
  return text;
}

export class XsSuite {
  readonly #script: string;
  readonly #host: Host | undefined;
  #worker: XsWorker | undefined;

  private constructor(script: string, host?: Host) {
    this.#script = script;
    this.#host = host;
  }

  /** @param host answers what the tests call for */
  static async load(file: string, host?: Host): Promise<XsSuite> {
    return new XsSuite(await bundle(file), host);
  }

  async start(): Promise<void> {
    this.#worker = new XsWorker({ stdout: "inherit", onCommand: this.#host });
    await this.#worker.evaluate(this.#script);
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
