/**
 * A bad network between a device and its broker, for messages on some topics: loses and delays them, in both
 * directions.
 * @module
 */
import type { Clock, MqttConnection, MqttObserver, MqttSubscription, Random } from "../../src/ports.js";
import { deliverMessage } from "../mqtt/delivery.js";

export interface LossyOptions {
  /** Share of the messages that get lost, 0 to 1. */
  readonly loss: number;
  /** Delay of each message in ms: half of the round-trip it adds. */
  readonly delayMs: number;
  /** Which messages: their topics. */
  affects(topic: string): boolean;
  readonly clock: Clock;
  readonly random: Random;
}

export class LossyMqtt implements MqttConnection {
  /** Messages lost so far. */
  lost = 0;
  readonly #mqtt: MqttConnection;
  readonly #options: LossyOptions;
  /** What the caller subscribed with, and what stands for it. */
  readonly #subscriptions = new Map<MqttSubscription, MqttSubscription>();

  constructor(mqtt: MqttConnection, options: LossyOptions) {
    this.#mqtt = mqtt;
    this.#options = options;
  }

  get connected(): boolean {
    return this.#mqtt.connected;
  }

  publish(topic: string, payload: Uint8Array, qos: 0 | 1, done?: (error?: Error) => void): void {
    if (!this.#options.affects(topic)) return this.#mqtt.publish(topic, payload, qos, done);
    const { clock, delayMs } = this.#options;
    const copy = payload.slice();
    // To the sender a message that gets lost further on is written.
    if (done) clock.set(() => done(), 0);
    if (!this.#loses()) clock.set(() => this.#mqtt.publish(topic, copy, qos), delayMs);
  }

  subscribe(subscription: MqttSubscription, done?: (error?: Error) => void): void {
    const { filter, qos } = subscription;
    const through: MqttSubscription = {
      ...{ filter, qos },
      message: (topic, payload) => {
        if (!this.#options.affects(topic)) return deliverMessage(subscription, topic, payload);
        if (this.#loses()) return;
        const copy = payload.slice();
        this.#options.clock.set(() => {
          if (this.#subscriptions.get(subscription) === through) deliverMessage(subscription, topic, copy);
        }, this.#options.delayMs);
      },
    };
    this.#subscriptions.set(subscription, through);
    this.#mqtt.subscribe(through, done);
  }

  unsubscribe(subscription: MqttSubscription): void {
    const through = this.#subscriptions.get(subscription);
    this.#subscriptions.delete(subscription);
    if (through) this.#mqtt.unsubscribe(through);
  }

  addObserver(observer: MqttObserver): void {
    this.#mqtt.addObserver(observer);
  }

  removeObserver(observer: MqttObserver): void {
    this.#mqtt.removeObserver(observer);
  }

  #loses(): boolean {
    const lost = this.#options.random() < this.#options.loss;
    if (lost) this.lost++;
    return lost;
  }
}
