/**
 * The classic `mqtt` (modules/network/mqtt/mqtt.js) over `socket`:
 * - QoS 0: a packet id is sent with a message of higher quality, its PUBACK falls by the wayside; nothing is acknowledged.
 * - Messages are assembled in memory and handed over in a later turn, together; what a callback throws is swallowed.
 * - A message without payload is complete with the next byte that comes.
 * - A packet that does not fit the socket's buffer is refused whole.
 * - Whatever ends the connection closes the client for good and calls `onClose`, but for its own `close`.
 * @module
 */
import { decodeUtf8, encodeUtf8 } from "../../../src/bytes.js";
import { type FarEnd, sdk } from "./machine.js";
import Timer from "./timer.js";

const SUBSCRIBE = 0x82;
const UNSUBSCRIBE = 0xa2;

export default class Client {
  state = 0;
  onConnected?: () => void;
  onReady?: () => void;
  onMessage?: (topic: string, payload: ArrayBuffer) => void;
  onClose?: () => void;
  readonly #keepAlive: number;
  readonly #id: string;
  #far: FarEnd | undefined;
  #room = sdk.writable;
  #packetId = 1;
  #bytes: number[] = [];
  #messages: (() => void)[] = [];
  #timer: object | undefined;
  #heard = sdk.clock.now();
  #pinged = sdk.clock.now();

  /** @param options `timeout`: keep-alive, milliseconds */
  constructor(options: { readonly host: string; readonly id?: string; readonly timeout?: number }) {
    if (!options.host) throw new Error("parameter host is required");
    this.#id = options.id ?? "";
    this.#keepAlive = options.timeout ?? 0;
    this.#later(() => {
      if (!sdk.accept) return void this.#fail();
      this.state = 1;
      this.#far = sdk.accept(
        {
          send: (bytes) => this.#later(() => this.#received(bytes)),
          close: () => this.#later(() => void this.#fail()),
        },
        { address: "192.0.2.1", port: 1883 },
      );
      this.onConnected?.();
      const seconds = Math.ceil(this.#keepAlive / 1000);
      this.#send(0x10, [0, 4, 77, 81, 84, 84, 4, 2, seconds >> 8, seconds & 255, ...text(this.#id)]);
      if (seconds) this.#timer = Timer.repeat(() => this.#watch(), this.#keepAlive >> 2);
    });
  }

  publish(topic: string, data: unknown, flags?: { readonly quality?: number }): void {
    if (this.state < 2) throw new Error("connection closed");
    // Anything but an ArrayBuffer goes out as its text.
    const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : encodeUtf8(String(data));
    const quality = (flags?.quality ?? 0) & 3;
    this.#packetId++;
    const id = quality ? [this.#packetId >> 8, this.#packetId & 255] : [];
    this.#send(0x30 | (quality << 1), [...text(topic), ...id, ...bytes]);
  }

  subscribe(topic: string): void {
    this.#ask(SUBSCRIBE, [...text(topic), 0]);
  }

  unsubscribe(topic: string): void {
    this.#ask(UNSUBSCRIBE, text(topic));
  }

  close(): void {
    this.state = -1;
    Timer.clear(this.#timer);
    this.#far = undefined;
  }

  #ask(type: number, body: readonly number[]): void {
    if (this.state < 2) throw new Error("connection closed");
    this.#packetId++;
    this.#send(type, [this.#packetId >> 8, this.#packetId & 255, ...body]);
  }

  #send(type: number, body: readonly number[]): void {
    const head = [type];
    let rest = body.length;
    do {
      head.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
      rest >>= 7;
    } while (rest);
    const bytes = Uint8Array.from([...head, ...body]);
    if (bytes.length > this.#room) throw new Error("can't write all data");
    this.#room -= bytes.length;
    this.#later(() => {
      this.#room += bytes.length;
      this.#far?.received(bytes);
    });
  }

  #watch(): void {
    const now = sdk.clock.now();
    if (now - this.#heard >= this.#keepAlive * 1.5) return void this.#fail();
    if (now - this.#pinged < (this.#keepAlive * 3) / 4) return;
    this.#pinged = now;
    this.#send(0xc0, []);
  }

  #received(bytes: Uint8Array): void {
    for (const byte of bytes) this.#bytes.push(byte);
    while (this.state > 0 && this.#packet());
  }

  /** @returns true when there may be another packet */
  #packet(): boolean {
    const bytes = this.#bytes;
    const code = bytes[0] & 0xf0;
    if (code === 0 || code === 0xf0) return this.#fail();
    let length = 0;
    let at = 1;
    for (let shift = 0; ; shift += 7) {
      if (at >= bytes.length) return false;
      if (shift > 21) return this.#fail();
      length |= (bytes[at] & 0x7f) << shift;
      if (bytes[at++] < 0x80) break;
    }
    if (bytes.length < at + length) return false;
    const body = bytes.slice(at, at + length);
    if (code === 0x30) {
      const size = (body[0] << 8) | body[1];
      const start = 2 + size + (bytes[0] & 6 ? 2 : 0);
      if (start === length && bytes.length === at + length) return false;
      const topic = decodeUtf8(Uint8Array.from(body.slice(2, 2 + size)));
      const payload = Uint8Array.from(body.slice(start)).buffer as ArrayBuffer;
      this.#dispatch(() => this.onMessage?.(topic, payload));
    } else if (code === 0x20) {
      if (length !== 2 || body[1]) return this.#fail();
      this.state = 2;
      this.#dispatch(() => this.onReady?.());
    } else if (code === 0xd0) this.#heard = sdk.clock.now();
    this.#bytes = bytes.slice(at + length);
    return this.#bytes.length > 0;
  }

  #dispatch(action: () => void): void {
    this.#messages.push(action);
    if (this.#messages.length > 1) return;
    Timer.set(() => {
      const messages = this.#messages;
      this.#messages = [];
      for (const message of messages) {
        if (this.state <= 0) return;
        try {
          message();
        } catch {
          // nobody hears of it
        }
      }
    });
  }

  #fail(): false {
    if (this.state < 0) return false;
    this.close();
    this.onClose?.();
    return false;
  }

  #later(action: () => void): void {
    sdk.clock.set(() => {
      if (this.state >= 0) action();
    }, 1);
  }
}

function text(value: string): number[] {
  const bytes = encodeUtf8(value);
  return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
}
