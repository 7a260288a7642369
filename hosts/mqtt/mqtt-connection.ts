/**
 * The `MqttConnection` port over an ECMA-419 MQTT client: what a single-shot client leaves to its user. It
 * connects again with back-off and jitter, renews subscriptions, matches acknowledgements and repeats what is
 * not acknowledged, holds back what the socket cannot take yet, and puts each message straight into the buffer
 * its subscriber gives. The client's class is injected: the SDK's `embedded:network/mqtt/client`, or `MqttClient`.
 * @module
 */
import { encodeUtf8 } from "../../src/bytes.js";
import { wordsOf } from "../../src/errors.js";
import type {
  Clock,
  Log,
  MqttConnection,
  MqttObserver,
  MqttSubscription,
  Random,
  Timer,
} from "../../src/ports.js";
import {
  type MqttClientConstructor,
  type MqttClientLike,
  type MqttClientOptions,
  type MqttControl,
  MqttOperation,
  type MqttReadable,
  type MqttWriteOptions,
} from "./mqtt-client.js";
import { MqttOutbox, type Outgoing } from "./mqtt-outbox.js";
import { Reconnect } from "./reconnect.js";
import { topicMatches } from "./topic-filter.js";

type Done = (error?: Error) => void;

export interface EcmaMqttOptions {
  readonly Client: MqttClientConstructor;
  /** What the client's constructor takes (host, port, id, dns, socket …). Callbacks are set here. */
  readonly client: Omit<MqttClientOptions, "onReadable" | "onWritable" | "onControl" | "onError">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  /**
   * First wait before connecting again, milliseconds; doubles up to `longestWait` until a connection has lasted, see
   * `Reconnect`. Default 500.
   */
  readonly firstWait?: number;
  /** Default 60000. */
  readonly longestWait?: number;
  /** How long a connection attempt may take until the broker's CONNACK, milliseconds. Default 30000. */
  readonly connectTimeout?: number;
  /** How long an acknowledgement is waited for before the message is sent again, milliseconds. Default 10000. */
  readonly ackTimeout?: number;
  /**
   * How often a message is sent again on the same connection, which is then replaced, unless other messages arrive: a
   * broker that answers pings alone would leave its subscribers deaf. Default 2.
   */
  readonly retries?: number;
  /**
   * Longest message for which memory is made, in bytes; longer ones are thrown away unread unless the subscriber brings
   * a buffer. Default 131072, the most AWS IoT passes on.
   */
  readonly maxMessage?: number;
  /** Most messages waiting to be written or acknowledged. Default 32. */
  readonly queueLength?: number;
}

interface Active {
  readonly subscription: MqttSubscription;
  done: Done | undefined;
  /** The broker has granted it before. */
  granted?: boolean;
}

/** A message being received. */
interface Incoming {
  readonly topic: string;
  readonly targets: readonly Active[];
  /** Where it goes; undefined: nobody wants it. */
  readonly buffer: Uint8Array | undefined;
  readonly byteLength: number;
  received: number;
}

/** Longest message of AWS IoT Core in bytes (quotas, "Maximum message size"). */
const MAX_MESSAGE = 131_072;
/** Bytes of an unwanted message thrown away at a time. */
const DISCARD = 256;
/** Wait before a subscription that was granted before and is refused now is asked for again, milliseconds. */
const RENEW_MS = 30_000;

export class EcmaMqttConnection implements MqttConnection {
  readonly #options: EcmaMqttOptions;
  readonly #outbox: MqttOutbox;
  #active: Active[] = [];
  #observers: MqttObserver[] = [];
  #client: MqttClientLike | undefined;
  #online = false;
  #closed = false;
  readonly #reconnect: Reconnect;
  #timer: Timer | undefined;
  /** Runs out when the connection counts as good. */
  #proof: Timer | undefined;
  /** When a message arrived last. */
  #heardAt = Number.NEGATIVE_INFINITY;
  #incoming: Incoming | undefined;
  /** Whom messages on `#topic` are for, the topic of the last one; undefined after a change of subscriptions. */
  #topic: string | undefined;
  #wanted: Active[] = [];
  #writable = 0;
  #writing = false;

