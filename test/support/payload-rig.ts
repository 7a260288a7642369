/**
 * The porting layer for payloads on an emulated chip with two slots: one runs, the other is written. Runs on Node and XS.
 * @module
 */
import { CUT_MOMENTS, type CutMoment, cutPowerAt } from "../../hosts/emulated/flash-faults.js";
import { FlashPartition } from "../../hosts/emulated/flash-partition.js";
import { MemoryStorage, NorFlash, SECTOR_SIZE } from "../../hosts/emulated/nor-flash.js";
import { buildImage, type ImageOptions } from "../../hosts/formats/image-builder.js";
import { equalBytes } from "../../src/bytes.js";
import type { JobFile } from "../../src/control/job-document.js";
import type { OtaError } from "../../src/index.js";
import { StagedPal, type StagedPalOptions } from "../../src/payload/index.js";
import { jsDecoder } from "../../src/payload/js-decoder.js";
import { parseHead } from "../../src/slot/esp-image.js";
import type { Received } from "../../src/slot/pal.js";
import { deepEqual, equal, ok } from "./assert.js";
import { FakeBoot, fileOf } from "./pal-rig.js";
import { newSha256 } from "./sha256.js";
import { TEST_KEYS, testCrypto } from "./test-crypto.js";
import { VirtualClock } from "./virtual-clock.js";

const SEED = 7;
export const SLOT = 20 * SECTOR_SIZE;

/** An application image; images of one `seed` are alike but for their heads and ends. */
export function appImage(version: string, options: Partial<ImageOptions> = {}): Uint8Array {
  const plan = { projectName: "rig", size: 6 * SECTOR_SIZE + 1200, seed: SEED };
  return buildImage({ ...plan, ...options, version }, newSha256);
}

export function buildIdOf(image: Uint8Array): string {
  return parseHead(image, image.length).buildId;
}

/** The file of a job for a delta, signed as the image it makes. */
export function deltaFile(payload: Uint8Array, image: Uint8Array, base: Uint8Array): JobFile {
  return fileOf(image, { fileSize: payload.length, filePath: `/d;base=${buildIdOf(base)}` });
}

export function packedFile(payload: Uint8Array, image: Uint8Array): JobFile {
  return fileOf(image, { fileSize: payload.length, filePath: "/d;packed" });
}

export interface PayloadRigOptions {
  readonly base?: Uint8Array;
  /** Bytes of the slot that is written. */
  readonly slot?: number;
  readonly encrypted?: boolean;
  readonly pal?: Partial<StagedPalOptions>;
}

export class PayloadRig {
  readonly clock = new VirtualClock();
  readonly chip: NorFlash;
  readonly slot: FlashPartition;
  readonly running: FlashPartition;
  readonly boot = new FakeBoot();
  readonly slotSize: number;
  readonly #options: PayloadRigOptions;
  pal: StagedPal;
  applied: number[] = [];

  constructor(options: PayloadRigOptions = {}) {
    const { base = appImage("1.0.0"), slot = SLOT, encrypted = false } = options;
    this.#options = options;
    this.slotSize = slot;
    const size = Math.ceil(base.length / SECTOR_SIZE) * SECTOR_SIZE + SECTOR_SIZE;
    const storage = new MemoryStorage(slot + size);
    storage.bytes.fill(0x5a, 0, slot);
    storage.bytes.fill(0xff, slot);
    this.chip = new NorFlash(storage);
    this.slot = new FlashPartition(this.chip, { offset: 0, size: slot, encrypted });
    this.running = new FlashPartition(this.chip, { offset: slot, size, encrypted });
    this.running.write(base, 0);
    this.boot.running = parseHead(base, base.length);
    this.pal = this.restart();
  }

  /** A new life over the same flash. */
  restart(): StagedPal {
    this.chip.restorePower();
    this.clock.halt();
    this.pal = new StagedPal({
      slot: this.slot,
      running: this.running,
      boot: this.boot,
      crypto: testCrypto,
      clock: this.clock,
      trustedKeys: TEST_KEYS,
      decoder: jsDecoder,
      packed: true,
      ...this.#options.pal,
    });
    return this.pal;
  }

  /** @throws the error it ended with */
  create(file: JobFile): Received {
    let result: Received | undefined;
    let failure: OtaError | undefined;
    this.pal.createFile(file, (error, received) => {
      failure = error;
      result = received;
    });
    this.clock.run(1000);
    if (failure) throw failure;
    if (!result) throw new Error("createFile did not call back");
    return result;
  }

  /** Judges the head and writes what `received` lacks, in blocks. @returns how many bytes */
  fetch(file: JobFile, payload: Uint8Array, received: Received, blockSize = 1024): number {
    const head = Math.min(this.pal.headLength, payload.length);
    this.pal.inspect(file, payload.slice(0, head));
    let bytes = 0;
    for (let at = 0; at < payload.length; at += blockSize) {
      const block = payload.subarray(at, at + blockSize);
      if (received.has(at, block.length)) continue;
      this.pal.writeBlock(at, block);
      bytes += block.length;
    }
    return bytes;
  }

