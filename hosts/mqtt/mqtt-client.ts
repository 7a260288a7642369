/**
 * An MQTT 3.1.1 client in the shape of ECMA-419's (`embedded:network/mqtt/client`): it may take that one's place
 * wherever a client's class is asked for. It streams in both directions, and differs where the SDK's is known
 * to fail: a message without payload is a message like any other; a message is acknowledged when it has been
 * read, not when it is offered; anything received counts as a sign of life, so that a slow reader is not taken
 * for a dead link; a malformed packet ends the connection, whatever its length claims; a topic of more than 512 bytes
 * is offered as an empty one.
 * @module
 */
import { decodeUtf8, encodeUtf8 } from "../../src/bytes.js";
import type { Clock, Timer } from "../../src/ports.js";
import { type NetworkOptions, openSocket, type Socket } from "./socket.js";

export interface MqttControl {
  readonly operation: number;
  readonly id?: number;
  /** Of CONNACK. */
  readonly returnCode?: number;
  /** Of SUBACK: what was granted for each item, 0x80 for a refusal. */
  readonly payload?: readonly number[];
}

/** First fragment of a message: all but `more`; further ones: `more` alone. */
export interface MqttReadable {
  readonly topic?: string;
  readonly byteLength?: number;
  readonly QoS?: number;
  readonly more?: boolean;
}

export interface MqttWriteOptions {
  readonly operation?: number;
  readonly id?: number;
  readonly topic?: string;
  readonly QoS?: number;
  readonly duplicate?: boolean;
  /** Bytes in the whole payload, when more of it follows in further calls. */
  readonly byteLength?: number;
  readonly items?: readonly { readonly topic: string; readonly QoS?: number }[];
}

export interface MqttClientOptions extends NetworkOptions {
  readonly host: string;
  readonly port?: number;
  readonly id?: string;
  readonly user?: string;
  readonly password?: string;
  readonly clean?: boolean;
  /** Milliseconds; 0: never. */
  readonly keepAlive?: number;
  readonly will?: {
    readonly topic: string;
    readonly message: string;
    readonly QoS?: number;
    readonly retain?: boolean;
  };
  readonly onReadable?: (count: number, options: MqttReadable) => void;
  readonly onWritable?: (count: number) => void;
  readonly onControl?: (message: MqttControl) => void;
  /** The connection is over; the client is closed. */
  readonly onError?: (error?: unknown) => void;
}

/** What the connection needs of a client; the SDK's and the one below have it. */
export interface MqttClientLike {
  /** Bytes that can be written now, of a client that others write to as well. */
  readonly writable?: number;
  /** @returns bytes that can still be written @throws Error when it cannot be written now */
  write(data: Uint8Array | null, options?: MqttWriteOptions): number;
  read(into: Uint8Array): unknown;
  close(): void;
}

export type MqttClientConstructor = new (options: MqttClientOptions) => MqttClientLike;

export const MqttOperation = Object.freeze({
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
} as const);
const Op = MqttOperation;

/** Kept free for acknowledgements and pings (2 + 4 bytes), as ECMA-419 clients do. */
const RESERVE = 8;
/** Longest packet accepted that is not a message: SUBACK for 60 items. */
const MAX_CONTROL = 64;
/**
 * Longest topic that is read, in bytes. AWS IoT takes 256 (quotas, "Topic size"), reserved topics, which begin with `$`,
 * up to three levels more.
 */
const MAX_TOPIC = 512;
/** Bytes turned into characters at a time: bounds the stack a call takes. */
const RUN = 64;
/** Most acknowledgements that wait to be written; with more of them nothing is read. */
const MAX_ACKS = 64;

/** Steps of the parser, in the order in which it takes them as far as bytes have come. */
const HEADER = 0;
const LENGTH = 1;
const TOPIC_LENGTH = 2;
const SKIP_TOPIC = 3;
const TOPIC = 4;
const ID = 5;
const OFFER = 6;
const PAYLOAD = 7;
const CONTROL = 8;

export class MqttClient implements MqttClientLike {
  readonly #options: MqttClientOptions & { readonly clock: Clock };
  #socket: Socket | undefined;
  #open = true;
  /** CONNECT has been written. */
  #greeted = false;
  #connected = false;
  #writable = 0;
  /** Bytes announced by the socket and not yet read. */
  #readable = 0;
  /** Payload bytes of a message begun with `write` that have to follow. */
  #following = 0;
  /** Acknowledgements not yet written. */
  readonly #acks: number[] = [];
  #ping: "none" | "due" | "sent" = "none";
  #alive = true;
  #timer: Timer | undefined;

