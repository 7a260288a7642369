/**
 * A bench's side of `site-process.ts`: broker, service and link in a process of their own.
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { buildImage } from "../hosts/formats/image-builder.js";
import { nodeCrypto } from "../hosts/node/crypto.js";
import type { LinkSettings } from "./proxy.js";

export interface Counts {
  readonly jobId?: string;
  /** GetStream requests the service has seen. */
  readonly requests: number;
  /** Blocks they asked for. */
  readonly blocks: number;
  /** Bytes through the link, from the device and to it. */
  readonly upBytes: number;
  readonly downBytes: number;
}

export const FILE_SIZE = 1_572_864;
export const CERTIFICATE = "/certificates/ota.pem";

export const firmware = (version: string): Uint8Array =>
  buildImage({ version, projectName: "bench", size: FILE_SIZE }, () => nodeCrypto.sha256());

export class Site {
  /** Where devices connect to. */
  url = "";
  certificate = "";
  readonly #image = firmware("1.0.1");
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  static async start(): Promise<Site> {
    const script = fileURLToPath(new URL("site-process.ts", import.meta.url));
    const child = spawn(process.execPath, ["--import", "tsx", script], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const site = new Site(child);
    const { port, certificate } = await site.#next<{ port: number; certificate: string }>();
    site.url = `mqtt://127.0.0.1:${port}`;
    site.certificate = certificate;
    return site;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  link(link: Partial<LinkSettings>): Promise<Counts> {
    return this.#ask({ link });
  }

  counts(): Promise<Counts> {
    return this.#ask({});
  }

  deploy(thing: string, more: object = {}): Promise<Counts> {
    return this.#ask({ deploy: { image: this.#base64, things: [thing], certFile: CERTIFICATE, ...more } });
  }

  /** The image under a stream of its own, without a job. */
  stream(name: string): Promise<Counts> {
    return this.#ask({ stream: { name, image: this.#base64 } });
  }

  async close(): Promise<void> {
    this.#child.stdin!.end();
    await once(this.#child, "exit");
  }

  get #base64(): string {
    return Buffer.from(this.#image).toString("base64");
  }

  #ask(line: object): Promise<Counts> {
    this.#child.stdin!.write(`${JSON.stringify(line)}\n`);
    return this.#next();
  }

  async #next<T>(): Promise<T> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error("the service of the bench has ended");
    return JSON.parse(value);
  }
}
