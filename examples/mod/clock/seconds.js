/**
 * Counts seconds.
 * @module
 */
export class Seconds {
  #count = 0;

  next() {
    return ++this.#count;
  }
}