  // The packet being read.
  #step = HEADER;
  #pumping = false;
  #first = 0;
  #shift = 0;
  /** Bytes of the packet still to come; while PAYLOAD: of the message. */
  #remaining = 0;
  #id = 0;
  /** What is being collected, one of the two below, and how many bytes of it are here. */
  #head = new Uint8Array(0);
  #filled = 0;
  readonly #pair = new Uint8Array(2);
  #field = this.#head;
  #topic = "";
  /** The bytes it was decoded from, each as a character. */
  #octets = "";
  /** Bytes of a topic still to be thrown away. */
  #skip = 0;
  /** Payload bytes offered to the application and not yet read by it. */
  #offered = 0;

  /** @param options as ECMA-419's, and a clock */
  constructor(options: MqttClientOptions & { readonly clock: Clock }) {
    this.#options = options;
    openSocket(
      options,
      {
        host: options.host,
        port: options.port ?? 1883,
        onReadable: (count) => {
          if (!this.#open) return;
          this.#readable = count;
          this.#alive = true;
          this.#pump();
        },
        onWritable: (count) => this.#onWritable(count),
        onError: (error) => this.#fail(error ?? new Error("connection lost")),
      },
      (socket) => {
        if (this.#open) this.#socket = socket;
        else socket.close();
      },
    );
  }

  close(): void {
    this.#open = false;
    this.#connected = false;
    this.#options.clock.clear(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  write(data: Uint8Array | null, options?: MqttWriteOptions): number {
    if (!this.#connected) throw new Error("not connected");
    if (this.#following) {
      if (!data || options || data.length > this.#following) throw new Error("a message is being written");
      this.#following -= this.#send(data);
      return this.#room();
    }
    const operation = options?.operation ?? Op.PUBLISH;
    if (operation === Op.PUBLISH) {
      const total = options?.byteLength ?? data?.length ?? 0;
      const body = data ?? new Uint8Array(0);
      const id = options?.QoS ? options.id : undefined;
      const flags = (options?.QoS ? 2 : 0) | (options?.duplicate ? 8 : 0);
      this.#send(
        packet((Op.PUBLISH << 4) | flags, [text(options?.topic ?? ""), word(id), body], total - body.length),
      );
      this.#following = total - body.length;
    } else if (operation === Op.SUBSCRIBE || operation === Op.UNSUBSCRIBE) {
      const parts = [word(options?.id)];
      for (const item of options?.items ?? []) {
        parts.push(text(item.topic));
        if (operation === Op.SUBSCRIBE) parts.push(Uint8Array.of(item.QoS ?? 0));
      }
      this.#send(packet((operation << 4) | 2, parts));
    } else if (operation === Op.DISCONNECT) {
      this.#send(Uint8Array.of(operation << 4, 0));
    } else {
      throw new RangeError(`operation ${operation} cannot be written`);
    }
    return this.#room();
  }

  /**
   * Reads payload bytes that were offered by `onReadable`.
   * @param into at most as long as what was offered
   */
  read(into: Uint8Array): number {
    const socket = this.#socket;
    if (!socket || into.length > this.#offered) throw new RangeError("more than was offered");
    if (into.length) {
      socket.format = "buffer";
      socket.read(into);
      this.#readable -= into.length;
      this.#offered -= into.length;
      this.#remaining -= into.length;
    }
    if (this.#offered === 0 && !this.#pumping) this.#later(() => this.#pump());
    return into.length;
  }

  /** Something in a turn of its own, unless the client is closed by then. */
  #later(action: () => void): void {
    this.#options.clock.set(() => {
      if (this.#open) action();
    }, 0);
  }

  #room(): number {
    return Math.max(0, this.#writable - RESERVE);
  }

  #send(bytes: Uint8Array): number {
    if (bytes.length > this.#writable) throw new Error("overflow");
    const socket = this.#socket as Socket;
    socket.format = "buffer";
    this.#writable = socket.write(bytes) ?? this.#writable - bytes.length;
    return bytes.length;
  }

  #fail(error: unknown): void {
    if (!this.#open) return;
    this.close();
    this.#options.onError?.(error);
  }

  #onWritable(count: number): void {
    if (!this.#open) return;
    this.#writable = count;
    if (this.#connected) return this.#drain();
    if (this.#greeted) return;
    this.#greeted = true;
    try {
      this.#connect();
    } catch (error) {
      this.#fail(error);
    }
  }

  #connect(): void {
    const { id = "", user, password, will, clean = true, keepAlive = 0 } = this.#options;
    const seconds = Math.ceil(keepAlive / 1000);
    const flags =
      (clean ? 2 : 0) |
      (will ? 4 | ((will.QoS ?? 0) << 3) | (will.retain ? 0x20 : 0) : 0) |
      (password === undefined ? 0 : 0x40) |
      (user === undefined ? 0 : 0x80);
    const parts = [text("MQTT"), Uint8Array.of(4, flags, seconds >> 8, seconds), text(id)];
    for (const part of [will?.topic, will?.message, user, password])
      if (part !== undefined) parts.push(text(part));
    this.#send(packet(Op.CONNECT << 4, parts));
    if (keepAlive) this.#watch(keepAlive / 2);
  }

  /** Each half of the keep-alive time: was anything received since the last ping, and the next ping. */
  #watch(ms: number): void {
    this.#timer = this.#options.clock.set(() => {
      if (this.#ping !== "none" && !this.#alive) return this.#fail(new Error("keep-alive: no answer"));
      this.#alive = false;
      this.#ping = "due";
      this.#watch(ms);
      if (this.#connected) this.#drain();
    }, ms);
  }

  /** Writes what has waited, then lets the application write. */
  #drain(): void {
    try {
      while (!this.#following && this.#acks.length && this.#writable >= 4) {
        const id = this.#acks.shift() as number;
        this.#send(Uint8Array.of(Op.PUBACK << 4, 2, id >> 8, id));
      }
      if (!this.#following && this.#ping === "due" && this.#writable >= 2) {
        this.#send(Uint8Array.of(Op.PINGREQ << 4, 0));
        this.#ping = "sent";
      }
    } catch (error) {
      return this.#fail(error);
    }
    if (this.#room()) this.#options.onWritable?.(this.#room());
    // What was held back for want of room to acknowledge it.
    if (this.#step === HEADER && this.#readable && !this.#pumping) this.#later(() => this.#pump());
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#open && this.#offered === 0 && this.#advance());
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#pumping = false;
    }
  }

  /** Takes up to a message's next piece, or a control packet. @returns false when more bytes have to come first */
  #advance(): boolean {
    if (this.#step <= LENGTH && !this.#fixedHeader()) return false;
    if (this.#step === CONTROL) {
      if (!this.#collect()) return false;
      this.#step = HEADER;
      this.#control(this.#first >> 4, this.#head);
      return true;
    }
    if (this.#step <= ID && !this.#variableHeader()) return false;
    const remaining = this.#remaining;
    if (this.#step === OFFER) {
      if (remaining && !this.#readable) return false;
      this.#step = PAYLOAD;
      const more = this.#offer();
      const QoS = (this.#first >> 1) & 3;
      this.#options.onReadable?.(this.#offered, { topic: this.#topic, byteLength: remaining, QoS, more });
    } else if (remaining) {
      if (!this.#readable) return false;
      const more = this.#offer();
      this.#options.onReadable?.(this.#offered, { more });
    } else {
      this.#step = HEADER;
      if (this.#first & 6) {
        this.#acks.push(this.#id);
        this.#drain();
      }
    }
    return true;
  }

  /** Type, flags and length of a packet (MQTT 3.1.1 §2.2). */
  #fixedHeader(): boolean {
    if (this.#step === HEADER) {
      if (!this.#readable || this.#acks.length >= MAX_ACKS) return false;
      this.#first = this.#byte();
      this.#remaining = this.#shift = 0;
      this.#step = LENGTH;
    }
    for (let byte = 0x80; byte & 0x80; ) {
      if (!this.#readable) return false;
      byte = this.#byte();
      this.#remaining |= (byte & 0x7f) << this.#shift;
      this.#shift += 7;
      if (byte & 0x80 && this.#shift > 21) throw new Error("MQTT: packet length of more than four bytes");
    }
    this.#begin();
    return true;
  }

  /** Topic and id of a message (MQTT 3.1.1 §3.3.2). */
  #variableHeader(): boolean {
    if (this.#step === TOPIC_LENGTH) {
      if (!this.#collect()) return false;
      this.#skip = this.#word();
      if (this.#skip <= MAX_TOPIC) this.#expect(this.#skip, TOPIC);
      else if (this.#skip > this.#remaining) throw new Error("MQTT: field longer than its packet");
      else this.#step = SKIP_TOPIC;
    }
    if (this.#step === SKIP_TOPIC) {
      while (this.#skip) {
        this.#expect(Math.min(this.#skip, MAX_TOPIC, this.#readable), SKIP_TOPIC);
        this.#skip -= this.#head.length;
        if (!this.#head.length || !this.#collect()) return false;
      }
      this.#expect(0, TOPIC);
    }
    if (!this.#collect()) return false;
    if (this.#step === TOPIC) {
      this.#readTopic();
      if (this.#first & 6) {
        this.#expect(2, ID);
        if (!this.#collect()) return false;
      }
    }
    if (this.#step === ID) this.#id = this.#word();
    this.#step = OFFER;
    return true;
  }

  /** Messages on the same topic follow each other: it is decoded, which takes its time, when it changes. */
  #readTopic(): void {
    const head = this.#head;
    let octets = "";
    for (let at = 0; at < head.length; at += RUN)
      octets += String.fromCharCode.apply(null, head.subarray(at, at + RUN) as unknown as number[]);
    if (octets === this.#octets) return;
    this.#topic = decodeUtf8(head);
    this.#octets = octets;
  }

  #byte(): number {
    const socket = this.#socket as Socket;
    socket.format = "number";
    this.#readable--;
    return socket.read() as number;
  }

  /** A fixed header is complete. */
  #begin(): void {
    if (this.#first >> 4 === Op.PUBLISH) {
      if ((this.#first & 6) > 2) throw new Error("MQTT: message with QoS 2 or 3");
      this.#expect(2, TOPIC_LENGTH);
      return;
    }
    if (this.#remaining > MAX_CONTROL) throw new Error(`MQTT: control packet of ${this.#remaining} bytes`);
    this.#expect(this.#remaining, CONTROL);
  }

  /** Has `#collect` gather the next `length` bytes of the packet. */
  #expect(length: number, step: number): void {
    if (length > this.#remaining) throw new Error("MQTT: field longer than its packet");
    this.#step = step;
    this.#filled = 0;
    if (length === 2) this.#head = this.#pair;
    else {
      if (this.#field.length !== length) this.#field = new Uint8Array(length);
      this.#head = this.#field;
    }
  }

  #collect(): boolean {
    const head = this.#head;
    const filled = this.#filled;
    const length = Math.min(head.length - filled, this.#readable);
    if (length) {
      const socket = this.#socket as Socket;
      socket.format = "buffer";
      socket.read(length === head.length ? head : head.subarray(filled, filled + length));
      this.#readable -= length;
      this.#remaining -= length;
      this.#filled += length;
    }
    return this.#filled === head.length;
  }

  #word(): number {
    return (this.#head[0] << 8) | this.#head[1];
  }

  /** Has the application read what has come. @returns whether more of the message has to come */
  #offer(): boolean {
    this.#offered = Math.min(this.#remaining, this.#readable);
    return this.#remaining > this.#offered;
  }

  #control(operation: number, body: Uint8Array): void {
    const least = operation === Op.PINGRESP ? 0 : operation === Op.SUBACK ? 3 : 2;
    if (body.length < least) throw new Error("MQTT: packet cut short");
    const id = (body[0] << 8) | body[1];
    const { onControl } = this.#options;
    switch (operation) {
      case Op.CONNACK:
        if (this.#connected || body[1]) throw new Error(`MQTT: connection refused, code ${body[1]}`);
        this.#connected = true;
        onControl?.({ operation, returnCode: 0 });
        if (this.#open) this.#drain();
        return;
      case Op.SUBACK:
        onControl?.({ operation, id, payload: Array.from(body.subarray(2)) });
        return;
      case Op.PUBACK:
      case Op.UNSUBACK:
        onControl?.({ operation, id });
        return;
      case Op.PINGRESP:
        if (this.#ping === "sent") this.#ping = "none";
        return;
      default:
        throw new Error(`MQTT: unexpected packet ${operation}`);
    }
  }
}

/** A string with its length in front (MQTT 3.1.1 §1.5.3). */
function text(value: string): Uint8Array {
  const bytes = encodeUtf8(value);
  if (bytes.length > 0xffff) throw new RangeError("text of more than 65535 bytes");
  const result = new Uint8Array(bytes.length + 2);
  result[0] = bytes.length >> 8;
  result[1] = bytes.length;
  result.set(bytes, 2);
  return result;
}

function word(value: number | undefined): Uint8Array {
  return value === undefined ? new Uint8Array(0) : Uint8Array.of(value >> 8, value);
}

/** A packet in one piece, so that it takes one TCP segment or TLS record. `following`: bytes sent afterwards. */
function packet(first: number, parts: readonly Uint8Array[], following = 0): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const head = [first];
  let rest = length + following;
  do {
    head.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest);
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
