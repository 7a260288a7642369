/**
 * Firmware for the stories: good, bad and forged; payloads of it, and assets.
 * @module
 */
import { buildComponent } from "../../hosts/formats/component-builder.js";
import { buildImage, type ImageOptions, sealImage } from "../../hosts/formats/image-builder.js";
import { encodeUtf8 } from "../../src/bytes.js";
import { COMPONENT_HEADER_LENGTH } from "../../src/components/header.js";
import type { Hash } from "../../src/ports.js";
import { parseHead } from "../../src/slot/esp-image.js";
import { buildArchive, modFileOf, program } from "../support/mod-engine.js";
import { makePayload } from "../support/payload-maker.js";
import { signDigest } from "../support/test-crypto.js";
import { BOOTABLE, type GearStory, type JobKind, type PayloadStory, type SetStory } from "./scenario.js";

export const PROJECT = "story";
/** Where images are, by their version, in stories that fetch them over HTTP. */
export const IMAGES = "https://images.test/";
export const SLOT_SIZE = 0x10000;
/** Name of the component. */
export const ASSETS = "assets";
/** `fileType` of assets and of the statement of a set. */
export const ASSETS_TYPE = 10;
export const STATEMENT_TYPE = 255;
/** Name and `fileType` of the second processor's images. */
export const GEAR = "gear";
export const GEAR_TYPE = 20;
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

/** A further file of a job. */
export interface Payload {
  /** What its path ends in. */
  readonly kind: string;
  readonly bytes: Uint8Array;
  /** Base64, where it is not the one of the image. */
  readonly signature: string | undefined;
}

/** Data of the product's one component. */
export interface Assets {
  /** What the firmware does that uses it. */
  readonly kind: JobKind;
  readonly version: string;
  readonly bytes: Uint8Array;
  readonly signature: string;
  /** Whether this device may ever use them. */
  readonly usable: boolean;
  /** Of a mod: what it says, as JSON. */
  readonly program: string;
}

/** An image of the second processor. */
export interface Gear {
  readonly version: string;
  /** The file that is delivered. */
  readonly bytes: Uint8Array;
  readonly signature: string | undefined;
  /** What the processor gets of it. */
  readonly image: Uint8Array;
  /** Whether it may ever start it, and whether it says of itself that it works. */
  readonly usable: boolean;
  readonly works: boolean;
}

/** Where the SHA-256 of a payload's body is (docs/SPEC.md, "Payloads"), and where the body begins. */
const BODY_DIGEST = 96;
const BODY = 128;
/** Bytes of the largest mod, which has to fit a place with its header and a journal. */
const LARGEST_MOD = 10_000;

export class Foundry {
  readonly sha256: () => Hash;
  readonly #made = new Map<string, Firmware>();
  readonly #payloads = new Map<string, Uint8Array>();
  readonly #assets = new Map<string, Assets>();
  readonly #gears = new Map<string, Gear>();

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
    let signature: string | undefined = this.sign(bytes);
    if (kind === "unsigned") signature = undefined;
    if (kind === "other-signature") signature = this.sign(this.#image("good", `${version}1`, size));
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

  /** @param base what it is a delta from; undefined: packed */
  payload(firmware: Firmware, base: Firmware | undefined, { fault, signed }: PayloadStory): Payload {
    const { version, bytes: image } = firmware;
    const other = (name: string) => this.make("good", name, image.length);
    const from = base && (fault === "base" ? other(`${base.version}1`) : base);
    const to = fault === "image" ? other(`${version}7`).bytes : image;
    const key = `${name(firmware)}${fault === "image"} ${from ? name(from) : ""}`;
    let made = this.#payloads.get(key);
    if (!made) {
      made = makePayload(to, from?.bytes);
      this.#payloads.set(key, made);
    }
    const bytes = made.slice();
    if (fault === "spoiled" || fault === "forged") bytes[bytes.length - 9] ^= 1;
    if (fault === "forged") bytes.set(this.digest(bytes.subarray(BODY)), BODY_DIGEST);
    // What is not genuine has no signature of its own either.
    const isGenuine = !["unsigned", "other-signature", "tampered"].includes(firmware.kind);
    const build = base && parseHead(base.bytes, base.bytes.length).buildId;
    return {
      kind: (base ? `;base=${build}` : ";packed") + (signed ? ";signed=file" : ""),
      bytes,
      signature: signed && isGenuine ? this.sign(bytes) : firmware.signature,
    };
  }

  /** The same assets for the same arguments. */
  assets(kind: JobKind, version: string, set: SetStory, mod = false): Assets {
    const key = `${kind} ${version} ${set.size} ${set.assets} ${mod}`;
    let made = this.#assets.get(key);
    if (!made) this.#assets.set(key, (made = this.#component(kind, version, set, mod)));
    return made;
  }

  #component(kind: JobKind, version: string, { assets, size }: SetStory, mod: boolean): Assets {
    // Not two of a size are the same, whatever version their header has.
    const mark = encodeUtf8(`${kind} ${version}`).reduce((sum, letter) => sum * 31 + letter, 0) >>> 0;
    const content = new Uint8Array(size).map((_, at) => at ^ (at >> 8) ^ (mark >> ((at & 3) * 8)));
    const header = {
      ...{ name: ASSETS, projectName: PROJECT, version: assets === "old" ? "0.1.0" : version },
      ...{ minFirmware: assets === "host" ? "99.0.0" : "", maxFirmware: "" },
    };
    const own = mod ? program(mark % 10_000, Math.min(size, LARGEST_MOD)) : undefined;
    const bytes = own
      ? modFileOf(buildArchive(own), header.version, header)
      : buildComponent(header, content);
    const signature = this.sign(bytes);
    if (assets === "tampered") bytes[bytes.length >> 1] ^= 0x10;
    const usable = assets === "good" || assets === "old";
    return {
      ...{ kind, version: header.version, bytes, signature, usable },
      program: own ? JSON.stringify(own) : "",
    };
  }

  /** The same image for the same arguments. */
  gear(version: string, story: GearStory, works = true): Gear {
    const key = `${version} ${story.quality} ${story.size} ${works}`;
    let made = this.#gears.get(key);
    if (!made) this.#gears.set(key, (made = this.#gear(version, story, works)));
    return made;
  }

  #gear(version: string, { quality, size }: GearStory, works: boolean): Gear {
    const mark = encodeUtf8(`${version} ${works}`).reduce((sum, letter) => sum * 31 + letter, size) >>> 0;
    const content = new Uint8Array(size).map((_, at) => at ^ (at >> 8) ^ (mark >> ((at & 3) * 8)));
    const name = quality === "other" ? "motor" : GEAR;
    const header = { name, projectName: PROJECT, version, minFirmware: "", maxFirmware: "" };
    const bytes = buildComponent(header, content);
    const signature = quality === "unsigned" ? undefined : this.sign(bytes);
    if (quality === "tampered") bytes[bytes.length >> 1] ^= 0x10;
    const image = bytes.slice(COMPONENT_HEADER_LENGTH);
    return { version, bytes, signature, image, usable: quality === "good", works };
  }

  digest(bytes: Uint8Array): Uint8Array {
    const hash = this.sha256();
    hash.update(bytes);
    return hash.digest();
  }

  sign(bytes: Uint8Array): string {
    return signDigest(this.digest(bytes));
  }
}

/** Unlike that of every other firmware. */
function name({ kind, version, bytes }: Firmware): string {
  return `${kind} ${version} ${bytes.length}`;
}
