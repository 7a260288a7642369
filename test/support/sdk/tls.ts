/**
 * `embedded:io/socket/tcp/tls` (examples/io/tcp/tlssocket/tlssocket.js, modules/crypt/ssl/session_419.js), without the
 * cryptography: records of the right shape around the plain text.
 * - Room for writing is what the socket has, less 96 in `onWritable` and less 32 as the result of `write`; a record is
 *   written whole or, when the socket has no room for it, not at all.
 * - One record is decrypted at a time; `read` gives what there is, if less is there than asked for.
 * - A record that is none makes the session throw out of the socket's callback.
 * - The name the certificate must be for is `host`, unless `secure.serverName` says another.
 * @module
 */
import { join } from "../mqtt-peer.js";
import type { FarEnd, FarWire, sdk } from "./machine.js";
import type TCP from "./tcp.js";
import type { TcpOptions } from "./tcp.js";
import Timer from "./timer.js";

/** Header of a record, and what encryption adds to its content. */
const HEADER = 5;
const ADDED = 24;
const HANDSHAKE = 22;
const DATA = 23;
const MAX_FRAGMENT = 16_384;

export interface TlsSocketOptions extends TcpOptions {
  readonly host: string;
  readonly TCP: { readonly io: new (options: never) => TCP };
  readonly secure?: { readonly serverName?: string };
}

function record(type: number, content: Uint8Array): Uint8Array {
  const added = type === DATA ? ADDED : 0;
  const bytes = new Uint8Array(HEADER + content.length + added);
  const length = content.length + added;
  bytes.set([type, 3, 3, length >> 8, length & 0xff]);
  bytes.set(content, HEADER);
  return bytes;
}

/** Cuts a stream of bytes into records. */
class Records {
  #bytes: number[] = [];

  add(bytes: Iterable<number>): void {
    for (const byte of bytes) this.#bytes.push(byte);
  }

  next(): { type: number; content: Uint8Array } | undefined {
    const [type, , , high, low] = this.#bytes;
    if (this.#bytes.length < HEADER) return undefined;
    const length = (high << 8) | low;
    if ((type !== HANDSHAKE && type !== DATA) || length > MAX_FRAGMENT + ADDED)
      throw new Error("SSL: unexpected message");
    if (this.#bytes.length < HEADER + length) return undefined;
    const content = Uint8Array.from(this.#bytes.splice(0, HEADER + length)).subarray(HEADER);
    return { type, content: type === DATA ? content.slice(0, -ADDED) : content };
  }
}

export default class TLSSocket {
  #socket: TCP | undefined;
  readonly #options: TlsSocketOptions;
  readonly #records = new Records();
  #data: Uint8Array | undefined;
  #position = 0;
  #ready = false;
  #greeted = false;
  #readable = 0;
  #writable = 0;
  #reading: object | undefined;
  #buffered: Uint8Array[] = [];
  format: "number" | "buffer" = "buffer";

  constructor(options: TlsSocketOptions) {
    this.#options = options;
    this.#socket = new options.TCP.io({
      ...options,
      onReadable: (count: number) => this.#onReadable(count),
      onWritable: (count: number) => this.#onWritable(count),
      onError: () => this.#options.onError?.(),
    } as never);
  }

  close(): void {
    this.#socket?.close();
    Timer.clear(this.#reading);
    this.#socket = undefined;
  }

  read(into?: Uint8Array): number | ArrayBuffer | undefined {
    const data = this.#data;
    if (!data) return undefined;
    let result: number | ArrayBuffer;
    if (this.format === "number") result = data[this.#position++];
    else if (into) {
      const part = data.subarray(this.#position, this.#position + into.length);
      into.set(part);
      this.#position += part.length;
      result = part.length;
    } else {
      result = data.slice(this.#position).buffer as ArrayBuffer;
      this.#position = data.length;
    }
    if (this.#position < data.length) return result;
    this.#data = undefined;
    // Of a closed socket this property of undefined is read, and throws.
    if (!this.#socket) throw new TypeError("cannot coerce undefined to object");
    this.#reading ??= Timer.set(() => {
      this.#reading = undefined;
      this.#decrypt();
    });
    return result;
  }

  write(bytes: Uint8Array, options?: { more?: boolean }): number {
    if (!this.#socket) throw new TypeError("cannot coerce undefined to object");
    if (options?.more) {
      this.#buffered.push(bytes.slice());
      return Math.max(0, this.#writable - 32);
    }
    const parts = [...this.#buffered, bytes];
    this.#buffered = [];
    const content = join(parts);
    if (content.length > MAX_FRAGMENT) throw new Error("too large");
    this.#socket.format = "buffer";
    this.#writable = this.#socket.write(record(DATA, content)) ?? 0;
    return Math.max(0, this.#writable - 32);
  }

  #onWritable(count: number): void {
    this.#writable = count;
    if (this.#ready) {
      if (count > 96) this.#options.onWritable?.(count - 96);
    } else if (!this.#greeted) {
      this.#greeted = true;
      const { host, secure } = this.#options;
      const name = Array.from(secure?.serverName ?? host, (letter) => letter.charCodeAt(0));
      this.#writable = this.#socket?.write(record(HANDSHAKE, Uint8Array.from(name))) ?? 0;
    }
  }

  #onReadable(count: number): void {
    this.#readable = count;
    if (!this.#data) this.#decrypt();
  }

  /** Reads one record, and says so. */
  #decrypt(): void {
    const socket = this.#socket;
    if (!socket || this.#data) return;
    socket.format = "buffer";
    while (this.#readable > 0) {
      const buffer = new Uint8Array(this.#readable);
      socket.read(buffer);
      this.#readable = 0;
      this.#records.add(buffer);
    }
    for (let next = this.#records.next(); next; next = this.#records.next()) {
      if (next.type === HANDSHAKE) {
        this.#ready = true;
        this.#onWritable(this.#writable);
        if (!this.#socket) return;
        continue;
      }
      if (!next.content.length) continue;
      this.#data = next.content;
      this.#position = 0;
      this.#options.onReadable?.(next.content.length);
      return;
    }
  }
}

/**
 * A server's side of TLS. Give it to the machine's `accept`.
 * @param servers by the name the client asks for
 */
export function secure(accept: (wire: FarWire, name: string) => FarEnd): NonNullable<typeof sdk.accept> {
  return (wire) => {
    const records = new Records();
    let far: FarEnd | undefined;
    const send = (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; at += 1_000) wire.send(record(DATA, bytes.slice(at, at + 1_000)));
    };
    return {
      received(bytes) {
        records.add(bytes);
        for (let next = records.next(); next; next = records.next()) {
          if (next.type === DATA) far?.received(next.content);
          else {
            wire.send(record(HANDSHAKE, Uint8Array.of(0)));
            far = accept({ send, close: () => wire.close() }, String.fromCharCode(...next.content));
          }
        }
      },
    };
  };
}
