/**
 * Netstrings (`5:hello,`) out of a stream of bytes.
 * @module
 */

const COLON = 0x3a;
const COMMA = 0x2c;
/** The engine writes lengths of at most nine digits. */
const LONGEST_HEAD = 10;

export class Netstrings {
  #rest: Buffer[] = [];
  #have = 0;
  #need = 0;

  /**
   * Takes the next bytes of the stream and hands out every message they complete. A message is valid during
   * the call only.
   * @throws Error when the stream is not made of netstrings
   */
  push(chunk: Buffer, message: (bytes: Buffer) => void): void {
    this.#rest.push(chunk);
    this.#have += chunk.length;
    if (this.#have < this.#need) return;
    let bytes = this.#rest.length === 1 ? chunk : Buffer.concat(this.#rest);
    this.#need = 0;
    while (bytes.length) {
      const colon = bytes.indexOf(COLON);
      if (colon < 0) {
        if (bytes.length > LONGEST_HEAD) throw new Error("netstring without a length");
        break;
      }
      const head = bytes.toString("latin1", 0, colon);
      if (!/^\d{1,9}$/.test(head)) throw new Error("netstring with a malformed length");
      const end = colon + 1 + Number(head);
      if (bytes.length <= end) {
        this.#need = end + 1;
        break;
      }
      if (bytes[end] !== COMMA) throw new Error("netstring without its comma");
      message(bytes.subarray(colon + 1, end));
      bytes = bytes.subarray(end + 1);
    }
    this.#rest = bytes.length ? [bytes] : [];
    this.#have = bytes.length;
  }
}
