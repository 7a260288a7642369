/**
 * The `MqttConnection` port over the `mqtt` package.
 * @module
 */
import type { Duplex } from "node:stream";
import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { wordsOf } from "../../src/errors.js";
import type { Log, MqttConnection, MqttObserver, MqttSubscription, Random } from "../../src/ports.js";
import { deliverMessage } from "../mqtt/delivery.js";
import { PacketGuard } from "../mqtt/packet-guard.js";
import { Reconnect } from "../mqtt/reconnect.js";
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
  /** How long an acknowledgement is waited for until the connection is replaced, in ms; see `EcmaMqttOptions`. Default 30000. */
  ackTimeout?: number;
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
  readonly #reconnect: Reconnect;
  readonly #ackTimeout: number;
  readonly #log: Log | undefined;
  #online = false;
  /** Runs out when the connection counts as good. */
  #proof: NodeJS.Timeout | undefined;
  /** SUBSCRIBE and UNSUBSCRIBE packets without an answer. */
  #controlling = 0;
  /** Counts connections: what was asked on an earlier one is no matter of this one. */
  #session = 0;
  #closing = false;
  /** When a message arrived last. */
  #heardAt = 0;

  constructor({
    url,
    clientId,
    options,
    firstWait = 250,
    longestWait = 60_000,
    ackTimeout = 30_000,
    random = nodeRandom,
    log,
  }: NodeMqttOptions) {
    this.#reconnect = new Reconnect(firstWait, longestWait, random);
    this.#ackTimeout = ackTimeout;
    this.#log = log;
    this.#client = connect(url, {
      clean: true,
      keepalive: 60,
      connectTimeout: 30_000,
      ...options,
      clientId,
      reconnectPeriod: this.#reconnect.wait(),
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
    this.#client.on("error", (error) => {
      log?.("warn", `MQTT: ${error.message || (error as { code?: string }).code}`);
      // The package goes on listening to a peer whose bytes it could not read.
      if (this.#online) this.drop();
    });
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
    const answered = this.#expectAnswer(`a message on ${topic}`);
    this.#client.publish(topic, bytes, { qos }, (error) => {
      finished = true;
      answered();
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
      this.#client.unsubscribe(filter, this.#expectAnswer(`the end of ${filter}`, true));
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
    clearTimeout(this.#proof);
    // Ended while it connects, the package would connect again: with `manualConnect` it forgets that it was ended.
    this.#closing = true;
    this.#client.options.reconnectPeriod = 0;
    await this.#client.endAsync(abruptly);
  }

  /** Drops the connection as a bad link would; it comes back by itself. */
  drop(): void {
    this.#client.stream.destroy();
  }

  /**
   * A broker that answers pings alone would leave its subscribers deaf: without an answer, or other messages, the
   * connection is replaced.
   * @returns to be called with the answer
   */
  #expectAnswer(what: string, control = false): () => void {
    const session = this.#session;
    if (control) this.#controlling++;
    const overdue = () => {
      if (session !== this.#session) return;
      if (Date.now() - this.#heardAt < this.#ackTimeout) timer.refresh();
      else {
        this.#log?.("warn", `MQTT: no answer to ${what}`);
        this.drop();
      }
    };
    const timer = setTimeout(overdue, this.#ackTimeout).unref();
    return () => {
      clearTimeout(timer);
      if (control && session === this.#session) this.#controlling--;
    };
  }

  /** The connection counts as good once it has lasted, and everything asked for was answered. */
  #prove(): void {
    const proved = () => {
      if (this.#controlling) this.#prove();
      else this.#reconnect.proved();
      this.#client.options.reconnectPeriod = this.#reconnect.wait();
    };
    this.#proof = setTimeout(proved, this.#reconnect.proof).unref();
  }

  #connected(): void {
    this.#online = true;
    this.#heardAt = 0;
    this.#controlling = 0;
    this.#session++;
    this.#prove();
    for (const active of [...this.#active]) this.#request(active);
    for (const observer of [...this.#observers]) observer.online();
  }

  /** Runs for a lost connection and for each attempt that fails. The package has set its timer by now: the wait is the next one. */
  #closed(): void {
    clearTimeout(this.#proof);
    this.#session++;
    if (!this.#closing) {
      this.#reconnect.failed();
      this.#client.options.reconnectPeriod = this.#reconnect.wait();
    }
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
    const answered = this.#expectAnswer(`the subscription to ${filter}`, true);
    this.#client.subscribe(filter, { qos }, (cause) => {
      answered();
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

  /** A fault in one subscriber's code must not reach the others. */
  #deliver(subscription: MqttSubscription, topic: string, payload: Buffer): void {
    try {
      deliverMessage(subscription, topic, payload);
    } catch (error) {
      this.#log?.("error", `MQTT: a subscriber failed: ${wordsOf(error)}`);
    }
  }

  #message(topic: string, payload: Buffer): void {
    this.#heardAt = Date.now();
    // One that is called before may unsubscribe another.
    for (const active of [...this.#active])
      if (this.#active.includes(active) && topicMatches(active.subscription.filter, topic))
        this.#deliver(active.subscription, topic, payload);
  }
}
