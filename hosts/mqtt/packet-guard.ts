/**
 * Follows a stream of MQTT packets by their fixed headers (MQTT 3.1.1 §2.2), for clients that collect a packet in memory
 * however long it claims to be.
 * @module
 */

/** Longest packet let through, in bytes: the longest message of AWS IoT Core, the longest topic MQTT has, and a packet id. */
export const MAX_PACKET = 131_072 + 2 + 65_535 + 2;

export class PacketGuard {
  /** Bytes of the packet still to come; −1: its length is being read, −2: a new packet begins. */
  #left = -2;
  #length = 0;
  #scale = 1;

  /**
   * @param chunk the bytes that follow those before
   * @throws Error as soon as a packet is announced that is longer than `MAX_PACKET`
   */
  pass(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const here = Math.min(this.#left, chunk.length - at);
        this.#left -= here;
        at += here;
      } else if (this.#left === -1) {
        const byte = chunk[at++];
        this.#length += (byte & 127) * this.#scale;
        this.#scale *= 128;
        if (this.#length > MAX_PACKET || this.#scale > 128 ** 4)
          throw new Error(`MQTT: packet of ${this.#length} bytes or more`);
        if (byte < 128) this.#left = this.#length;
      } else {
        at++;
        this.#length = 0;
        this.#scale = 1;
        this.#left = -1;
      }
      if (this.#left === 0) this.#left = -2;
    }
  }
}
