/**
 * The other end of an MQTT connection, byte by byte: says what a test has it say, and understands what it is
 * told. No broker: nothing happens by itself but the answers to CONNECT, SUBSCRIBE and PINGREQ, which can be
 * switched off. Pure.
 * @module
 */
import { decodeUtf8, encodeUtf8 } from "../../src/bytes.js";

/** A byte stream accepted from the connection under test. */
export interface Wire {
  send(bytes: Uint8Array): void;
  close(): void;
}

export interface Packet {
  readonly type: number;
  readonly flags: number;
  /** Everything behind the fixed header. */
  readonly body: Uint8Array;
}

export const CONNECT = 1;
export const PUBLISH = 3;
export const PUBACK = 4;
export const SUBSCRIBE = 8;
export const UNSUBSCRIBE = 10;
export const PINGREQ = 12;

/** One accepted connection. */
export class PeerSession {
  readonly packets: Packet[] = [];
  readonly #wire: Wire;
  readonly #peer: MqttPeer;
  #bytes = new Uint8Array(0);
  closed = false;
  /** Answers that wait for the end of a packet that is being sent in parts. */
  #held: Uint8Array[] | undefined;

  constructor(wire: Wire, peer: MqttPeer) {
    this.#wire = wire;
    this.#peer = peer;
  }

  /** Bytes from the connection under test. */
  received(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    this.#bytes = all;
    for (let next = this.#take(); next; next = this.#take()) {
      this.packets.push(next);
      this.#answer(next);
    }
  }

  of(type: number): Packet[] {
    return this.packets.filter((packet) => packet.type === type);
  }

  /** Topics asked for by SUBSCRIBE packets. */
  get filters(): string[] {
    return this.of(SUBSCRIBE).map(({ body }) => decodeUtf8(body, 4, 4 + ((body[2] << 8) | body[3])));
  }

  send(...packets: Uint8Array[]): void {
    this.#wire.send(join(packets));
  }

  /** Sends part of a packet; nothing else is sent before its `last` part. */
  part(bytes: Uint8Array, last: boolean): void {
    this.#wire.send(bytes);
    const held = this.#held ?? [];
    this.#held = last ? undefined : held;
    if (last && held.length) this.send(...held);
  }

  #reply(bytes: Uint8Array): void {
    if (this.#held) this.#held.push(bytes);
    else this.send(bytes);
  }

  close(): void {
    this.closed = true;
    this.#wire.close();
  }

  #take(): Packet | undefined {
    let length = 0;
    let at = 1;
    for (let shift = 0; ; shift += 7) {
      if (at >= this.#bytes.length) return undefined;
      const byte = this.#bytes[at++];
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (this.#bytes.length < at + length) return undefined;
    const [first] = this.#bytes;
    const body = this.#bytes.slice(at, at + length);
    this.#bytes = this.#bytes.slice(at + length);
    return { type: first >> 4, flags: first & 15, body };
  }

  #answer({ type, body }: Packet): void {
    const peer = this.#peer;
    if (type === CONNECT && peer.connack !== undefined) this.#reply(Uint8Array.of(0x20, 2, 0, peer.connack));
    if (type === SUBSCRIBE && peer.subacks)
      this.#reply(Uint8Array.of(0x90, 3, body[0], body[1], peer.granted));
    if (type === UNSUBSCRIBE && peer.unsubacks) this.#reply(Uint8Array.of(0xb0, 2, body[0], body[1]));
    if (type === PINGREQ && peer.pings) this.#reply(Uint8Array.of(0xd0, 0));
    if (type === PUBLISH && peer.acks && body.length) this.acknowledge(this.packets[this.packets.length - 1]);
  }

  /** Sends the PUBACK for a PUBLISH with QoS 1. */
  acknowledge(packet: Packet): void {
    const { id } = publication(packet);
    if (id !== undefined) this.#reply(Uint8Array.of(0x40, 2, id >> 8, id));
  }
}

export class MqttPeer {
  readonly sessions: PeerSession[] = [];
  /** Return code of CONNACK; undefined: none is sent. */
  connack: number | undefined = 0;
  /** Return code of SUBACK. */
  granted = 1;
  pings = true;
  /** Whether messages with QoS 1 are acknowledged by themselves; whether SUBSCRIBE and UNSUBSCRIBE are. */
  acks = true;
  subacks = true;
  unsubacks = true;

  accept(wire: Wire): PeerSession {
    const session = new PeerSession(wire, this);
    this.sessions.push(session);
    return session;
  }

  /** The latest connection. */
  get session(): PeerSession {
    const session = this.sessions[this.sessions.length - 1];
    if (!session) throw new Error("nobody has connected");
    return session;
  }
}

/** A PUBLISH packet. @param id makes it QoS 1 */
export function publish(topic: string, payload: Uint8Array, id?: number, duplicate = false): Uint8Array {
  const name = encodeUtf8(topic);
  const ids = id === undefined ? [] : [id >> 8, id];
  const body = join([Uint8Array.of(name.length >> 8, name.length), name, Uint8Array.from(ids), payload]);
  const head = [0x30 | (id === undefined ? 0 : 2) | (duplicate ? 8 : 0)];
  let rest = body.length;
  do {
    head.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest);
  return join([Uint8Array.from(head), body]);
}

/** What a PUBLISH packet says. */
export function publication(packet: Packet): { topic: string; id: number | undefined; payload: Uint8Array } {
  const { body, flags } = packet;
  const length = (body[0] << 8) | body[1];
  const topic = decodeUtf8(body, 2, 2 + length);
  const id = flags & 6 ? (body[2 + length] << 8) | body[3 + length] : undefined;
  return { topic, id, payload: body.slice(2 + length + (id === undefined ? 0 : 2)) };
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** `length` bytes that differ from place to place. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + seed) & 0xff;
  return bytes;
}
