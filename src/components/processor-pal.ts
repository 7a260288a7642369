/**
 * A second processor as the destination of a file (`otherPals`): the file comes into a data partition, is verified there as
 * any other, and only then passed on. The job ends with what the processor says of itself: SUCCEEDED once it runs the new
 * image and has confirmed it. Whatever interrupts this, the file is there and is passed on once more.
 * @module
 */
import { equalBytes } from "../bytes.js";
import type { JobFile } from "../control/job-document.js";
import { OtaError, type OtaErrorCode, wordsOf } from "../errors.js";
import type { Clock, Crypto, Flash, Timer } from "../ports.js";
import { FlashPal } from "../slot/flash-pal.js";
import type { OtaPal, PlatformImageState, Received } from "../slot/pal.js";
import type { TrustedKeys } from "../slot/signature.js";
import { compareVersions } from "../slot/version.js";
import { COMPONENT_HEADER_LENGTH, parseComponentHeader } from "./header.js";

/** To be called once, with an error when it did not go well. */
export type Answer = (error?: Error) => void;

/**
 * A second processor behind a bus. Calls come one after the other, each when the one before was answered; any may throw.
 * `begin` comes again after whatever was interrupted.
 */
export interface SecondProcessor {
  /**
   * What it runs; undefined when it does not say: then any version is taken, and a job whose end the service has not taken is
   * done once more.
   */
  readonly version?: string | undefined;
  /** Makes ready for an image of so many bytes. */
  begin(byteLength: number, done: Answer): void;
  /** Takes the bytes at `offset`, which come in order; they are valid until `done`. */
  write(offset: number, bytes: Uint8Array, done: Answer): void;
  /** Compares what it holds with its SHA-256. */
  verify(digest: Uint8Array, done: Answer): void;
  /** Starts it. */
  activate(done: Answer): void;
  /** Asks what was started whether it works, and makes it stay. */
  confirm(done: Answer): void;
}

export interface ProcessorPalOptions {
  processor: SecondProcessor;
  /** As in the file's header (docs/SPEC.md, "Component file"). */
  name: string;
  /** The product, as `project_name` of its firmware. */
  projectName: string;
  /** Data partition the file comes into, whole. */
  place: Flash;
  journal?: Flash;
  crypto: Crypto;
  clock: Clock;
  trustedKeys: TrustedKeys;
  /** Accept the same or an older version. Default false. */
  allowDowngrade?: boolean;
  /** How long the processor may take for an answer, milliseconds. Default 10,000. */
  timeoutMs?: number;
}

type Closed = (error: OtaError | undefined, left?: Received) => void;

const TIMEOUT_MS = 10_000;
/** Bytes of the image passed on at a time. */
const PART = 1024;

export class ProcessorPal implements OtaPal {
  readonly headLength = COMPONENT_HEADER_LENGTH;
  readonly running = undefined;
  readonly rollbackEnabled = true;
  readonly rolledBack = false;
  readonly #options: ProcessorPalOptions;
  readonly #place: FlashPal;
  #file: JobFile | undefined;
  /** All of it has been here since an earlier life, which may have passed it on. */
  #again = false;
  #timer: Timer | undefined;
  /** Counts what was begun: an answer to something earlier means nothing. */
  #turn = 0;

  constructor(options: ProcessorPalOptions) {
    const { place: slot, journal, crypto, clock, trustedKeys } = options;
    this.#options = options;
    this.#place = new FlashPal({ slot, journal, crypto, clock, trustedKeys });
  }

