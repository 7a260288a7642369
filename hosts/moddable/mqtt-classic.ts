/**
 * The `MqttConnection` port over an instance of the SDK's classic `mqtt` client, for those who have one already.
 * Its limits remain: QoS 0 only, in both directions; whole messages are assembled in memory before they arrive
 * here; a message that does not fit the socket's buffer at once (1 KB on the host simulator, about 8 KB on
 * ESP32, less over TLS) is refused; there is no acknowledgement of subscriptions, and no reconnection: the owner
 * makes a new client and hands it to `attach`. The owner's callbacks stay in force.
 * @module
 */
import type { Clock, MqttConnection, MqttObserver, MqttSubscription } from "../../src/ports.js";
import { topicMatches } from "../mqtt/topic-filter.js";

/** Wait for room in the socket before a subscription is asked for again, milliseconds. */
const SUBSCRIBE_RETRY_MS = 500;

type Done = (error?: Error) => void;

/** The part of the classic client that is used. */
export interface ClassicMqttClient {
  /** 2 or more: connected. Less: it is closed, which the client itself tells nobody when its owner does it. */
  readonly state?: number;
  onReady?: () => void;
  onMessage?: (topic: string, payload: ArrayBuffer) => void;
  onClose?: () => void;
  publish(topic: string, payload: ArrayBuffer): void;
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
}

export class ClassicMqttConnection implements MqttConnection {
  readonly #clock: Clock;
  readonly #foreign: ((topic: string, payload: ArrayBuffer) => void) | undefined;
  #client: ClassicMqttClient | undefined;
  #online = false;
  #subscriptions: MqttSubscription[] = [];
  #observers: MqttObserver[] = [];
  /** Clients whose callbacks are shared already. */
  readonly #shared = new WeakSet<ClassicMqttClient>();

  /** @param foreign told about messages nobody has subscribed to here */
  constructor(clock: Clock, foreign?: (topic: string, payload: ArrayBuffer) => void) {
    this.#clock = clock;
    this.#foreign = foreign;
  }

  get connected(): boolean {
    return this.#online;
  }

  /**
   * Takes a client into use, in place of the one before. Its callbacks are shared: those its owner has set, and those he
   * sets later, are called after the ones here, `onMessage` with every message.
   * @param ready true when the client has called `onReady` already
   */
  attach(client: ClassicMqttClient, ready = false): void {
    this.#lost();
    this.#client = client;
    if (!this.#shared.has(client)) {
      this.#shared.add(client);
      const current = () => client === this.#client;
      share(client, "onReady", () => current() && this.#ready());
      share(client, "onClose", () => current() && this.#lost());
      share(client, "onMessage", (topic, payload) => current() && this.#message(topic, payload));
    }
    if (ready) this.#clock.set(() => client === this.#client && this.#ready(), 0);
  }

  publish(topic: string, payload: Uint8Array, _qos: 0 | 1, done?: Done): void {
    let failure: Error | undefined;
    try {
      if (!this.#online) throw new Error("not connected");
      // The client sends a view as text: "1,2,3".
      this.#client?.publish(topic, payload.slice().buffer as ArrayBuffer);
    } catch (error) {
      failure = error as Error;
      if ((this.#client?.state ?? 2) < 2) this.#lost();
    }
    if (done) this.#clock.set(() => done(failure), 0);
  }

  subscribe(subscription: MqttSubscription, done?: Done): void {
    this.#subscriptions.push(subscription);
    this.#request(subscription.filter);
    if (done) this.#clock.set(() => done(), 0);
  }

  unsubscribe(subscription: MqttSubscription): void {
    const rest = this.#subscriptions.filter((other) => other !== subscription);
    if (rest.length === this.#subscriptions.length) return;
    this.#subscriptions = rest;
    if (!this.#online || rest.some(({ filter }) => filter === subscription.filter)) return;
    try {
      this.#client?.unsubscribe(subscription.filter);
    } catch {
      // No room to say so: its messages are ignored.
    }
  }

  addObserver(observer: MqttObserver): void {
    this.#observers = [...this.#observers, observer];
  }

  removeObserver(observer: MqttObserver): void {
    this.#observers = this.#observers.filter((other) => other !== observer);
  }

  #ready(): void {
    if (this.#online) return;
    this.#online = true;
    for (const subscription of this.#subscriptions) this.#request(subscription.filter);
    for (const observer of this.#observers) observer.online();
  }

  #lost(): void {
    this.#client = undefined;
    if (!this.#online) return;
    this.#online = false;
    this.#clock.set(() => {
      for (const observer of this.#observers) observer.offline();
    }, 0);
  }

  #request(filter: string): void {
    if (!this.#online || !this.#subscriptions.some((other) => other.filter === filter)) return;
    try {
      this.#client?.subscribe(filter);
    } catch {
      // No room now: once more when the socket has had time to drain.
      this.#clock.set(() => this.#request(filter), SUBSCRIBE_RETRY_MS);
    }
  }

  #message(topic: string, payload: ArrayBuffer): void {
    const bytes = new Uint8Array(payload);
    let known = false;
    for (const subscription of this.#subscriptions) {
      // One that was called before may have unsubscribed another.
      if (!this.#subscriptions.includes(subscription) || !topicMatches(subscription.filter, topic)) continue;
      known = true;
      try {
        this.#deliver(subscription, topic, bytes);
      } catch {
        // A fault of one subscriber must reach neither the others nor the native client.
      }
    }
    if (!known) this.#foreign?.(topic, payload);
  }

  #deliver(subscription: MqttSubscription, topic: string, bytes: Uint8Array): void {
    if (!subscription.buffer) return subscription.message(topic, bytes);
    const own = subscription.buffer(topic, bytes.length);
    if (!own || own.length < bytes.length) return;
    own.set(bytes);
    subscription.message(topic, own.subarray(0, bytes.length));
  }
}

type Callbacks = Required<Pick<ClassicMqttClient, "onReady" | "onMessage" | "onClose">>;

/** Has the client call `own`, then whatever its owner wants called. */
function share<K extends keyof Callbacks>(client: ClassicMqttClient, name: K, own: Callbacks[K]): void {
  let theirs = client[name] as ((...values: unknown[]) => void) | undefined;
  const both = (...values: Parameters<Callbacks[K]>) => {
    (own as (...values: unknown[]) => void)(...values);
    theirs?.call(client, ...values);
  };
  Object.defineProperty(client, name, {
    configurable: true,
    enumerable: true,
    get: () => both,
    set: (callback: typeof theirs) => {
      theirs = callback;
    },
  });
}
