/**
 * The `MqttConnection` port over the `mqtt` package.
 * @module
 */
import type { Duplex } from "node:stream";
import { connect, type IClientOptions, type MqttClient } from "mqtt";
import type { Log, MqttConnection, MqttObserver, MqttSubscription, Random } from "../../src/ports.js";
import { deliverMessage } from "../mqtt/delivery.js";
import { PacketGuard } from "../mqtt/packet-guard.js";
import { topicMatches } from "../mqtt/topic-filter.js";
import { nodeRandom } from "./clock.js";

export interface NodeMqttOptions {
  /** `mqtt://host:port`, `mqtts://…`, `ws://…` */
  url: string;
  clientId: string;
  /** User, password, TLS material and the like, as the `mqtt` package takes them. */
  options?: Omit<IClientOptions, "clientId" | "reconnectPeriod" | "resubscribe" | "queueQoSZero">;
  /** First wait before connecting again, in ms; doubles up to `longestWait`, and is shortened by up to half at random. */
  firstWait?: number;
  longestWait?: number;
  random?: Random;
  log?: Log;
}

interface Active {
  readonly subscription: MqttSubscription;
  done: ((error?: Error) => void) | undefined;
  /** The broker has granted it before. */
  granted?: boolean;
}

/** Wait before a subscription that was granted before and is refused now is asked for again, milliseconds. */
const RENEW_MS = 30_000;

type Done = (error?: Error) => void;

export class NodeMqttConnection implements MqttConnection {
  readonly #client: MqttClient;
  readonly #active: Active[] = [];
  readonly #observers = new Set<MqttObserver>();
  /** Messages that wait for their acknowledgement, by packet id. */
  readonly #unacknowledged = new Set<number>();
  readonly #random: Random;
  readonly #firstWait: number;
  readonly #longestWait: number;
  readonly #log: Log | undefined;
  #failures = 0;
  #online = false;

  constructor({
    url,
    clientId,
    options,
    firstWait = 250,
    longestWait = 60_000,
    random,
    log,
  }: NodeMqttOptions) {
    this.#random = random ?? nodeRandom;
    this.#firstWait = firstWait;
    this.#longestWait = longestWait;
    this.#log = log;
    this.#client = connect(url, {
      clean: true,
      keepalive: 60,
      connectTimeout: 30_000,
      ...options,
      clientId,
      reconnectPeriod: this.#wait(),
      reconnectOnConnackError: true,
      resubscribe: false,
      queueQoSZero: false,
      manualConnect: true,
    });
    // The package has no limit for packets of MQTT 3.1.1, and no way for one but the function that makes its streams.
    const streams = this.#client as unknown as { streamBuilder: (client: MqttClient) => Duplex };
    const build = streams.streamBuilder;
    streams.streamBuilder = (client) => {
      const stream = build(client);
      const guard = new PacketGuard();
      stream.on("data", (chunk: Uint8Array) => {
        try {
          guard.pass(chunk);
        } catch (error) {
          stream.destroy(error as Error);
        }
      });
      return stream;
    };
    this.#client.on("connect", () => this.#connected());
    this.#client.on("close", () => this.#closed());
    this.#client.on("error", (error) =>
      log?.("warn", `MQTT: ${error.message || (error as { code?: string }).code}`),
    );
    this.#client.on("message", (topic, payload) => this.#message(topic, payload));
    this.#client.connect();
  }

  get connected(): boolean {
    return this.#online;
  }

  publish(topic: string, payload: Uint8Array, qos: 0 | 1, done?: Done): void {
    if (!this.#online) {
      if (done) setImmediate(done, new Error("not connected"));
      return;
    }
    let id = 0;
    let finished = false;
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    this.#client.publish(topic, bytes, { qos }, (error) => {
      finished = true;
      this.#unacknowledged.delete(id);
      if (done) setImmediate(done, error ?? undefined);
    });
    if (qos === 1 && !finished) {
      id = this.#client.getLastMessageId();
      this.#unacknowledged.add(id);
    }
  }

  subscribe(subscription: MqttSubscription, done?: Done): void {
    const active = { subscription, done };
    this.#active.push(active);
    if (this.#online) this.#request(active);
  }

  unsubscribe(subscription: MqttSubscription): void {
    const index = this.#active.findIndex((active) => active.subscription === subscription);
    if (index < 0) return;
    this.#active.splice(index, 1);
    const { filter } = subscription;
    if (this.#online && !this.#active.some((active) => active.subscription.filter === filter))
      this.#client.unsubscribe(filter, () => {});
  }

  addObserver(observer: MqttObserver): void {
    this.#observers.add(observer);
  }

  removeObserver(observer: MqttObserver): void {
    this.#observers.delete(observer);
  }

  /** Disconnects for good. `abruptly`: without a DISCONNECT, as when the power fails. */
  async close(abruptly = false): Promise<void> {
    this.#active.length = 0;
    this.#observers.clear();
    await this.#client.endAsync(abruptly);
  }

  /** Drops the connection as a bad link would; it comes back by itself. */
  drop(): void {
    this.#client.stream.destroy();
  }

  #wait(): number {
    return reconnectWait(this.#failures, this.#firstWait, this.#longestWait, this.#random);
  }

  #connected(): void {
    this.#online = true;
    this.#failures = 0;
    this.#client.options.reconnectPeriod = this.#wait();
    for (const active of [...this.#active]) this.#request(active);
    for (const observer of [...this.#observers]) observer.online();
  }

  /** Runs for a lost connection and for each attempt that fails. The package has set its timer by now: the wait is the next one. */
  #closed(): void {
    this.#failures++;
    this.#client.options.reconnectPeriod = this.#wait();
    // The package would send these once more after connecting; to the caller they have failed.
    for (const id of [...this.#unacknowledged]) this.#client.removeOutgoingMessage(id);
    this.#unacknowledged.clear();
    if (!this.#online) return;
    this.#online = false;
    for (const observer of [...this.#observers]) observer.offline();
  }

  #request(active: Active): void {
    const { filter } = active.subscription;
    const same = this.#active.filter((other) => other.subscription.filter === filter);
    const qos = same.some((other) => other.subscription.qos === 1) ? 1 : 0;
    this.#client.subscribe(filter, { qos }, (cause) => {
      if (!this.#active.includes(active)) return;
      if (cause && !this.#online) return; // renewed on the next connection
      const { done } = active;
      active.done = undefined;
      const error = cause ? new Error(`subscription to ${filter} refused: ${cause.message}`) : undefined;
      if (error) this.#log?.("warn", `MQTT: ${error.message}`);
      if (done) setImmediate(done, error);
      // Whoever was granted it once does not hear of this: without it the subscriber would be deaf from now on.
      if (error && active.granted) setTimeout(() => this.#renew(active), RENEW_MS).unref();
      else active.granted = !error;
    });
  }

  #renew(active: Active): void {
    if (this.#online && this.#active.includes(active)) this.#request(active);
  }

  #message(topic: string, payload: Buffer): void {
    for (const { subscription } of [...this.#active])
      if (topicMatches(subscription.filter, topic)) deliverMessage(subscription, topic, payload);
  }
}

/** The wait before connecting again after so many failures in a row, in ms: exponential, with jitter. */
export function reconnectWait(failures: number, first: number, longest: number, random: Random): number {
  return Math.ceil(Math.min(longest, first * 2 ** Math.min(failures, 20)) * (1 - random() / 2));
}