  createFile(file: JobFile, done: (error: OtaError | undefined, received: Received) => void): void {
    this.abort(false);
    this.#file = file;
    this.#place.createFile(file, (error, received) => {
      this.#again = !error && received.byteLength >= file.fileSize;
      done(error, received);
    });
  }

  inspect(file: JobFile, head: Uint8Array): undefined {
    const { name, projectName, processor, allowDowngrade } = this.#options;
    const header = parseComponentHeader(head, file.fileSize);
    const { version } = header;
    if (header.name !== name) refuse("wrong-project", `the file is for ${header.name}, not ${name}`);
    if (header.projectName !== projectName)
      refuse("wrong-project", `the file is for ${header.projectName}, this device is ${projectName}`);
    const present = processor.version;
    if (allowDowngrade || present === undefined) return undefined;
    const order = compareVersions(version, present);
    // The processor may have started it already: what was interrupted ends as it has to.
    if (order > 0 || (order === 0 && this.#again)) return undefined;
    const code = order === 0 ? "same-version" : order < 0 ? "downgrade" : "bad-version";
    return refuse(code, `the file has version ${version}, the processor ${present}`);
  }

  readBack(offset: number, into: Uint8Array): void {
    this.#place.readBack(offset, into);
  }

  writeBlock(offset: number, data: Uint8Array): void {
    this.#place.writeBlock(offset, data);
  }

  closeFile(done: Closed): void {
    this.#place.closeFile((error, left) => {
      if (error) return done(error, left);
      const file = this.#file as JobFile;
      const head = new Uint8Array(COMPONENT_HEADER_LENGTH);
      try {
        // Judged once more, as it was signed.
        this.#options.place.read(head, 0);
        this.inspect(file, head);
      } catch (cause) {
        return done(cause instanceof OtaError ? cause : new OtaError("file-close", wordsOf(cause)));
      }
      this.#pass(head, file.fileSize - COMPONENT_HEADER_LENGTH, this.#place.digest as Uint8Array, done);
    });
  }

  /**
   * Passes the image on, from its beginning. Flash may read differently from one time to the next: what is started is, to the
   * last byte, what was verified.
   * @param verified digest of the whole file
   */
  #pass(head: Uint8Array, byteLength: number, verified: Uint8Array, done: Closed): void {
    const { processor, place, crypto } = this.#options;
    const hash = crypto.sha256();
    const whole = crypto.sha256();
    whole.update(head);
    const buffer = new Uint8Array(PART);
    let at = 0;
    const next = (): void => {
      if (at < byteLength) {
        const part = buffer.subarray(0, Math.min(PART, byteLength - at));
        const write = (answer: Answer) => {
          place.read(part, COMPONENT_HEADER_LENGTH + at);
          hash.update(part);
          whole.update(part);
          processor.write(at, part, answer);
        };
        this.#call("file-close", write, done, () => {
          at += part.length;
          next();
        });
        return;
      }
      if (!equalBytes(whole.digest(), verified))
        return done(new OtaError("file-close", "the flash no longer holds what was verified"));
      const digest = hash.digest();
      this.#call(
        "file-close",
        (answer) => processor.verify(digest, answer),
        done,
        () =>
          this.#call(
            "activate-failed",
            (answer) => processor.activate(answer),
            done,
            () =>
              this.#call(
                "self-test-rejected",
                (answer) => processor.confirm(answer),
                done,
                () => done(undefined),
              ),
          ),
      );
    };
    this.#call("file-close", (answer) => processor.begin(byteLength, answer), done, next);
  }

  /** One call of the processor, which answers once and in time; then `next`, in a turn of its own. */
  #call(code: OtaErrorCode, action: (answer: Answer) => void, done: Closed, next: () => void): void {
    const { clock, timeoutMs = TIMEOUT_MS, name } = this.#options;
    const turn = ++this.#turn;
    const answer = (error?: Error) => {
      if (turn !== this.#turn) return;
      this.#turn++;
      clock.clear(this.#timer);
      if (error) done(new OtaError(code, `${name}: ${wordsOf(error)}`));
      else this.#timer = clock.set(next, 0);
    };
    this.#timer = clock.set(() => answer(new Error("no answer in time")), timeoutMs);
    try {
      action(answer);
    } catch (cause) {
      answer(cause instanceof Error ? cause : new Error(wordsOf(cause)));
    }
  }

  abort(discard: boolean): void {
    this.#turn++;
    this.#options.clock.clear(this.#timer);
    this.#place.abort(discard);
  }

  activate(done: (error?: OtaError) => void): void {
    done(new OtaError("activate-failed", "a second processor is started as its file is closed"));
  }

  reset(): void {}

  setPlatformImageState(): undefined {}

  getPlatformImageState(): PlatformImageState {
    return "unknown";
  }
}

function refuse(code: OtaErrorCode, why: string): never {
  throw new OtaError(code, why);
}
