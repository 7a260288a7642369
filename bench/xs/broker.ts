/**
 * A socket with a broker behind it that costs next to nothing inside the engine whose work is metered.
 * @module
 */
import type { MqttConnection } from "../../src/index.js";
import { EcmaMqttConnection, MqttClient } from "./mqtt.js";

type Clock = ConstructorParameters<typeof EcmaMqttConnection>[0]["clock"];

const PUBLISH = 3;
/** Longer reads are the payload of a block. */
const BLOCK_READ = 256;
/** Where a block's message has the two bytes of its index. */
const INDEX = 7;

/** Bytes towards the device, taken piece by piece. */
export class Wire {
  format: "number" | "buffer" = "buffer";
  readonly #queue: Uint8Array[] = [];
  #at = 0;
  /** Bytes not yet read. */
  readable = 0;
  /** What the last block was read into. */
  #filled: ArrayBufferLike | undefined;

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.readable += bytes.length;
  }

  read(into?: Uint8Array): number {
    const piece = this.#queue[0];
    const at = this.#at;
    const length = into ? into.length : 1;
    this.readable -= length;
    this.#at += length;
    if (this.#at === piece.length) {
      this.#queue.shift();
      this.#at = 0;
    }
    if (!into) return piece[at];
    // The engine meters a copy by its length, a device's driver copies natively: a block is copied once for each buffer.
    if (length > BLOCK_READ && into.buffer === this.#filled) {
      into[INDEX] = piece[at + INDEX];
      into[INDEX + 1] = piece[at + INDEX + 1];
    } else {
      if (length > BLOCK_READ) this.#filled = into.buffer;
      into.set(piece.subarray(at, at + length));
    }
    return length;
  }
}

export interface Broker {
  readonly mqtt: MqttConnection;
  /** Delivers a PUBLISH packet to the device. */
  send(packet: Uint8Array): void;
}

/** A PUBLISH packet of QoS 0 (MQTT 3.1.1 §3.3) as bytes; `topic` and payload below 128 KB. */
export function publication(topic: Uint8Array, payload: Uint8Array): Uint8Array {
  const length = 2 + topic.length + payload.length;
  const head = [PUBLISH << 4, (length & 127) | 128, (length >> 7) & 127, 0, topic.length];
  if (length > 16_383) head.splice(2, 1, ((length >> 7) & 127) | 128, length >> 14);
  const packet = new Uint8Array(head.length + topic.length + payload.length);
  packet.set(head);
  packet.set(topic, head.length);
  packet.set(payload, head.length + topic.length);
  return packet;
}

/**
 * Connects the device's own MQTT connection to a broker that grants everything.
 * @param published told of each message of QoS 1, and of no other
 */
export function connectBroker(
  clock: Clock,
  published: (topic: Uint8Array, payload: Uint8Array) => void,
): Broker {
  let send: (packet: Uint8Array) => void = () => {};
  class Socket extends Wire {
    readonly #options: { onReadable(count: number): void; onWritable(count: number): void };
    constructor(options: { onReadable(count: number): void; onWritable(count: number): void }) {
      super();
      this.#options = options;
      send = (packet) => {
        this.push(packet);
        this.#options.onReadable(this.readable);
      };
      clock.set(() => options.onWritable(16_384), 0);
    }
    write(bytes: Uint8Array): number {
      const later = (...answer: number[]) => clock.set(() => send(Uint8Array.from(answer)), 0);
      const body = bytes[1] < 128 ? 2 : 3;
      const type = bytes[0] >> 4;
      if (type === 1) later(0x20, 2, 0, 0);
      else if (type === 8) later(0x90, 3, bytes[body], bytes[body + 1], 1);
      else if (type === 10) later(0xb0, 2, bytes[body], bytes[body + 1]);
      else if (bytes[0] === 0x32) {
        const end = body + 2 + bytes[body + 1];
        later(0x40, 2, bytes[end], bytes[end + 1]);
        published(bytes.subarray(body + 2, end), bytes.subarray(end + 2));
      }
      return 16_384;
    }
    close() {}
  }
  class Resolver {
    resolve(query: { host: string; onResolved(host: string, address: string): void }) {
      query.onResolved(query.host, "127.0.0.1");
    }
  }
  const mqtt = new EcmaMqttConnection({
    Client: class extends MqttClient {
      constructor(options: ConstructorParameters<typeof MqttClient>[0]) {
        super({ ...options, clock });
      }
    } as never,
    client: { host: "broker", id: "thing-1", dns: { io: Resolver }, socket: { io: Socket } } as never,
    clock,
    random: () => 0.5,
  });
  return { mqtt, send: (packet) => send(packet) };
}
