/**
 * An MQTT connection that goes nowhere: what is published is recorded, what arrives comes from the test. Runs on
 * Node and on XS.
 * @module
 */
import { deliverMessage } from "../../hosts/mqtt/delivery.js";
import { topicMatches } from "../../hosts/mqtt/topic-filter.js";
import { decodeUtf8, encodeUtf8 } from "../../src/bytes.js";
import type { Clock, MqttConnection, MqttObserver, MqttSubscription } from "../../src/ports.js";

export interface Sent {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
}

export class FakeMqtt implements MqttConnection {
  connected = true;
  /** Everything published, oldest first, lost or not. */
  readonly sent: Sent[] = [];
  readonly subscriptions = new Set<MqttSubscription>();
  readonly observers = new Set<MqttObserver>();
  /** Told about every publication, subscription and its end. */
  onTraffic:
    | ((verb: "PUB" | "SUB" | "UNSUB", topic: string, qos: 0 | 1, payload: Uint8Array) => void)
    | undefined;
  /** Takes each message that leaves, when there is a service behind this connection. */
  onPublish: ((message: Sent) => void) | undefined;
  /** Answers a subscription with this error. */
  refuse: ((filter: string) => Error | undefined) | undefined;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  publish(topic: string, payload: Uint8Array, qos: 0 | 1, done?: (error?: Error) => void): void {
    const message = { topic, payload: payload.slice(), qos };
    this.sent.push(message);
    this.onTraffic?.("PUB", topic, qos, payload);
    const { connected } = this;
    this.#clock.set(() => {
      if (connected) this.onPublish?.(message);
      done?.(connected ? undefined : new Error("not connected"));
    }, 0);
  }

  subscribe(subscription: MqttSubscription, done?: (error?: Error) => void): void {
    this.subscriptions.add(subscription);
    this.onTraffic?.("SUB", subscription.filter, subscription.qos, new Uint8Array(0));
    const attempt = () => {
      if (!this.subscriptions.has(subscription)) return;
      if (!this.connected) this.#waiting.push(attempt);
      else done?.(this.refuse?.(subscription.filter));
    };
    this.#clock.set(attempt, 0);
  }
  #waiting: (() => void)[] = [];

  unsubscribe(subscription: MqttSubscription): void {
    if (!this.subscriptions.delete(subscription)) return;
    this.onTraffic?.("UNSUB", subscription.filter, subscription.qos, new Uint8Array(0));
  }

  addObserver(observer: MqttObserver): void {
    this.observers.add(observer);
  }

  removeObserver(observer: MqttObserver): void {
    this.observers.delete(observer);
  }

  /** The connection is lost. */
  drop(): void {
    this.connected = false;
    this.#clock.set(() => {
      for (const observer of [...this.observers]) observer.offline();
    }, 0);
  }

  /** The connection is back (or there for the first time). */
  restore(): void {
    this.connected = true;
    this.#clock.set(() => {
      for (const observer of [...this.observers]) observer.online();
      for (const attempt of this.#waiting.splice(0)) attempt();
    }, 0);
  }

  /** A message arrives now. @returns how many subscriptions it reached */
  deliver(topic: string, message: unknown): number {
    const payload =
      message instanceof Uint8Array
        ? message
        : encodeUtf8(typeof message === "string" ? message : JSON.stringify(message));
    const reached = [...this.subscriptions].filter(({ filter }) => topicMatches(filter, topic));
    for (const subscription of reached) deliverMessage(subscription, topic, payload);
    return reached.length;
  }

  /** What was published to topics that end with `suffix`, parsed as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of any shape
  json(suffix: string): any[] {
    return this.sent
      .filter(({ topic }) => topic.endsWith(suffix))
      .map(({ payload }) => JSON.parse(decodeUtf8(payload)));
  }
}
