/**
 * Deltas and compressed images for a deployment: made one at a time, each once, by whoever encodes them.
 * @module
 */
import { createHash } from "node:crypto";
import { OtaError } from "../src/errors.js";
import type { AppDescription } from "../src/ports.js";
import { HEAD_LENGTH, parseHead } from "../src/slot/esp-image.js";
import { ServiceError } from "./errors.js";
import type { UpdatePayload } from "./updates.js";

/** Makes a delta from `base`, or without one compresses the image; takes seconds, and not of this thread. */
export type MakePayload = (image: Uint8Array, base?: Uint8Array) => Promise<Uint8Array>;

/** An image that devices run. */
export interface BaseImage {
  /** As the person knows the file. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What is to go with an image. */
export interface PayloadWish {
  readonly bases: readonly BaseImage[];
  readonly packed: boolean;
}

export interface MadePayload extends UpdatePayload {
  /** Of the base; undefined for the compressed image. */
  readonly base?: { readonly name: string; readonly app: AppDescription };
}

/** So many are kept: a preview makes what the deployment behind it needs. */
const KEPT = 32;

export class PayloadMaker {
  readonly #make: MakePayload;
  readonly #made = new Map<string, Promise<Uint8Array>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(make: MakePayload) {
    this.#make = make;
  }

  /** @throws ServiceError InvalidRequest for bases that make no sense, InternalError when encoding fails */
  async make(image: Uint8Array, { bases, packed }: PayloadWish): Promise<MadePayload[]> {
    const app = headOf({ name: "the image", bytes: image });
    const known = new Map<string, string>([[app.buildId, "the image itself"]]);
    const plan = bases.map((base) => {
      const head = headOf(base);
      const other = known.get(head.buildId);
      if (other !== undefined) throw invalid(`${base.name} is the same build as ${other}.`);
      known.set(head.buildId, base.name);
      if (head.chipId !== app.chipId) throw invalid(`${base.name} is for another chip than the image.`);
      return { base, head };
    });
    const payloads: MadePayload[] = [];
    for (const { base, head } of plan)
      payloads.push({
        kind: `;base=${head.buildId}`,
        bytes: await this.#once(image, base.bytes),
        base: { name: base.name, app: head },
      });
    if (packed) payloads.push({ kind: ";packed", bytes: await this.#once(image) });
    return payloads;
  }

  #once(image: Uint8Array, base?: Uint8Array): Promise<Uint8Array> {
    const key = [base, image].map((bytes) => bytes && digest(bytes)).join();
    const made = this.#made.get(key);
    if (made) return made;
    const next = this.#last.then(async () => {
      try {
        return await this.#make(image, base);
      } catch (error) {
        this.#made.delete(key);
        throw new ServiceError("InternalError", `A smaller file cannot be made: ${(error as Error).message}`);
      }
    });
    this.#last = next.catch(() => {});
    this.#made.set(key, next);
    for (const oldest of this.#made.keys()) if (this.#made.size > KEPT) this.#made.delete(oldest);
    return next;
  }
}

function headOf({ name, bytes }: BaseImage): AppDescription {
  try {
    return parseHead(bytes.subarray(0, HEAD_LENGTH), bytes.length);
  } catch (error) {
    if (!(error instanceof OtaError)) throw error;
    throw invalid(`${name} is no image to make a delta of: ${error.message}.`);
  }
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function invalid(message: string): ServiceError {
  return new ServiceError("InvalidRequest", message);
}
