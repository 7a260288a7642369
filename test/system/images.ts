/**
 * Firmware for the stories: good, bad and forged.
 * @module
 */
import { buildImage, type ImageOptions, sealImage } from "../../hosts/formats/image-builder.js";
import { encodeUtf8 } from "../../src/bytes.js";
import type { Hash } from "../../src/ports.js";
import { signDigest } from "../support/test-crypto.js";
import { BOOTABLE, type JobKind } from "./scenario.js";

export const PROJECT = "story";
/** Where images are, by their version, in stories that fetch them over HTTP. */
export const IMAGES = "https://images.test/";
export const SLOT_SIZE = 0x10000;
const SECURE_VERSION = 1;

export interface Firmware {
  readonly kind: JobKind;
  readonly version: string;
  /** What the service delivers. */
  readonly bytes: Uint8Array;
  /** Base64; undefined for an unsigned file. */
  readonly signature: string | undefined;
  /** Whether this device may ever start these bytes. */
  readonly bootable: boolean;
}

export class Foundry {
  readonly sha256: () => Hash;
  readonly #made = new Map<string, Firmware>();

  constructor(sha256: () => Hash) {
    this.sha256 = sha256;
  }

  /** The same firmware for the same arguments. */
  make(kind: JobKind, version: string, size: number): Firmware {
    const key = `${kind} ${version} ${size}`;
    let firmware = this.#made.get(key);
    if (!firmware) this.#made.set(key, (firmware = this.#build(kind, version, size)));
    return firmware;
  }

  #build(kind: JobKind, version: string, size: number): Firmware {
    const bytes = this.#image(kind, version, kind === "too-large" ? SLOT_SIZE + 4096 : size);
    let signature: string | undefined = this.#sign(bytes);
    if (kind === "unsigned") signature = undefined;
    if (kind === "other-signature") signature = this.#sign(this.#image("good", `${version}1`, size));
    if (kind === "tampered") {
      bytes[bytes.length >> 1] ^= 0x10;
      sealImage(bytes, this.sha256);
    }
    return { kind, version, bytes, signature, bootable: BOOTABLE.has(kind) };
  }

  #image(kind: JobKind, version: string, size: number): Uint8Array {
    const special: Partial<Record<JobKind, Partial<ImageOptions>>> = {
      "wrong-chip": { chip: "esp32s3" },
      "wrong-project": { projectName: "another" },
      "low-secure": { secureVersion: SECURE_VERSION - 1 },
      "no-version": { version: "latest" },
    };
    const behaviour = BOOTABLE.has(kind) ? kind : "good";
    // No two builds have the same code, whatever version they call themselves.
    const seed = encodeUtf8(kind).reduce((sum, letter) => sum * 31 + letter, size) >>> 0;
    const options = { version, projectName: PROJECT, size, seed, secureVersion: SECURE_VERSION, behaviour };
    return buildImage({ ...options, ...special[kind] }, this.sha256);
  }

  #sign(bytes: Uint8Array): string {
    const hash = this.sha256();
    hash.update(bytes);
    return signDigest(hash.digest());
  }
}
