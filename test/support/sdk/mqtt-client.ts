/**
 * `embedded:network/mqtt/client` (examples/io/tcp/mqttclient/mqttclient.js), as far as the connection uses it:
 * - A message is acknowledged when its last bytes are offered, before anybody has read them.
 * - After a message without payload nothing is received any more until the keep-alive runs out.
 * - Only PINGRESP counts as a sign of life; it waits behind a payload nobody reads.
 * - A packet that does not fit is refused whole ("overflow"); 8 bytes of room are kept back.
 * - Acknowledgements and pings it writes by its own `write`, a class made of it by its, with `byteLength` for the packet.
 * - Its callbacks are called as methods of the client. Without an id, packets get one of its own count.
 * - Connecting may take 30 s. Its errors carry no reason; the client is closed then, and any use throws.
 * @module
 */

import type {
  MqttClientLike,
  MqttClientOptions,
  MqttReadable,
  MqttWriteOptions,
} from "../../../hosts/mqtt/mqtt-client.js";
import type { Socket } from "../../../hosts/mqtt/socket.js";
import { decodeUtf8, encodeUtf8 } from "../../../src/bytes.js";
import { sdk } from "./machine.js";
import Timer from "./timer.js";

const RESERVE = 8;
const CONNECT_MS = 30_000;

const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBACK = 9;
const PINGREQ = 12;
const PINGRESP = 13;

export default class MQTTClient implements MqttClientLike {
  #options: MqttClientOptions | undefined;
  #socket: Socket | undefined;
  #state: "connecting" | "login" | "connected" | "publishing" | "closed" = "connecting";
  #room = 0;
  /** Bytes of a message begun that have to follow. */
  #following = 0;
  #lastId = 1;
  #acks: number[] = [];
  #connecting: object | undefined;
  #keepAlive: object | undefined;
  #heard = 0;
  #pinged = 0;
  #readable = 0;
  #offered = 0;
  #wedged = false;
  /** Bytes of the packet being read, and of its payload those that have not been offered. */
  #packet: number[] = [];
  #payload = 0;

