/**
 * `embedded:io/socket/tcp` (modules/io/socket/lwip/tcp.c) in virtual time.
 * - Reading with format "buffer": 1 byte up to what was announced, else "invalid"; nothing there: undefined.
 * - Writing before the first `onWritable`: "not ready"; more than there is room for: "would block", nothing is
 *   written; after an error: nothing happens, and nothing is said.
 * - After `close` every use throws; closing again does not.
 * - The end of the connection is told when all that came before it has been read.
 * What a callback throws ends the machine.
 * @module
 */
import { type FarEnd, sdk } from "./machine.js";

export interface TcpOptions {
  readonly address: string;
  readonly port: number;
  readonly onReadable?: (count: number) => void;
  readonly onWritable?: (count: number) => void;
  readonly onError?: (error?: unknown) => void;
}

/** Four decimal numbers: the only form `ipaddr_aton` is given here. */
const ADDRESS = /^\d{1,3}(\.\d{1,3}){3}$/;

export default class TCP {
  #format: "number" | "buffer" = "buffer";
  readonly #options: TcpOptions;
  readonly #room = sdk.writable;
  #incoming: number[] = [];
  /** What has been announced. */
  #held: number[] = [];
  #writable = 0;
  #far: FarEnd | undefined;
  #state: "connecting" | "ready" | "failed" | "closed" = "connecting";
  #scheduled = false;
  #ended = false;

  constructor(options: TcpOptions) {
    const { address, port } = options;
    if (!ADDRESS.test(address)) throw new Error("invalid address");
    if (!(Number.isInteger(port) && port >= 0 && port <= 65535)) throw new RangeError("invalid port");
    this.#options = options;
    this.#later(() => {
      if (!sdk.accept) return this.#fail();
      this.#state = "ready";
      this.#writable = this.#room;
      this.#far = sdk.accept(
        {
          send: (bytes) => {
            for (const byte of bytes) this.#incoming.push(byte);
            this.#schedule();
          },
          close: () => {
            this.#ended = true;
            this.#schedule();
          },
        },
        { address, port },
      );
      this.#options.onWritable?.(this.#writable);
    });
  }

  get format(): "number" | "buffer" {
    return this.#format;
  }

  set format(value: "number" | "buffer") {
    this.#alive();
    if (value !== "number" && value !== "buffer") throw new RangeError("unimplemented");
    this.#format = value;
  }

  read(into?: Uint8Array | number): number | ArrayBuffer | undefined {
    this.#alive();
    if (!this.#held.length) return undefined;
    this.#schedule();
    if (this.#format === "number") return this.#held.shift();
    const length = into === undefined ? this.#held.length : typeof into === "number" ? into : into.length;
    if (length <= 0 || length > this.#held.length) throw new Error("invalid");
    const bytes = Uint8Array.from(this.#held.splice(0, length));
    if (!(into instanceof Uint8Array)) return bytes.buffer as ArrayBuffer;
    into.set(bytes);
    return length;
  }

  write(bytes: Uint8Array): number | undefined {
    this.#alive();
    if (this.#state === "connecting") throw new Error("not ready");
    if (this.#state === "failed") return undefined;
    // A view in format "number" would go out as the one byte it converts to.
    if (this.#format !== "buffer") throw new Error("a buffer is written as a number");
    if (bytes.length > this.#writable) throw new Error("would block");
    this.#writable -= bytes.length;
    const copy = bytes.slice();
    this.#later(() => {
      const full = this.#writable < this.#room;
      this.#writable = Math.min(this.#room, this.#writable + copy.length);
      this.#far?.received(copy);
      if (full && this.#state === "ready") this.#options.onWritable?.(this.#writable);
    });
    return this.#writable;
  }

  close(): void {
    this.#state = "closed";
  }

  #alive(): void {
    if (this.#state === "closed") throw new SyntaxError("this: not a TCP instance");
  }

  #fail(): void {
    this.#state = "failed";
    this.#options.onError?.();
  }

  #later(action: () => void): void {
    sdk.clock.set(() => {
      if (this.#state !== "closed" && this.#state !== "failed") action();
    }, 1);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#later(() => {
      this.#scheduled = false;
      const fresh = this.#incoming.splice(0, sdk.readable - this.#held.length);
      for (const byte of fresh) this.#held.push(byte);
      if (fresh.length) this.#options.onReadable?.(this.#held.length);
      if (this.#state !== "ready") return;
      if (this.#ended && !this.#incoming.length && !this.#held.length) this.#fail();
      else if (this.#incoming.length && this.#held.length < sdk.readable) this.#schedule();
    });
  }
}
