/**
 * A porting layer without flash: it records what it is asked for, and fails on request. Runs on Node and on XS.
 * @module
 */

import type { JobFile } from "../../src/control/job-document.js";
import { OtaError, type OtaErrorCode, type OtaPhase } from "../../src/errors.js";
import type { AppDescription, Clock } from "../../src/ports.js";
import type { ImageState, OtaPal, PlatformImageState, Received } from "../../src/slot/pal.js";

/** `OtaImageState_t` */
const NUMBERS: Readonly<Record<ImageState, number>> = Object.freeze({
  unknown: 0,
  testing: 1,
  accepted: 2,
  rejected: 3,
  aborted: 4,
});

export function app(version: string, buildId = "00000000"): AppDescription {
  return { chipId: 5, projectName: "project", version, secureVersion: 0, buildId };
}

type Call = "create" | "inspect" | "write" | "close" | "abort" | "activate" | "setImageState";

export class FakePal implements OtaPal {
  running: AppDescription | undefined = app("1.0.1", "11111111");
  /** What `inspect` reads in an image. */
  offered = app("1.0.2", "22222222");
  rollbackEnabled = true;
  rolledBack = false;
  platform: PlatformImageState = "valid";
  headLength = 288;
  /** Sectors of 4096 bytes an earlier life left. */
  readonly sectors = new Set<number>();
  /** What `closeFile` hands over with its error. */
  left: Received | undefined;
  readonly calls: string[] = [];
  onCall: ((text: string) => void) | undefined;
  /** How often the device was restarted, by activation or reset. */
  restarts = 0;
  readonly #clock: Clock;
  readonly #failures = new Map<Call, OtaError>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The next call of this kind fails. */
  fail(call: Call, code: OtaErrorCode, phase: OtaPhase = "transfer"): void {
    this.#failures.set(call, new OtaError(code, `${call} fails`, phase));
  }

  createFile(file: JobFile, done: (error: OtaError | undefined, received: Received) => void): void {
    this.#record(`create size=${file.fileSize}`);
    const { sectors } = this;
    const received: Received = {
      has: (offset, byteLength) => {
        for (let at = offset; at < offset + byteLength; at += 4096 - (at % 4096))
          if (!sectors.has(Math.floor(at / 4096))) return false;
        return true;
      },
      byteLength: sectors.size * 4096,
    };
    this.#clock.set(() => done(this.#failure("create"), received), 0);
  }

  inspect(): AppDescription | undefined {
    const failure = this.#failure("inspect");
    if (failure) throw failure;
    return this.running && this.offered;
  }

  readBack(_offset: number, into: Uint8Array): void {
    into.fill(0);
  }

  writeBlock(offset: number, data: Uint8Array): void {
    this.#record(`write off=${offset} n=${data.length}`);
    const failure = this.#failure("write");
    if (failure) throw failure;
  }

  closeFile(done: (error: OtaError | undefined, left?: Received) => void): void {
    this.#record("close");
    this.#clock.set(() => {
      const failure = this.#failure("close");
      done(failure, failure && this.left);
    }, 0);
  }

  abort(discard: boolean): void {
    this.#record(discard ? "abort discard" : "abort");
    const failure = this.#failure("abort");
    if (failure) throw failure;
  }

  activate(done: (error?: OtaError) => void): void {
    this.#record("activate");
    this.#clock.set(() => {
      const failure = this.#failure("activate");
      if (!failure) this.restarts++;
      done(failure);
    }, 0);
  }

  reset(): void {
    this.#record("reset");
    this.restarts++;
  }

  setPlatformImageState(state: ImageState): void {
    this.#record(`setImageState ${NUMBERS[state]}`);
    const failure = this.#failure("setImageState");
    if (failure) throw failure;
    if (state === "accepted") this.platform = "valid";
  }

  getPlatformImageState(): PlatformImageState {
    return this.platform;
  }

  #record(text: string): void {
    this.calls.push(text);
    this.onCall?.(text);
  }

  #failure(call: Call): OtaError | undefined {
    const failure = this.#failures.get(call);
    this.#failures.delete(call);
    return failure;
  }
}