  close(): { code: string | undefined; left: Received | undefined } {
    let result: { code: string | undefined; left: Received | undefined } | undefined;
    this.pal.closeFile(
      (error, left) => {
        result = { code: error?.code, left };
      },
      (bytes) => this.applied.push(bytes),
    );
    this.clock.run(100_000);
    if (!result) throw new Error("closeFile did not call back");
    return result;
  }

  /** A whole life: fetches what is missing and closes. @returns the error code it ended with */
  update(file: JobFile, payload: Uint8Array): string | undefined {
    let received = this.create(file);
    for (let repairs = 0; ; repairs++) {
      this.fetch(file, payload, received);
      const { code, left } = this.close();
      if (!code || !left || repairs === 3) return code;
      received = left;
    }
  }

  activate(): string | undefined {
    let code: string | undefined;
    this.pal.activate((error) => {
      code = error?.code;
    });
    this.clock.run(1000);
    return code;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.slot.read(bytes, 0);
    return bytes;
  }
}

export interface Update {
  readonly file: JobFile;
  readonly payload: Uint8Array;
  readonly image: Uint8Array;
}

/** Where the power goes: at which of the chip's operations, and how far that comes. */
export interface Cut {
  readonly at: number;
  readonly moment: CutMoment;
}

const FULL_TURN = CUT_MOMENTS.length;

/**
 * An update in several lives: each but the last ends with a cut. None may erase more than one sector that was finished,
 * the one whose record is missing, and the last one decodes no more than a segment again and ends well.
 * @param segment sectors of a segment
 * @returns how many cuts came about, and the chip's operations at the end
 */
export function updateThrough(
  options: PayloadRigOptions,
  { file, payload, image }: Update,
  cuts: readonly Cut[],
  segment = 1,
): { readonly made: number; readonly operations: number } {
  const rig = new PayloadRig(options);
  const what = `cuts ${cuts.map(({ at, moment }) => `${moment} ${at}`).join(", ")}`;
  let made = 0;
  /** @returns how many sectors the image had, and had not */
  const life = (run: () => void) => {
    const before = rig.bytes(image.length);
    const finished: boolean[] = [];
    for (let at = 0; at < image.length; at += SECTOR_SIZE)
      finished.push(equalBytes(image.subarray(at, at + SECTOR_SIZE), before.subarray(at, at + SECTOR_SIZE)));
    const wear = rig.chip.wear.slice();
    rig.applied = [];
    run();
    const twice = finished.filter((done, n) => done && rig.chip.wear[n] > wear[n]).length;
    ok(twice <= 1, `${what}: ${twice} finished sectors were erased`);
    return finished.filter((done) => !done).length;
  };
  for (const { at, moment } of cuts) {
    rig.chip.faults = cutPowerAt(at, moment, at);
    life(() => {
      try {
        rig.update(file, payload);
      } catch {
        // The power went.
      }
    });
    rig.chip.faults = undefined;
    if (rig.chip.powered) break;
    made++;
    rig.restart();
  }
  const missing = life(() => equal(rig.update(file, payload), undefined, what));
  deepEqual(rig.bytes(image.length), image, what);
  const again = rig.applied.length - missing;
  ok(again <= segment, `${what}: ${again} finished sectors were decoded`);
  return { made, operations: rig.chip.operations };
}

/** The chip's operations before an update and after it. */
function extentOf(options: PayloadRigOptions, update: Update): { begin: number; end: number } {
  const begin = new PayloadRig(options).chip.operations;
  return { begin, end: updateThrough(options, update, []).operations };
}

/**
 * Cuts the power at operations of an update, in every manner.
 * @param step try every so many operations; the manners take turns so that together they try all
 * @returns cuts that were made
 */
export function cutUpdates(options: PayloadRigOptions, update: Update, step: number, segment = 1): number {
  const { begin, end } = extentOf(options, update);
  let cuts = 0;
  CUT_MOMENTS.forEach((moment, turn) => {
    for (let at = begin + (turn % step); at < end; at += step)
      cuts += updateThrough(options, update, [{ at, moment }], segment).made;
  });
  return cuts;
}

export interface PairPlan {
  /** Every so many operations for the first cut, and for the second. */
  readonly first: number;
  readonly second: number;
  /** Where to begin in the first step: the parts 0 to first − 1 make the whole. */
  readonly part?: number;
  /** All manners of the second cut, where otherwise they take turns. */
  readonly thorough?: boolean;
}

/**
 * Cuts the power at an operation, in every manner, and in the life behind it at each operation that follows.
 * @returns cuts that were made
 */
export function cutPairs(options: PayloadRigOptions, update: Update, plan: PairPlan, segment = 1): number {
  const { begin, end } = extentOf(options, update);
  const { first, second, part = 0, thorough = false } = plan;
  let cuts = 0;
  for (let at = begin + part; at < end; at += first)
    CUT_MOMENTS.forEach((moment, turn) => {
      const one: Cut = { at, moment };
      const { operations } = updateThrough(options, update, [one], segment);
      for (let next = at + 1 + ((at + turn) % second); next < operations; next += second) {
        const offset = at + turn + next;
        for (let n = 0; n < (thorough ? FULL_TURN : 1); n++) {
          const two: Cut = { at: next, moment: CUT_MOMENTS[(offset + n) % FULL_TURN] };
          cuts += updateThrough(options, update, [one, two], segment).made;
        }
      }
    });
  return cuts;
}
