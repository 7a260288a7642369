/**
 * Where a device and its update live between two runs. Everything is written so that the process may be killed
 * at any moment: what a later run needs is on disk before it matters.
 *
 * `device.json`: what the device is, and the key pair that signs for it; `flash.bin`: its chip; `store.json`: what
 * it remembers; `image.bin`: what is deployed; `update.json`: how; `service`: what the service knows of its jobs.
 * @module
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replaceFile } from "../../hosts/node/replace-file.js";
import { makeFolder } from "../../service/make-folder.js";
import type { ImageSignature, SigningIdentity } from "../../service/signer.js";
import type { AppDescription } from "../../src/ports.js";
import type { Failure, ProtocolChoice } from "./options.js";
import { sha256Hex } from "./scenario.js";

/** What a device is; survives JSON. */
export interface KeptDevice extends SigningIdentity {
  readonly thingName: string;
  /** `chip_id` of the image header. */
  readonly chipId: number;
}

/** An update as it was, or is about to be, deployed; survives JSON. */
export interface KeptUpdate {
  readonly updateId: string;
  readonly protocol: ProtocolChoice;
  readonly failure?: Failure | undefined;
  readonly allowDowngrade: boolean;
  /** What ran before. */
  readonly before: AppDescription;
  readonly imageSha256: string;
  readonly signature: ImageSignature;
  /** The run that deployed it has come to its end. */
  readonly finished: boolean;
}

/** A folder that cannot be used. */
export class FolderError extends Error {
  override name = "FolderError";
}

export class Folder {
  readonly path: string;
  readonly #temporary: boolean;

  /** @param path undefined: a folder for this run only. @throws FolderError */
  constructor(path: string | undefined) {
    this.#temporary = path === undefined;
    try {
      if (path !== undefined) makeFolder(path);
      this.path = path ?? mkdtempSync(join(tmpdir(), "xs-ota-"));
    } catch (error) {
      throw new FolderError(`the folder ${path} cannot be used: ${(error as Error).message}`);
    }
  }

  get flashPath(): string {
    return join(this.path, "flash.bin");
  }

  get storePath(): string {
    return join(this.path, "store.json");
  }

  /** Where the service keeps its state; undefined when nothing is kept. */
  get servicePath(): string | undefined {
    return this.#temporary ? undefined : join(this.path, "service");
  }

  get hasFlash(): boolean {
    return existsSync(this.flashPath);
  }

  /** @throws FolderError */
  device(): KeptDevice | undefined {
    return this.#readJson("device.json");
  }

  saveDevice(device: KeptDevice): void {
    this.#write("device.json", JSON.stringify(device));
  }

  /** An update an earlier run did not bring to its end. @throws FolderError */
  unfinished(): { update: KeptUpdate; image: Uint8Array } | undefined {
    const update = this.#readJson<KeptUpdate>("update.json");
    if (!update || update.finished) return undefined;
    const image = this.image();
    if (sha256Hex(image) !== update.imageSha256)
      throw new FolderError(`${join(this.path, "image.bin")} is not the image of the update under way`);
    return { update, image };
  }

  /** What is deployed. @throws Error when there is none */
  image(): Uint8Array {
    return new Uint8Array(readFileSync(join(this.path, "image.bin")));
  }

  saveImage(image: Uint8Array): void {
    if (!this.#temporary) this.#write("image.bin", image);
  }

  saveUpdate(update: KeptUpdate): void {
    if (!this.#temporary) this.#write("update.json", JSON.stringify(update));
  }

  /** Deletes what was for this run only. */
  close(): void {
    if (this.#temporary) rmSync(this.path, { recursive: true, force: true });
  }

  #write(name: string, content: string | Uint8Array): void {
    replaceFile(join(this.path, name), content);
  }

  #readJson<T>(name: string): T | undefined {
    const path = join(this.path, name);
    if (!existsSync(path)) return undefined;
    try {
      return JSON.parse(readFileSync(path, "utf8")) as T;
    } catch (error) {
      throw new FolderError(`${path} is damaged: ${(error as Error).message}`);
    }
  }
}
