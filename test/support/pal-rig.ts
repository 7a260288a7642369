/**
 * The porting layer on an emulated chip: one slot, a data partition, a boot side that records. Runs on Node and XS.
 * @module
 */
import { CUT_MOMENTS, cutPowerAt } from "../../hosts/emulated/flash-faults.js";
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { MemoryStorage, NorFlash, SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { buildImage } from "../../hosts/formats/image-builder.js";
import type { JobFile } from "../../src/control/job-document.js";
import { FlashPal, type FlashPalOptions, type OtaError } from "../../src/index.js";
import type { AppDescription, BootControl, BootImageState } from "../../src/ports.js";
import type { Received } from "../../src/slot/pal.js";
import { deepEqual, equal, ok } from "./assert.js";
import { fromBase64 } from "./base64.js";
import { newSha256, sha256 } from "./sha256.js";
import { signDigest, TEST_KEYS, testCrypto } from "./test-crypto.js";
import { VirtualClock } from "./virtual-clock.js";

export const SLOT = 0x10000;

export class FakeBoot implements BootControl {
  running: AppDescription = {
    chipId: 5,
    projectName: "rig",
    version: "1.0.0",
    secureVersion: 0,
    buildId: "0",
  };
  rollbackEnabled = true;
  state: BootImageState = "valid";
  other: BootImageState = "undefined";
  readonly calls: string[] = [];
  /** The next call of this name throws. */
  failing = "";

  imageState(): BootImageState {
    return this.state;
  }
  otherState(): BootImageState {
    return this.other;
  }
  keepWayBack(): void {
    this.#call("keepWayBack");
  }
  clearOther(): void {
    this.#call("clearOther");
    this.other = "undefined";
  }
  setBoot(): void {
    this.#call("setBoot");
  }
  markValid(): void {
    this.#call("markValid");
    this.state = "valid";
  }
  markInvalid(): void {
    this.#call("markInvalid");
  }
  restart(): void {
    this.#call("restart");
  }

  #call(name: string): void {
    if (this.failing === name) throw new Error(`${name} fails`);
    this.calls.push(name);
  }
}

export function rigImage(version = "1.1.0", size = 3 * SECTOR_SIZE + 1200): Uint8Array {
  return buildImage({ version, projectName: "rig", size }, newSha256);
}

export function fileOf(image: Uint8Array, changes: Partial<JobFile> = {}): JobFile {
  return {
    ...{
      fileId: 0,
      fileSize: image.length,
      fileType: 0,
      filePath: "/d",
      certFile: "c",
      streamName: "s",
      url: "",
    },
    signature: { algorithm: "sig-sha256-ecdsa", bytes: fromBase64(signDigest(sha256(image))) },
    ...changes,
  };
}

export interface RigOptions {
  /** Bytes of the slot. */
  readonly size?: number;
  readonly encrypted?: boolean;
  /** The chip as an earlier product left it. Default: something in every byte. */
  readonly blank?: boolean;
  readonly pal?: Partial<FlashPalOptions>;
  /** Use the data partition for the journal when needed. */
  readonly journal?: boolean;
}

export class PalRig {
  readonly clock = new VirtualClock();
  readonly chip: NorFlash;
  readonly slot: FlashPartition;
  readonly data: FlashPartition;
  readonly boot = new FakeBoot();
  readonly store = new Map<string, string>();
  readonly notices: string[] = [];
  pal: FlashPal;
  readonly #options: RigOptions;

  constructor(options: RigOptions = {}) {
    this.#options = options;
    const { size = SLOT, encrypted = false, blank = false } = options;
    const storage = new MemoryStorage(size + SECTOR_SIZE);
    if (!blank) storage.bytes.fill(0x5a);
    this.chip = new NorFlash(storage);
    this.slot = new FlashPartition(this.chip, { offset: 0, size, encrypted });
    this.data = new FlashPartition(this.chip, { offset: size, size: SECTOR_SIZE, encrypted });
    this.pal = this.restart();
  }

