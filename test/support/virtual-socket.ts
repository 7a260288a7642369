/**
 * ECMA-419 sockets in virtual time between the MQTT client and the byte-level peer. Pure.
 * @module
 */
import type { Resolver, Socket, SocketOptions } from "../../hosts/mqtt/socket.js";
import type { MqttPeer, PeerSession } from "./mqtt-peer.js";
import type { VirtualClock } from "./virtual-clock.js";

export interface VirtualNetworkOptions {
  readonly clock: VirtualClock;
  readonly peer: MqttPeer;
  /** Most bytes a socket holds for reading. */
  readonly readable: number;
  /** Bytes a socket takes before it has to wait for the peer. */
  readonly writable: number;
}

/** Resolves every name. */
export function virtualResolver(clock: VirtualClock): new (options: never) => Resolver {
  return class {
    resolve({ host, onResolved }: Parameters<Resolver["resolve"]>[0]): void {
      clock.set(() => onResolved(host, "192.0.2.1"), 1);
    }
  };
}

/** A socket's class, each of whose instances is accepted by the peer. */
export function virtualSocket(options: VirtualNetworkOptions): new (callbacks: never) => Socket {
  const { clock, peer } = options;
  return class implements Socket {
    format: "number" | "buffer" = "buffer";
    readonly #callbacks: SocketOptions;
    #incoming: number[] = [];
    /** Of `#incoming`, what the application knows of. */
    #held: number[] = [];
    #writable = options.writable;
    #session: PeerSession;
    #open = true;
    #scheduled = false;
    #ended = false;

    constructor(callbacks: SocketOptions) {
      this.#callbacks = callbacks;
      this.#session = peer.accept({
        send: (bytes) => {
          for (const byte of bytes) this.#incoming.push(byte);
          this.#schedule();
        },
        close: () => {
          this.#ended = true;
          this.#schedule();
        },
      });
      this.#later(() => this.#callbacks.onWritable(this.#writable));
    }

    read(into?: Uint8Array): number | ArrayBuffer | undefined {
      this.#alive();
      if (this.format === "number") {
        if (into || !this.#held.length) throw new Error("bad read");
        this.#schedule();
        return this.#held.shift();
      }
      if (!into || into.length === 0 || into.length > this.#held.length) throw new Error("bad read");
      into.set(this.#held.splice(0, into.length));
      this.#schedule();
      return undefined;
    }

    write(bytes: Uint8Array): number {
      this.#alive();
      if (this.format !== "buffer" || bytes.length > this.#writable) throw new Error("would block");
      this.#writable -= bytes.length;
      const copy = bytes.slice();
      this.#later(() => {
        const first = this.#writable < options.writable;
        this.#writable = Math.min(options.writable, this.#writable + copy.length);
        this.#session.received(copy);
        if (first && this.#open) this.#callbacks.onWritable(this.#writable);
      });
      return this.#writable;
    }

    close(): void {
      this.#open = false;
    }

    #alive(): void {
      if (!this.#open) throw new Error("the socket is closed");
    }

    #later(action: () => void): void {
      clock.set(() => {
        if (this.#open) action();
      }, 1);
    }

    #schedule(): void {
      if (this.#scheduled) return;
      this.#scheduled = true;
      this.#later(() => {
        this.#scheduled = false;
        const room = options.readable - this.#held.length;
        const fresh = this.#incoming.splice(0, room);
        for (const byte of fresh) this.#held.push(byte);
        if (fresh.length) this.#callbacks.onReadable(this.#held.length);
        if (this.#open && this.#ended && !this.#incoming.length && !this.#held.length) {
          this.#callbacks.onError();
        } else if (this.#incoming.length && this.#held.length < options.readable) this.#schedule();
      });
    }
  } as new (
    callbacks: never,
  ) => Socket;
}
