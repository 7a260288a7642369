/**
 * The `MqttConnection` port over the host's connection.
 * @module
 */
import type { MqttConnection, MqttObserver, MqttSubscription } from "../../../src/ports.js";
import { deliverMessage } from "../../mqtt/delivery.js";
import { Call, type Reader, toUtf8, Writer } from "../wire.js";
import { call, callNumber } from "./engine.js";
import { xsLog } from "./ports.js";

type Done = (error?: Error) => void;

export class XsMqtt implements MqttConnection {
  connected = false;
  readonly #observers = new Set<MqttObserver>();
  readonly #subscriptions = new Map<number, { subscription: MqttSubscription; done: Done | undefined }>();
  readonly #publishes = new Map<number, Done>();
  #lastId = 0;

  publish(topic: string, payload: Uint8Array, qos: 0 | 1, done?: Done): void {
    const name = toUtf8(topic);
    const id = done ? ++this.#lastId : 0;
    if (done) this.#publishes.set(id, done);
    const message = new Writer(8 + name.length + payload.length).u8(Call.publish).u32(id).u8(qos);
    call(message.u16(name.length).bytes(name).bytes(payload).finish());
  }

  subscribe(subscription: MqttSubscription, done?: Done): void {
    const id = ++this.#lastId;
    this.#subscriptions.set(id, { subscription, done });
    const filter = toUtf8(subscription.filter);
    const message = new Writer(6 + filter.length).u8(Call.subscribe).u32(id).u8(subscription.qos);
    call(message.bytes(filter).finish());
  }

  unsubscribe(subscription: MqttSubscription): void {
    for (const [id, entry] of this.#subscriptions)
      if (entry.subscription === subscription) {
        this.#subscriptions.delete(id);
        callNumber(Call.unsubscribe, id);
        return;
      }
  }

  addObserver(observer: MqttObserver): void {
    this.#observers.add(observer);
  }

  removeObserver(observer: MqttObserver): void {
    this.#observers.delete(observer);
  }

  // What the host reports

  online(): void {
    this.connected = true;
    for (const observer of [...this.#observers]) observer.online();
  }

  offline(): void {
    this.connected = false;
    for (const observer of [...this.#observers]) observer.offline();
  }

  message(fields: Reader): void {
    const entry = this.#subscriptions.get(fields.u32());
    if (!entry) return;
    try {
      deliverMessage(entry.subscription, fields.text(), fields.bytes());
    } catch (error) {
      xsLog("error", `MQTT: a subscriber failed: ${(error as Error | undefined)?.message ?? error}`);
    }
  }

  published(fields: Reader): void {
    const id = fields.u32();
    const done = this.#publishes.get(id);
    this.#publishes.delete(id);
    done?.(asError(fields.rest()));
  }

  subscribed(fields: Reader): void {
    const entry = this.#subscriptions.get(fields.u32());
    if (!entry) return;
    const { done } = entry;
    entry.done = undefined;
    done?.(asError(fields.rest()));
  }
}

export function asError(text: string): Error | undefined {
  return text === "" ? undefined : new Error(text);
}
