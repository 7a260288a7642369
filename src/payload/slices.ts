/**
 * Long work in slices, with turns for the application between.
 * @module
 */
import { asOtaError, type OtaError, type OtaErrorCode } from "../errors.js";
import type { Clock, Timer } from "../ports.js";

/** How long one slice may run, milliseconds; and how many steps, should the clock stand still (virtual time). */
const SLICE_MS = 5;
const SLICE_STEPS = 8;

export class Slices {
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Calls `step` until it returns true or throws, and then `done`. Replaces what ran before.
   * @param code of an error that has none
   * @param most steps in a slice
   */
  run(code: OtaErrorCode, step: () => boolean, done: (error?: OtaError) => void, most = SLICE_STEPS): void {
    const clock = this.#clock;
    const slice = () => {
      const deadline = clock.now() + SLICE_MS;
      let over = false;
      let error: OtaError | undefined;
      try {
        for (let n = 0; n < most && !over && clock.now() < deadline; n++) over = step();
      } catch (cause) {
        error = asOtaError(cause, code);
      }
      if (error || over) done(error);
      else this.#timer = clock.set(slice, 0);
    };
    this.stop();
    this.#timer = clock.set(slice, 0);
  }

  stop(): void {
    this.#clock.clear(this.#timer);
  }
}
