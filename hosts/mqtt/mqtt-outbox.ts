/**
 * What an MQTT connection has to send: packets waiting for room in the socket, in order, and those waiting for
 * their acknowledgement.
 * @module
 */
import { encodeUtf8 } from "../../src/bytes.js";
import type { Clock, Timer } from "../../src/ports.js";
import { MqttOperation, type MqttWriteOptions } from "./mqtt-client.js";

/** @param granted return code of the SUBACK, when there was one */
type Settled = (error: Error | undefined, granted?: number) => void;

export interface Outgoing {
  readonly id: number | undefined;
  /** Of a PUBLISH. */
  readonly payload: Uint8Array | undefined;
  message: MqttWriteOptions;
  /** Bytes of a PUBLISH in front of its payload, at most. */
  readonly overhead: number;
  /** Payload bytes written so far. */
  written: number;
  /** The fixed header is written. */
  begun: boolean;
  /** When it was written; the acknowledgement is waited for from then. */
  sentAt: number;
  attempts: number;
  readonly settled: Settled | undefined;
}

export interface MqttOutboxOptions {
  readonly clock: Clock;
  readonly ackTimeout: number;
  readonly retries: number;
  readonly queueLength: number;
  /** Told when `next` may have changed. */
  readonly changed: () => void;
  /**
   * Told that something was never acknowledged. True: the connection is given up. False: other messages arrive, on a link
   * so slow that the acknowledgement may still be behind them.
   */
  readonly silent: () => boolean;
}

export class MqttOutbox {
  readonly #options: MqttOutboxOptions;
  #queue: Outgoing[] = [];
  #unacknowledged: Outgoing[] = [];
  #id = 0;
  #timer: Timer | undefined;

  constructor(options: MqttOutboxOptions) {
    this.#options = options;
  }

  /** The packet to write next, or to go on writing. */
  get next(): Outgoing | undefined {
    return this.#queue[0];
  }

  /** @param done called once, in a later turn */
  publish(topic: string, payload: Uint8Array, qos: 0 | 1, done?: (error?: Error) => void): void {
    const { clock, queueLength } = this.#options;
    const settled = done && ((error?: Error) => void clock.set(() => done(error), 0));
    if (this.#queue.length + this.#unacknowledged.length >= queueLength) {
      settled?.(new Error("too many messages wait to be sent"));
      return;
    }
    // PUBLISH: flags 1, length at most 4, topic length 2, packet identifier 2
    const overhead = 9 + encodeUtf8(topic).length;
    this.#add({ operation: MqttOperation.PUBLISH, topic, QoS: qos }, qos === 1, payload, overhead, settled);
  }

  /** A SUBSCRIBE or UNSUBSCRIBE. These are never refused for want of room: there are as many as subscriptions. */
  control(message: MqttWriteOptions, settled?: Settled): void {
    this.#add(message, true, undefined, 0, settled);
  }

  /** `packet` has been written as a whole. */
  written(packet: Outgoing): void {
    this.#queue.shift();
    if (packet.id === undefined) {
      packet.settled?.(undefined);
      return;
    }
    packet.sentAt = this.#options.clock.now();
    this.#unacknowledged.push(packet);
    this.#arm();
  }

  /** True while a SUBSCRIBE or UNSUBSCRIBE has not been acknowledged. */
  get controlling(): boolean {
    return [...this.#queue, ...this.#unacknowledged].some(({ payload }) => !payload);
  }

  /**
   * A PUBACK, UNSUBACK, or a SUBACK with its return codes. Unknown ones are ignored: a repeated message has two.
   * @param operation of the acknowledgement; each follows what it acknowledges in number
   */
  acknowledged(operation: number, id: number, payload?: readonly number[]): void {
    const index = this.#unacknowledged.findIndex(
      (packet) => packet.id === id && packet.message.operation === operation - 1,
    );
    if (index < 0) return;
    const [packet] = this.#unacknowledged.splice(index, 1);
    this.#arm();
    const granted = payload?.[0] ?? 0;
    packet.settled?.(granted === 0x80 ? new Error("refused") : undefined, granted);
  }

  /** The connection is lost: nothing of this will be sent or acknowledged. */
  fail(error: Error): void {
    const all = [...this.#unacknowledged, ...this.#queue];
    this.#queue = [];
    this.#unacknowledged = [];
    this.#options.clock.clear(this.#timer);
    for (const { settled } of all) settled?.(error);
  }

  #add(
    message: MqttWriteOptions,
    acknowledged: boolean,
    payload: Uint8Array | undefined,
    overhead: number,
    settled: Settled | undefined,
  ): void {
    const id = acknowledged ? this.#newId() : undefined;
    const state = { written: 0, begun: false, sentAt: 0, attempts: 1 };
    this.#queue.push({ id, payload, message, overhead, settled, ...state });
    this.#options.changed();
  }

  #newId(): number {
    do this.#id = (this.#id % 0xffff) + 1;
    while ([...this.#queue, ...this.#unacknowledged].some(({ id }) => id === this.#id));
    return this.#id;
  }

  /** One timer, for the packet that has waited longest: they are in the order of `sentAt`. */
  #arm(): void {
    const { clock, ackTimeout } = this.#options;
    clock.clear(this.#timer);
    const oldest = this.#unacknowledged[0];
    if (!oldest) return;
    const wait = Math.max(0, oldest.sentAt + ackTimeout - clock.now());
    this.#timer = clock.set(() => this.#overdue(), wait);
  }

  #overdue(): void {
    const packet = this.#unacknowledged.shift();
    if (!packet) return;
    // A message may be given up while others arrive; a subscription never is, it would be deaf.
    if (packet.attempts++ > this.#options.retries && (this.#options.silent() || packet.payload)) {
      packet.settled?.(new Error("not acknowledged"));
    } else {
      if (packet.payload) packet.message = { ...packet.message, duplicate: true };
      packet.written = 0;
      packet.begun = false;
      this.#queue.push(packet);
    }
    this.#arm();
    this.#options.changed();
  }
}
