/**
 * The server's end of a connection on the Moddable runtime.
 * @module
 */
import TCP from "embedded:io/socket/tcp";
import type { Wire } from "../support/mqtt-peer.js";

/** The peer's end of an accepted connection. */
export class AcceptedWire implements Wire {
  #socket: TCP | undefined;
  #waiting: Uint8Array[] = [];
  #writable = 0;

  constructor(from: TCP, received: (bytes: Uint8Array) => void) {
    this.#socket = new TCP({
      from,
      onReadable: (count) => {
        const bytes = new Uint8Array(this.#socket?.read(count) as ArrayBuffer);
        try {
          received(bytes);
        } catch (error) {
          // An exception in a callback of native code would end the run, without a word.
          trace(`the peer failed: ${(error as Error).message}\n`);
        }
      },
      onWritable: (count) => {
        this.#writable = count;
        this.#flush();
      },
      onError: () => this.close(),
    });
  }

  send(bytes: Uint8Array): void {
    this.#waiting.push(bytes.slice());
    this.#flush();
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #flush(): void {
    while (this.#waiting.length && this.#writable && this.#socket) {
      const [first] = this.#waiting;
      const part = first.subarray(0, this.#writable);
      const left = this.#socket.write(part) as unknown as number | undefined;
      this.#writable = left ?? this.#writable - part.length;
      if (part.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(part.length);
    }
  }
}
