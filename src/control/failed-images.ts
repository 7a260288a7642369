/**
 * The image that failed on this device last, across restarts: an operator, or a service that repeats what failed, would
 * send a device to and fro between two images for ever.
 * @module
 */
import { OtaError } from "../errors.js";
import type { Store } from "../ports.js";
import type { JobReference } from "./job-status.js";

/** `Store` key: count, the last execution, and the image's name, with blanks between. NVS takes 15 characters. */
const KEY = "xs-ota.failed";

/** The same for the same attempt; a retry that the service was told to make is another. */
function nameOf({ jobId, executionNumber }: JobReference): string {
  return `${jobId}#${executionNumber}`;
}

export class FailedImages {
  readonly #store: Store | undefined;
  readonly #limit: number;

  /** @param limit how many executions may fail with an image until it is not fetched any more */
  constructor(store: Store | undefined, limit: number) {
    this.#store = store;
    this.#limit = limit;
  }

  /**
   * `image`, as a status names it, was given up on trial.
   * @param job whose it was; undefined when that is not known yet
   * @throws what the store throws
   */
  add(image: string, job: JobReference | undefined): void {
    const known = this.#of(image);
    const execution = job ? nameOf(job) : "";
    // The same failure may be found twice: on trial, and by the old image after the restart.
    const again = known !== undefined && (known.execution === execution || !known.execution);
    const count = known ? known.count + (again ? 0 : 1) : 1;
    this.#store?.set(KEY, `${count} ${execution} ${image}`);
  }

  /** `image` was accepted after all. @throws what the store throws */
  clear(image: string): void {
    if (this.#of(image)) this.#store?.set(KEY, "");
  }

  /** @throws OtaError "failed-before" when `image` is not to be fetched for the job, or what the store throws */
  check(image: string, job: JobReference): void {
    const known = this.#of(image);
    if (!known || (known.execution !== nameOf(job) && known.count < this.#limit)) return;
    const { count } = known;
    throw new OtaError(
      "failed-before",
      `${image} was given up ${count === 1 ? "once" : `${count} times`} here`,
    );
  }

  #of(image: string): { count: number; execution: string } | undefined {
    const found = /^(\d+) (\S*) (.*)$/.exec(this.#store?.get(KEY) ?? "");
    return found?.[3] === image ? { count: Number(found[1]), execution: found[2] } : undefined;
  }
}
