/**
 * `mqtt/js` (examples/io/tcp/mqtt/mqtt.js), as far as it bears on a client that is shared:
 * - It makes its clients of `device.network.mqtt.io`, a new one a while after each loss, and subscribes again.
 * - It writes as much as it was last told there is room for; "no room" (0) it does not take note of. What does not fit is
 *   written in pieces, the first with the options, as views on the buffer.
 * - It reads with a count, and puts the pieces of a message together.
 * - Packet ids count up from 1, those of messages with QoS 0 too.
 * @module
 */
import { encodeUtf8 } from "../../../src/bytes.js";
import Timer from "./timer.js";

interface IoClient {
  write(data: ArrayBuffer | DataView | null, options?: object | null): number;
  read(count: number): ArrayBuffer;
  close(): void;
}
export interface Io {
  new (options: never): IoClient;
}
interface Packet {
  data: ArrayBuffer | null;
  options: Record<string, unknown> | null;
  head: number;
  done?: () => void;
}
interface Control {
  readonly operation: number;
  readonly id?: number;
}

const CONNACK = 2;
const SUBSCRIBE = 8;

export class Client {
  connected = false;
  onConnect?: () => void;
  onMessage?: (topic: string, message: ArrayBuffer) => void;
  readonly #make: () => void;
  readonly #reconnectPeriod: number;
  #client: IoClient | undefined;
  #writable = 0;
  #id = 0;
  #buffers: Packet[] = [];
  #acks: { readonly operation: number; readonly id: number; readonly done?: () => void }[] = [];
  #filters: string[] = [];
  #topic = "";
  #message: number[] = [];

  /** @param mqtt `device.network.mqtt` */
  constructor(
    mqtt: { readonly io: Io } & Record<string, unknown>,
    options: { readonly reconnectPeriod: number } & Record<string, unknown>,
  ) {
    this.#reconnectPeriod = options.reconnectPeriod;
    const settings = {
      ...mqtt,
      ...options,
      onControl: (message: Control) => this.#control(message),
      onReadable: (count: number, more: { topic?: string; more: boolean }) => this.#read(count, more),
      onWritable: (count: number) => {
        if (!count) return;
        this.#writable = count;
        while (this.#buffers.length && this.#flush(this.#buffers[0])) this.#buffers.shift();
      },
      onError: () => {
        this.#client?.close();
        this.#client = undefined;
        this.connected = false;
        this.#writable = 0;
        this.#buffers = [];
        this.#acks = [];
        Timer.set(this.#make, this.#reconnectPeriod);
      },
    };
    this.#make = () => {
      this.#client = new mqtt.io(settings as never);
      if (this.#filters.length) this.#ask(this.#filters);
    };
    this.#make();
  }

  publish(topic: string, message: string, { qos = 0 } = {}, done?: () => void): void {
    const data = encodeUtf8(message).slice().buffer as ArrayBuffer;
    const id = ++this.#id;
    if (qos) this.#acks.push({ operation: 4, id, done });
    const options = { topic, id, QoS: qos, byteLength: data.byteLength };
    this.#write({ data, options, head: 9 + topic.length + (qos ? 2 : 0), done: qos ? undefined : done });
  }

  subscribe(topic: string): void {
    this.#filters.push(topic);
    this.#ask([topic]);
  }

  #ask(filters: readonly string[]): void {
    const id = ++this.#id;
    this.#acks.push({ operation: 9, id });
    const items = filters.map((topic) => ({ topic, QoS: 0 }));
    let head = 7;
    for (const topic of filters) head += topic.length + 3;
    this.#write({ data: null, options: { operation: SUBSCRIBE, items, id }, head });
  }

  #control(message: Control): void {
    if (message.operation === CONNACK) {
      this.connected = true;
      this.onConnect?.();
      return;
    }
    const index = this.#acks.findIndex(
      ({ operation, id }) => operation === message.operation && id === message.id,
    );
    if (index >= 0) this.#acks.splice(index, 1)[0].done?.();
  }

  #read(count: number, { topic, more }: { topic?: string; more: boolean }): void {
    this.#topic = topic ?? this.#topic;
    const data = (this.#client as IoClient).read(count);
    for (const byte of new Uint8Array(data)) this.#message.push(byte);
    if (more) return;
    const message = Uint8Array.from(this.#message).buffer as ArrayBuffer;
    this.#message = [];
    this.onMessage?.(this.#topic, message);
  }

  #write(packet: Packet): void {
    if (!this.connected || this.#buffers.length || !this.#flush(packet)) this.#buffers.push(packet);
  }

  /** @returns true when all of it has been written */
  #flush(packet: Packet): boolean {
    const client = this.#client as IoClient;
    const { data, options } = packet;
    const length = data?.byteLength ?? 0;
    const room = this.#writable - (options ? packet.head : 0);
    if (length <= room) {
      this.#writable = client.write(data, options);
      packet.done?.();
      return true;
    }
    if (data && room > 0) {
      this.#writable = client.write(new DataView(data, 0, room), options);
      packet.data = data.slice(room);
      packet.options = null;
    }
    return false;
  }
}
