/**
 * The porting layer in the terms of the FreeRTOS OTA porting guide. `flash-pal.ts` implements it for an
 * ESP32 app slot; other destinations (a data partition, a second processor) implement it as well.
 * @module
 */

import type { JobFile } from "../control/job-document.js";
import type { OtaError } from "../errors.js";
import type { AppDescription } from "../ports.js";

/**
 * `OtaPalImageState_t`. "unknown": nobody has decided about the running image, and the boot loader does not wait for it: it
 * did not come by update, or the boot loader knows of no trial.
 */
export type PlatformImageState = "unknown" | "pending-commit" | "valid" | "invalid";
/** `OtaImageState_t`. */
export type ImageState = "unknown" | "testing" | "accepted" | "rejected" | "aborted";

/** How often what went bad on flash is fetched, or made of a payload, again before the flash is given up. */
export const MAX_REPAIRS = 3;

/** Tells which bytes of a file are on flash already, as recorded by an earlier, interrupted transfer. */
export interface Received {
  /** True when every byte of [offset, offset + byteLength) is there. */
  has(offset: number, byteLength: number): boolean;
  /** Bytes that need not be fetched. */
  readonly byteLength: number;
}

/** Told while a file that was fetched is turned into another one: bytes of it that are done, and all of them. */
export type Applied = (bytes: number, total: number) => void;

/** Files of a job that are installed together, all or none. Which of them is at hand is for the porting layer to know. */
export interface FileSet {
  /** All of them, in the order they are fetched. */
  readonly files: readonly JobFile[];
  /** False when firmware is among them that could not be rolled back. */
  readonly rollbackEnabled: boolean;
  /** Nothing but the head of the file at hand is wanted yet. */
  readonly judging: boolean;
  /**
   * The head of the file at hand was accepted, or all of it was verified.
   * @param files the job's, which may have been made anew since
   * @returns the file to go on with; undefined when all have been verified
   */
  next(files: readonly JobFile[]): JobFile | undefined;
  /** Where each file is, for `statusDetails`. @param received blocks of the file at hand, of `total` */
  progress(received: number, total: number): string;
}

export interface OtaPal {
  /** The application that runs now; undefined when the destination holds no application. */
  readonly running: AppDescription | undefined;
  /** False when a new image could not be rolled back. */
  readonly rollbackEnabled: boolean;
  /** False when nothing can be said to be newer than the running version: every image will be refused. */
  readonly ordered?: boolean;
  /** Why the device started this time, in a word; undefined when nobody tells. */
  readonly resetReason?: string | undefined;
  /** True when the boot loader has given up the image in the other slot. */
  readonly rolledBack: boolean;
  /** What the maker of the product should know of this build, a sentence each; told at `init`. */
  readonly notices?: readonly string[] | undefined;

  /** Before the outcome of an update is told that a restart came into: what was decided about it will stay. */
  secure?(): void;

  /**
   * Opens the destination for `file`; nothing is erased yet. `done` is called in a later turn, with what an
   * earlier transfer of the same file left, or with an error ("file-too-large", "file-create", "no-way-back").
   */
  createFile(file: JobFile, done: (error: OtaError | undefined, received: Received) => void): void;
  /**
   * Judges the first bytes of the file (at least `headLength`, or the whole file when shorter).
   * @throws OtaError when this image must not be installed
   * @returns what the image says of itself; undefined when the destination holds no application
   */
  inspect(file: JobFile, head: Uint8Array): AppDescription | undefined;
  /** How many first bytes `inspect` wants to see. */
  readonly headLength: number;
  /** Reads back `into.length` bytes at `offset`. @throws OtaError "flash-write" */
  readBack(offset: number, into: Uint8Array): void;
  /**
   * Writes a block, erasing first where needed. Blocks come in any order, each at most once.
   * @throws OtaError "flash-write"
   */
  writeBlock(offset: number, data: Uint8Array): void;
  /**
   * Everything has been written: reads the file back, verifies structure and signature, in slices.
   * Ends with nothing, or an error: "signature-check", "signature-missing", "bad-signer", "bad-image", "file-close".
   * `left` comes with an error when the fault lies in the flash, not in the file: what it lacks must be fetched again.
   */
  closeFile(done: (error: OtaError | undefined, left?: Received) => void, applied?: Applied): void;
  /**
   * Of files that are one image (docs/SPEC.md, "Several files for one image"), those that can be taken here, in the order
   * they are to be tried. Without it whole images are taken alone.
   */
  rank?(files: readonly JobFile[]): readonly JobFile[];
  /**
   * Asked before any file of a job is created. Without it a job brings one file, or several that are the same image.
   * @returns the files as they are installed together, or why they cannot be; undefined for a job that brings firmware alone
   */
  plan?(files: readonly JobFile[]): FileSet | OtaError | undefined;
  /** What runs of what a job of `files` installs. Without it: `running`. */
  describe?(files: readonly Pick<JobFile, "fileType">[]): AppDescription;
  /** What will run once the files that have been verified take effect. Without it: what `inspect` said last. */
  readonly coming?: AppDescription | undefined;
  /** Forgets the open file. What is on flash stays for a later resume unless `discard`. Harmless with nothing open. */
  abort(discard: boolean): void;
  /**
   * Makes the verified file effective and restarts. `done` is called only when that fails, or (simulated
   * devices) has been arranged.
   */
  activate(done: (error?: OtaError) => void): void;
  /** Restarts the device. */
  reset(): void;
  /**
   * @returns what failed once the state had been recorded, such as the store: worth a notice, it changes nothing
   * @throws OtaError "commit-failed", "reject-failed", "abort-failed", "bad-image-state"
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a porting layer with nothing to tell need not return anything
  setPlatformImageState(state: ImageState): OtaError | undefined | void;
  getPlatformImageState(): PlatformImageState;
}