  constructor(options: MqttClientOptions) {
    this.#options = options;
    if (!options.host) throw new Error("host required");
    const failed = () => this.#fail();
    new options.dns.io(options.dns as never).resolve({
      host: options.host,
      onResolved: (host, address) => {
        try {
          const callbacks = {
            onReadable: (count: number) => this.#received(count),
            onWritable: (count: number) => this.#onWritable(count),
            onError: failed,
          };
          const port = options.port ?? 1883;
          this.#socket = new options.socket.io({
            ...options.socket,
            address,
            host,
            port,
            ...callbacks,
          } as never);
          this.#connecting = Timer.set(failed, CONNECT_MS);
        } catch {
          failed();
        }
      },
      onError: failed,
    });
  }

  close(): void {
    this.#state = "closed";
    Timer.clear(this.#connecting);
    Timer.clear(this.#keepAlive);
    this.#socket?.close();
    this.#socket = undefined;
    this.#options = undefined;
  }

  write(buffer: ArrayBuffer | ArrayBufferView | null, options?: MqttWriteOptions): number {
    const data = buffer && bytesOf(buffer);
    if (!this.#socket) throw new TypeError("cannot coerce undefined to object");
    if (this.#state !== "connected") {
      if (this.#state !== "publishing" || options || !data || data.length > this.#following)
        throw new Error();
      this.#following -= data.length;
      this.#send(data);
      if (!this.#following) this.#state = "connected";
      return this.#left();
    }
    const { operation = PUBLISH, id = ++this.#lastId, topic = "", QoS = 0, items = [] } = options ?? {};
    const number = [id >> 8, id & 0xff];
    if (operation === PUBLISH) {
      const payload = data ?? new Uint8Array(0);
      const total = options?.byteLength ?? payload.length;
      const body = [...text(topic), ...(QoS ? number : [])];
      const flags = (QoS << 1) | (options?.duplicate ? 8 : 0);
      const head = [(PUBLISH << 4) | flags, ...lengthOf(body.length + total), ...body];
      this.#send(Uint8Array.from([...head, ...payload]));
      this.#following = total - payload.length;
      if (this.#following) this.#state = "publishing";
    } else if (operation === PUBACK) this.#send(Uint8Array.of(0x40, 2, ...number));
    else if (operation === PINGREQ) this.#send(Uint8Array.of(0xc0, 0));
    else {
      const body = [...number];
      for (const item of items) body.push(...text(item.topic), ...(operation === 8 ? [item.QoS ?? 0] : []));
      this.#send(Uint8Array.from([(operation << 4) | 2, ...lengthOf(body.length), ...body]));
    }
    return this.#left();
  }

  /** @param target a buffer, or how many bytes are wanted, in a buffer of their own */
  read(target: Uint8Array | number): unknown {
    const count = Math.min(typeof target === "number" ? target : target.length, this.#offered);
    if (!count) return undefined;
    const into = typeof target === "number" ? new Uint8Array(count) : target;
    const socket = this.#socket as Socket;
    socket.format = "buffer";
    this.#readable -= count;
    this.#offered -= count;
    const result = socket.read(into.subarray(0, count));
    if (!this.#offered)
      Timer.set(() => {
        if (this.#socket && this.#readable > 0) this.#received(this.#readable);
      });
    return typeof target === "number" ? into.buffer : result;
  }

  #left(): number {
    return Math.max(0, this.#room - RESERVE);
  }

  #send(bytes: Uint8Array): void {
    if (bytes.length > this.#room) throw new Error("overflow");
    const socket = this.#socket as Socket;
    socket.format = "buffer";
    this.#room = socket.write(bytes) ?? 0;
  }

  #onWritable(count: number): void {
    this.#room = count;
    const options = this.#options;
    if (!options) return;
    if (this.#state === "connecting") {
      Timer.clear(this.#connecting);
      this.#connect(options);
      return;
    }
    if (this.#state !== "connected" && this.#state !== "publishing") return;
    while (this.#state === "connected" && this.#acks.length) {
      if (this.#room < 4) return;
      const id = this.#acks.shift() as number;
      this.write(null, { operation: PUBACK, id, byteLength: 4 });
    }
    if (this.#room > RESERVE) options.onWritable?.call(this, this.#room - RESERVE);
  }

  #connect({ id = "", clean = true, keepAlive = 0 }: MqttClientOptions): void {
    const seconds = Math.ceil(keepAlive / 1000);
    const body = [...text("MQTT"), 4, clean ? 2 : 0, seconds >> 8, seconds & 0xff, ...text(id)];
    this.#send(Uint8Array.from([0x10, ...lengthOf(body.length), ...body]));
    this.#state = "login";
    if (!seconds) return;
    this.#heard = this.#pinged = sdk.clock.now();
    this.#keepAlive = Timer.repeat(() => this.#watch(seconds * 1000), seconds * 250);
  }

  #watch(interval: number): void {
    const now = sdk.clock.now();
    if (now - this.#heard >= interval * 1.5) return this.#fail();
    if (now - this.#pinged < (interval * 3) / 4 - 500 || this.#state !== "connected" || this.#room < 2)
      return;
    this.#pinged = now;
    this.write(null, { operation: PINGREQ, byteLength: 2 });
  }

  #received(count: number): void {
    this.#readable = count;
    while (this.#readable > 0 && !this.#offered && !this.#wedged && this.#socket) {
      if (this.#payload) {
        this.#offer({});
        continue;
      }
      this.#socket.format = "number";
      this.#packet.push(this.#socket.read() as number);
      this.#readable--;
      this.#parse();
    }
  }

  /** Looks whether what has been read makes a packet, or the head of a message. */
  #parse(): void {
    const bytes = this.#packet;
    const operation = bytes[0] >> 4;
    if (operation === 0 || operation === 15) return this.#fail();
    let length = 0;
    let at = 1;
    for (let shift = 0; ; shift += 7) {
      if (at >= bytes.length) return;
      if (shift > 21) return this.#fail();
      length |= (bytes[at] & 0x7f) << shift;
      if (bytes[at++] < 0x80) break;
    }
    if (operation !== PUBLISH) {
      if (bytes.length < at + length) return;
      this.#packet = [];
      return this.#control(operation, bytes.slice(at));
    }
    if (bytes.length < at + 2) return;
    const topicLength = (bytes[at] << 8) | bytes[at + 1];
    if (topicLength === 0) return this.#fail();
    const QoS = (bytes[0] >> 1) & 3;
    const head = 2 + topicLength + (QoS ? 2 : 0);
    if (bytes.length < at + head) return;
    this.#packet = [];
    this.#payload = length - head;
    const topic = decodeUtf8(Uint8Array.from(bytes.slice(at + 2, at + 2 + topicLength)));
    if (this.#payload <= 0) {
      this.#wedged = true;
      return;
    }
    this.#id = QoS ? (bytes[at + head - 2] << 8) | bytes[at + head - 1] : 0;
    this.#first = { topic, byteLength: this.#payload, QoS };
    if (this.#readable) this.#offer({});
  }

  #id = 0;
  #first: MqttReadable | undefined;

  #offer(options: MqttReadable): void {
    const first = this.#first ?? options;
    this.#first = undefined;
    this.#offered = Math.min(this.#payload, this.#readable);
    this.#payload -= this.#offered;
    if (!this.#payload && this.#id) {
      this.#acks.push(this.#id);
      this.#id = 0;
      Timer.set(() => this.#socket && this.#onWritable(this.#room));
    }
    this.#options?.onReadable?.call(this, this.#offered, { ...first, more: this.#payload > 0 });
  }

  #control(operation: number, body: number[]): void {
    const options = this.#options;
    if (operation === PINGRESP) {
      this.#heard = sdk.clock.now();
      return;
    }
    if (operation === CONNACK) {
      if (body.length !== 2 || body[1]) return this.#fail();
      this.#state = "connected";
      options?.onControl?.call(this, { operation, returnCode: 0 });
      if (this.#room > RESERVE) options?.onWritable?.call(this, this.#room - RESERVE);
      return;
    }
    const id = (body[0] << 8) | body[1];
    options?.onControl?.call(this, {
      operation,
      id,
      payload: operation === SUBACK ? body.slice(2) : undefined,
    });
  }

  #fail(): void {
    const options = this.#options;
    if (!options) return;
    options.onError?.call(this);
    this.close();
  }
}

function bytesOf(buffer: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (!ArrayBuffer.isView(buffer)) return new Uint8Array(buffer);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

function text(value: string): number[] {
  const bytes = encodeUtf8(value);
  return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
}

function lengthOf(value: number): number[] {
  const bytes: number[] = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>= 7;
  } while (value);
  return bytes;
}