  /** Connects in a later turn. */
  constructor(options: EcmaMqttOptions) {
    this.#options = options;
    const { clock, random, ackTimeout = 10_000, retries = 2, queueLength = 32 } = options;
    const { firstWait = 500, longestWait = 60_000 } = options;
    this.#reconnect = new Reconnect(firstWait, longestWait, random);
    const changed = () => this.#write();
    const silent = () => {
      if (clock.now() - this.#heardAt < ackTimeout) return false;
      // In a turn of its own: what is not acknowledged is told first.
      const client = this.#client;
      clock.set(() => client && client === this.#client && this.#lost(new Error("not acknowledged")), 0);
      return true;
    };
    this.#outbox = new MqttOutbox({ clock, ackTimeout, retries, queueLength, changed, silent });
    this.#wait(0);
  }

  get connected(): boolean {
    return this.#online;
  }

  publish(topic: string, payload: Uint8Array, qos: 0 | 1, done?: Done): void {
    if (this.#online) this.#outbox.publish(topic, payload, qos, done);
    else this.#report(done, new Error("not connected"));
  }

  subscribe(subscription: MqttSubscription, done?: Done): void {
    const active = { subscription, done };
    this.#active.push(active);
    this.#topic = undefined;
    if (this.#online) this.#request(active);
  }

  unsubscribe(subscription: MqttSubscription): void {
    const rest = this.#active.filter((active) => active.subscription !== subscription);
    if (rest.length === this.#active.length) return;
    this.#active = rest;
    this.#topic = undefined;
    const { filter } = subscription;
    if (this.#online && !rest.some((active) => active.subscription.filter === filter))
      this.#outbox.control({ operation: MqttOperation.UNSUBSCRIBE, items: [{ topic: filter }] });
  }

  addObserver(observer: MqttObserver): void {
    this.#observers = [...this.#observers, observer];
  }

  removeObserver(observer: MqttObserver): void {
    this.#observers = this.#observers.filter((other) => other !== observer);
  }

  /** Disconnects for good. Publishes under way are reported failed; nothing else is called any more. */
  close(): void {
    this.#closed = true;
    this.#active = [];
    this.#topic = undefined;
    this.#observers = [];
    this.#lost(new Error("closed"));
    this.#options.clock.clear(this.#timer);
  }

  #report(done: Done | undefined, error?: Error): void {
    if (done) this.#options.clock.set(() => done(error), 0);
  }

  // Life of the connection

  /** Connects after `ms` milliseconds. */
  #wait(ms: number): void {
    this.#options.clock.clear(this.#timer);
    this.#timer = this.#options.clock.set(() => this.#connect(), ms);
  }

  #connect(): void {
    const { Client, client: settings, clock, connectTimeout = 30_000 } = this.#options;
    this.#timer = clock.set(() => this.#lost(new Error("connecting takes too long")), connectTimeout);
    let client: MqttClientLike | undefined;
    // Only the client in use is listened to; one that fails inside its constructor is not known yet.
    const current = () => client !== undefined && client === this.#client;
    let failed: unknown;
    try {
      client = new Client({
        ...settings,
        onReadable: (count, options) => current() && this.#read(count, options),
        onWritable: (count) => current() && this.#onWritable(count),
        onControl: (message) => current() && this.#control(message),
        onError: (error) => {
          if (client === undefined) failed = error ?? new Error("connecting failed");
          else if (current()) this.#lost(error, true);
        },
      });
    } catch (error) {
      failed = error;
    }
    this.#client = client;
    if (failed !== undefined || !client) this.#lost(failed, client === undefined);
  }

  /**
   * The connection is no more: everything under way has failed, and the next attempt is arranged.
   * @param final true when the client has closed itself
   */
  #lost(error: unknown, final = false): void {
    const { clock, log } = this.#options;
    const client = this.#client;
    clock.clear(this.#proof);
    this.#client = undefined;
    this.#incoming = undefined;
    this.#writable = 0;
    // Not within a callback of the client: it goes on using its socket afterwards.
    if (client && !final) clock.set(() => closeQuietly(client), 0);
    const reason = (error as Error | undefined)?.message ?? "connection lost";
    this.#outbox.fail(new Error(reason));
    if (this.#closed) return;
    log?.("warn", `MQTT: ${reason}`);
    const wait = this.#reconnect.wait();
    this.#reconnect.failed();
    this.#wait(wait);
    if (!this.#online) return;
    this.#online = false;
    clock.set(() => {
      for (const observer of this.#observers) observer.offline();
    }, 0);
  }

  #control({ operation, id = 0, payload }: MqttControl): void {
    switch (operation) {
      case MqttOperation.CONNACK:
        return this.#connected();
      case MqttOperation.PUBACK:
      case MqttOperation.SUBACK:
      case MqttOperation.UNSUBACK:
        return this.#outbox.acknowledged(operation, id, payload);
    }
  }

  #connected(): void {
    const { clock } = this.#options;
    clock.clear(this.#timer);
    this.#online = true;
    this.#heardAt = Number.NEGATIVE_INFINITY;
    this.#prove();
    for (const active of this.#active) this.#request(active);
    const client = this.#client;
    clock.set(() => {
      if (client === this.#client) for (const observer of this.#observers) observer.online();
    }, 0);
  }

  /** The connection counts as good once it has lasted, and everything asked for was answered. */
  #prove(): void {
    this.#proof = this.#options.clock.set(() => {
      if (this.#outbox.controlling) this.#prove();
      else this.#reconnect.proved();
    }, this.#reconnect.proof);
  }

  /** Subscribes to the filter of `active`, with the highest QoS anybody wants. */
  #request(active: Active): void {
    const { filter } = active.subscription;
    const same = this.#active.filter((other) => other.subscription.filter === filter);
    const QoS = same.some((other) => other.subscription.qos === 1) ? 1 : 0;
    const message = { operation: MqttOperation.SUBSCRIBE, items: [{ topic: filter, QoS }] };
    this.#outbox.control(message, (error, granted) => {
      if (!this.#active.includes(active)) return;
      if (error && !granted) return; // renewed on the next connection
      if (error) this.#options.log?.("warn", `MQTT: subscription to ${filter} refused`);
      const { done } = active;
      active.done = undefined;
      this.#report(done, error);
      // Whoever was granted it once does not hear of this: without it the subscriber would be deaf from now on.
      if (error && active.granted) this.#options.clock.set(() => this.#renew(active), RENEW_MS);
      else active.granted = !error;
    });
  }

  #renew(active: Active): void {
    if (this.#online && this.#active.includes(active)) this.#request(active);
  }

  // Out

  #onWritable(count: number): void {
    this.#writable = count;
    this.#write();
  }

  /** Writes as much as the client takes. */
  #write(): void {
    if (this.#writing || !this.#online) return;
    this.#writing = true;
    try {
      for (
        let next = this.#outbox.next;
        next && this.#client && this.#writeSome(next);
        next = this.#outbox.next
      );
    } finally {
      this.#writing = false;
    }
  }

  /** Writes a packet or a part of one. @returns false when the client has no room for more */
  #writeSome(next: Outgoing): boolean {
    const client = this.#client as MqttClientLike;
    this.#writable = client.writable ?? this.#writable;
    const { payload, message } = next;
    if (!payload) {
      let need = 7;
      for (const item of message.items ?? []) need += encodeUtf8(item.topic).length + 3;
      if (need > this.#writable) return false;
      if (!this.#call(client, null, { ...message, id: next.id })) return false;
      this.#outbox.written(next);
      return true;
    }
    let room = this.#writable;
    if (next.written === 0 && !next.begun) room -= next.overhead;
    const length = Math.min(room, payload.length - next.written);
    if (room < 0 || (length === 0 && payload.length > 0)) return false;
    const whole = length === payload.length;
    const slice = whole ? payload : payload.subarray(next.written, next.written + length);
    const options = next.begun ? undefined : { ...message, id: next.id, byteLength: payload.length };
    if (!this.#call(client, slice, options)) return false;
    next.begun = true;
    next.written += length;
    if (next.written === payload.length) this.#outbox.written(next);
    return true;
  }

  #call(client: MqttClientLike, data: Uint8Array | null, options?: MqttWriteOptions): boolean {
    try {
      this.#writable = client.write(data, options);
      return true;
    } catch (error) {
      // A dead socket, or a client that has room for less than it said.
      this.#lost(error);
      return false;
    }
  }

  // In

  #read(count: number, options: MqttReadable): void {
    const client = this.#client as MqttClientLike;
    const incoming =
      options.topic === undefined
        ? this.#incoming
        : (this.#incoming = this.#begin(options.topic, options.byteLength ?? 0));
    if (!incoming) return this.#lost(new Error("payload without a message"));
    try {
      if (incoming.buffer) {
        if (count) client.read(incoming.buffer.subarray(incoming.received, incoming.received + count));
      } else {
        for (let left = count; left > 0; left -= DISCARD)
          client.read(new Uint8Array(Math.min(left, DISCARD)));
      }
    } catch (error) {
      return this.#lost(error);
    }
    incoming.received += count;
    this.#heardAt = this.#options.clock.now();
    if (incoming.received < incoming.byteLength) return;
    this.#incoming = undefined;
    this.#deliver(incoming);
  }

  /** Finds out who wants a message, and where it is to be put. */
  #begin(topic: string, byteLength: number): Incoming {
    const targets: Active[] = [];
    let buffer: Uint8Array | undefined;
    // Blocks of a file come one after the other on the same topic.
    if (topic !== this.#topic) {
      // An empty topic is none: the client's word for one that is too long.
      this.#wanted = this.#active.filter(
        ({ subscription }) => topic && topicMatches(subscription.filter, topic),
      );
      this.#topic = topic;
    }
    const { maxMessage = MAX_MESSAGE, log } = this.#options;
    for (const active of this.#wanted) {
      const { subscription } = active;
      if (!subscription.buffer) {
        if (byteLength <= maxMessage) targets.push(active);
        else log?.("warn", `MQTT: ${topic}: message of ${byteLength} bytes thrown away`);
        continue;
      }
      try {
        const own = subscription.buffer(topic, byteLength);
        if (!own || own.length < byteLength) continue;
        targets.push(active);
        buffer ??= own;
      } catch (error) {
        this.#failed(error);
      }
    }
    if (targets.length) buffer ??= new Uint8Array(byteLength);
    return { topic, targets, buffer, byteLength, received: 0 };
  }

  #deliver({ topic, targets, buffer, byteLength }: Incoming): void {
    if (!buffer) return;
    const payload = buffer.length === byteLength ? buffer : buffer.subarray(0, byteLength);
    for (const active of targets)
      if (this.#active.includes(active))
        try {
          active.subscription.message(topic, payload);
        } catch (error) {
          this.#failed(error);
        }
  }

  /** A fault in one subscriber's code must not end the connection of all (on a device: of the whole machine). */
  #failed(error: unknown): void {
    this.#options.log?.("error", `MQTT: a subscriber failed: ${wordsOf(error)}`);
  }
}

/** Closes a client that may have closed itself already. */
function closeQuietly(client: MqttClientLike): void {
  try {
    client.close();
  } catch {
    // closed already
  }
}