  /** A new life over the same flash. */
  restart(): FlashPal {
    this.chip.restorePower();
    this.clock.halt();
    this.pal = new FlashPal({
      slot: this.slot,
      boot: this.boot,
      crypto: testCrypto,
      clock: this.clock,
      trustedKeys: TEST_KEYS,
      journal: this.#options.journal ? this.data : undefined,
      store: { get: (key) => this.store.get(key), set: (key, value) => void this.store.set(key, value) },
      onNoResume: (reason) => this.notices.push(reason),
      ...this.#options.pal,
    });
    return this.pal;
  }

  /** @returns what an earlier transfer left; @throws the error it ended with */
  create(file: JobFile): Received {
    let result: Received | undefined;
    let failure: OtaError | undefined;
    this.pal.createFile(file, (error, received) => {
      failure = error;
      result = received;
    });
    if (result) throw new Error("createFile called back at once");
    this.clock.run(1000);
    if (failure) throw failure;
    if (!result) throw new Error("createFile did not call back");
    return result;
  }

  /** Writes what `received` lacks of an image, in blocks, in this order. @returns how many bytes */
  write(
    image: Uint8Array,
    blockSize = SECTOR_SIZE,
    received?: Received,
    order?: (blocks: number[]) => number[],
  ): number {
    const blocks = Array.from({ length: Math.ceil(image.length / blockSize) }, (_, index) => index);
    let bytes = 0;
    for (const index of order?.(blocks) ?? blocks) {
      const block = image.subarray(index * blockSize, (index + 1) * blockSize);
      if (received?.has(index * blockSize, block.length)) continue;
      this.pal.writeBlock(index * blockSize, block);
      bytes += block.length;
    }
    return bytes;
  }

  /** @returns the error code closing ended with, and how many bytes are there if some have to be fetched again */
  close(): { code: string | undefined; left: Received | undefined } {
    let result: { code: string | undefined; left: Received | undefined } | undefined;
    this.pal.closeFile((error, left) => {
      result = { code: error?.code, left };
    });
    this.clock.run(1000);
    if (!result) throw new Error("closeFile did not call back");
    return result;
  }

  /** @returns the error code activation ended with */
  activate(): string | undefined {
    let result: { code: string | undefined } | undefined;
    this.pal.activate((error) => {
      result = { code: error?.code };
    });
    this.clock.run(1000);
    if (!result) throw new Error("activate did not call back");
    return result.code;
  }

  /** What the slot holds. */
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.slot.read(bytes, 0);
    return bytes;
  }
}

/**
 * Cuts the power at operations of a transfer, in every manner; the next life has to complete the image and must
 * believe no byte wrongly.
 * @param step try every so many operations; the manners take turns so that together they try all
 * @returns how many cuts were tried
 */
export function cutEverywhere(options: RigOptions, step: number): number {
  const image = rigImage();
  const file = fileOf(image);
  const whole = new PalRig(options);
  whole.create(file);
  whole.write(image, 1024);
  const { operations } = whole.chip;
  let cuts = 0;
  CUT_MOMENTS.forEach((moment, turn) => {
    for (let at = turn % step; at < operations; at += step) {
      const rig = new PalRig(options);
      rig.create(file);
      rig.chip.faults = cutPowerAt(at, moment, at);
      try {
        rig.write(image, 1024);
      } catch {
        // The power went.
      }
      ok(!rig.chip.powered, `no cut at ${at}`);
      cuts++;
      rig.chip.faults = undefined;
      rig.restart();
      const received = rig.create(file);
      const bytes = rig.bytes(image.length);
      for (let start = 0; start < image.length; start += SECTOR_SIZE) {
        const end = Math.min(start + SECTOR_SIZE, image.length);
        if (received.has(start, end - start))
          deepEqual(
            bytes.subarray(start, end),
            image.subarray(start, end),
            `believed after a cut ${moment} ${at}`,
          );
      }
      rig.write(image, 1024, received);
      equal(rig.close().code, undefined, `closed after a cut ${moment} ${at}`);
    }
  });
  return cuts;
}
