/**
 * Runs `service-process.ts` and talks to it.
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("./service-process.ts", import.meta.url));

export class KillableService {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  url = "";
  httpOrigin = "";

  static async start(directory: string): Promise<KillableService> {
    const child = spawn(process.execPath, ["--import", "tsx", SCRIPT, directory], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const service = new KillableService(child, createInterface({ input: child.stdout! }));
    Object.assign(service, await service.#next());
    return service;
  }

  private constructor(child: ChildProcess, lines: Interface) {
    this.#child = child;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  async deploy(options: { image: Uint8Array; things: string[]; protocols?: string[] }): Promise<string> {
    const image = Buffer.from(options.image).toString("base64");
    this.#child.stdin!.write(`${JSON.stringify({ deploy: { signature: null, ...options, image } })}\n`);
    return (await this.#next()).jobId;
  }

  async #next(): Promise<Record<string, string>> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error("the service ended");
    return JSON.parse(value);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
