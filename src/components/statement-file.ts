/**
 * The statement of a set on its way from the service: small enough to stay in memory.
 * @module
 */
import type { JobFile } from "../control/job-document.js";
import { asOtaError, OtaError } from "../errors.js";
import type { Clock, Crypto, Timer } from "../ports.js";
import { digestOf } from "../slot/journal.js";
import type { Received } from "../slot/pal.js";
import type { TrustedKeys } from "../slot/signature.js";
import { MAX_STATEMENT, parseStatement, type Statement } from "./statement.js";

export class Paper implements Received {
  readonly bytes: Uint8Array;
  readonly byteLength = 0;
  readonly #file: JobFile;
  readonly #crypto: Crypto;
  readonly #clock: Clock;
  readonly #keys: TrustedKeys;
  #timer: Timer | undefined;

  constructor(file: JobFile, crypto: Crypto, clock: Clock, keys: TrustedKeys) {
    this.#file = file;
    this.#crypto = crypto;
    this.#clock = clock;
    this.#keys = keys;
    this.bytes = new Uint8Array(file.fileSize > MAX_STATEMENT ? 0 : file.fileSize);
  }

  has(): boolean {
    return false;
  }

  create(done: (error: OtaError | undefined, received: Received) => void): void {
    this.#timer = this.#clock.set(() => {
      let error: OtaError | undefined;
      try {
        if (!this.bytes.length)
          throw new OtaError("file-too-large", `a statement of ${this.#file.fileSize} bytes`);
        this.#keys.require(this.#file);
      } catch (cause) {
        error = asOtaError(cause, "file-create");
      }
      done(error, this);
    }, 0);
  }

  close(done: (error: OtaError | undefined, statement?: Statement) => void): void {
    this.#timer = this.#clock.set(() => {
      let statement: Statement | undefined;
      try {
        this.#keys.verify(this.#crypto, digestOf(this.#crypto, this.bytes), this.#file);
        statement = parseStatement(this.bytes);
      } catch (cause) {
        return done(asOtaError(cause, "file-close"));
      }
      done(undefined, statement);
    }, 0);
  }

  /** Nobody is told any more: the file is given up. */
  stop(): void {
    this.#clock.clear(this.#timer);
  }
}
