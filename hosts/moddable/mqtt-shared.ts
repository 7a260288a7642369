/**
 * One ECMA-419 MQTT client (`embedded:network/mqtt/client`) for the application, which makes it and owns it, and for the
 * agent. A module of its own (`xs-ota-agent/mqtt-shared`), for products that have such a client already; what stands on
 * one, like the SDK's `mqtt/js`, shares it in the same way.
 *
 * The application makes its clients from the class it gets here, with its own callbacks, and connects again as it always
 * did. Each message goes to one of the two: to the agent's side when that has subscribed to its topic, else to the
 * application. Packet ids from 0xc000 on are the agent's. Packets never mix: while one side's message is written in pieces, the
 * other one's packets wait.
 * @module
 */
import type { Clock, Log, MqttConnection, Random } from "../../src/ports.js";
import {
  type MqttClientConstructor,
  type MqttClientLike,
  type MqttClientOptions,
  type MqttControl,
  MqttOperation,
  type MqttReadable,
  type MqttWriteOptions,
} from "../mqtt/mqtt-client.js";
import { EcmaMqttConnection, type EcmaMqttOptions } from "../mqtt/mqtt-connection.js";
import { topicMatches } from "../mqtt/topic-filter.js";
import { ModdableClock } from "./clock.js";
import { traceLog } from "./log.js";

/** First of the packet ids that are the agent's; there are as many more. */
const FIRST_ID = 0xc000;
const IDS = 0x3fff;
/** Bytes of the application's packets that may wait until the agent's message has been written. */
const MOST_WAITING = 8_192;
/** Bytes read at a time of a message nobody takes. */
const DISCARD = 256;
/** The application connects when it likes: the agent's side waits for that as long as a timer can (milliseconds). */
const FOREVER = 0x3fffffff;

type Data = ArrayBufferLike | ArrayBufferView | null;
/** The methods as they are called here: an application writes whatever buffers it likes. */
interface Methods {
  write(data: Data, options?: MqttWriteOptions): number;
  read(into?: unknown): unknown;
  close(): void;
}

export interface SharedMqtt<B> {
  /** In place of the class it was made of. */
  readonly Client: B;
  /** For the agent, and whoever else wants a connection that looks after itself. Closing it leaves the client alone. */
  readonly mqtt: MqttConnection & { close(): void };
}

export interface ShareOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  /** Acknowledgements, retries and queue: see `EcmaMqttOptions`. */
  readonly tuning?: Partial<Pick<EcmaMqttOptions, "ackTimeout" | "retries" | "queueLength" | "maxMessage">>;
}

/**
 * @param Base class of the client, such as the SDK's
 * @returns a class to make the application's clients of, the last one of which is shared, and the connection over it
 */
export function shareMqtt<B extends new (options: never) => object>(
  Base: B,
  options: ShareOptions = {},
): SharedMqtt<B> {
  const { clock = new ModdableClock(), random = Math.random, log = traceLog, tuning } = options;
  const hub = new Hub(clock);
  const Own = Base as unknown as MqttClientConstructor;
  class Client extends Own {
    readonly #link: Link;
    constructor(theirs: MqttClientOptions) {
      const link = new Link(hub, theirs, Own.prototype as unknown as Methods);
      super(link.callbacks());
      this.#link = link;
      link.client = this;
    }
    override write(data: Data, message?: MqttWriteOptions): number {
      return this.#link.write(data, message);
    }
    override close(): void {
      this.#link.close();
    }
  }
  const mqtt = new SharedConnection(hub, {
    ...tuning,
    Client: class extends AgentClient {
      constructor(callbacks: MqttClientOptions) {
        super(hub, callbacks);
      }
    },
    client: {} as MqttClientOptions,
    clock,
    random,
    log,
    firstWait: 100,
    longestWait: 1_000,
    connectTimeout: FOREVER,
  });
  return { Client: Client as unknown as B, mqtt };
}

class SharedConnection extends EcmaMqttConnection {
  readonly #hub: Hub;

  constructor(hub: Hub, options: EcmaMqttOptions) {
    super(options);
    this.#hub = hub;
  }

  override close(): void {
    this.#hub.closed = true;
    super.close();
  }
}

/** Where the two sides meet. */
class Hub {
  /** To the client made last. */
  link: Link | undefined;
  agent: AgentClient | undefined;
  /** The agent's side has ended for good. */
  closed = false;

  constructor(readonly clock: Clock) {}
}

/** What the agent's connection takes for its client. */
class AgentClient implements MqttClientLike {
  readonly callbacks: MqttClientOptions;
  readonly #hub: Hub;
  #link: Link | undefined;
  /** The connection's packet ids by those on the wire. */
  readonly #ids = new Map<number, number>();

  constructor(hub: Hub, callbacks: MqttClientOptions) {
    this.#hub = hub;
    this.callbacks = callbacks;
    hub.agent = this;
    hub.clock.set(() => this.begin(), 0);
  }

  get writable(): number {
    return this.#link?.free ?? 0;
  }

  /** The application's client is connected, or will call again when it is. */
  begin(): void {
    const { link, agent } = this.#hub;
    if (agent !== this || this.#link || !link?.online) return;
    this.#link = link;
    this.callbacks.onControl?.({ operation: MqttOperation.CONNACK, returnCode: 0 });
    this.callbacks.onWritable?.(link.free);
  }

  /** An acknowledgement. @returns false when it is not for the agent */
  control(message: MqttControl): boolean {
    const id = this.#ids.get(message.id ?? 0);
    if (id === undefined) return false;
    this.#ids.delete(message.id ?? 0);
    this.callbacks.onControl?.({ ...message, id });
    return true;
  }

  lost(error: unknown): void {
    if (this.#hub.agent === this) this.#hub.agent = undefined;
    this.#link = undefined;
    this.callbacks.onError?.(error);
  }

  write(data: Uint8Array | null, options?: MqttWriteOptions): number {
    if (!this.#link) throw new Error("closed");
    let message = options;
    if (options?.id !== undefined) {
      const id = FIRST_ID + (options.id % IDS);
      this.#ids.set(id, options.id);
      message = { ...options, id };
    }
    return this.#link.writeAgent(data, message);
  }

  read(into: Uint8Array): unknown {
    return this.#link?.read(into);
  }

  /** The agent's side has no use for this connection any more: it stays the application's, or is one that has failed. */
  close(): void {
    const link = this.#link;
    this.#link = undefined;
    if (this.#hub.agent === this) this.#hub.agent = undefined;
    if (!this.#hub.closed) link?.fail(new Error("replaced"));
  }
}

/** One client of the application, and what both sides do with it. */
class Link {
  client: MqttClientLike | undefined;
  online = false;
  readonly #hub: Hub;
  readonly #theirs: MqttClientOptions;
  readonly #methods: Methods;
  /** Bytes the client takes now. */
  #room = 0;
  /** Bytes that have to follow of a message of the application, and of one of the agent. */
  #owed = 0;
  #mine = 0;
  /** The application was told of room that the agent has taken since. */
  #borrowed = false;
  #waiting: { readonly data: Data; readonly options?: MqttWriteOptions }[] = [];
  /** Topics the agent's side has asked for. */
  #filters: string[] = [];
  /** The message being received is the agent's. */
  #forAgent = false;

  constructor(hub: Hub, theirs: MqttClientOptions, methods: Methods) {
    this.#hub = hub;
    this.#theirs = theirs;
    this.#methods = methods;
    hub.link?.drop(new Error("another client"));
    hub.link = this;
  }

  /** The application's options with the callbacks of both. */
  callbacks(): MqttClientOptions {
    return {
      ...this.#theirs,
      onReadable: (count, options) => this.#onReadable(count, options),
      onWritable: (count) => this.#onWritable(count),
      onControl: (message) => this.#onControl(message),
      onError: (error) => {
        this.drop(error);
        this.#theirs.onError?.call(this.client, error);
      },
    };
  }

  /** Bytes the agent may write now. */
  get free(): number {
    const theirs = this.#owed || (this.#waiting.length && !this.#mine);
    return this.online && !theirs ? this.#room : 0;
  }

  /** The agent's side has lost this client. */
  drop(error: unknown): void {
    const { agent, link } = this.#hub;
    const online = this.online;
    this.online = false;
    this.#waiting = [];
    if (online && link === this) agent?.lost(error);
  }

  /** Ends the connection as a failure of the client would: the application connects again. */
  fail(error: Error): void {
    if (!this.online) return;
    this.online = false;
    this.#waiting = [];
    if (this.client) this.#methods.close.call(this.client);
    this.#theirs.onError?.call(this.client, error);
  }

  /** The application closes its client. */
  close(): void {
    this.#methods.close.call(this.client);
    // In a turn of its own: nothing calls back from inside the call that asked.
    this.#hub.clock.set(() => this.drop(new Error("closed by the application")), 0);
  }

  read(into: Uint8Array): unknown {
    return this.#methods.read.call(this.client, into);
  }

  writeAgent(data: Uint8Array | null, options?: MqttWriteOptions): number {
    this.#room = this.#methods.write.call(this.client, data, options);
    this.#borrowed = true;
    this.#mine = remaining(this.#mine, data, options);
    const { operation, items = [] } = options ?? {};
    for (const { topic } of items) {
      this.#filters = this.#filters.filter((filter) => filter !== topic);
      if (operation === MqttOperation.SUBSCRIBE) this.#filters.push(topic);
    }
    return this.free;
  }

  /** As the client's own, for the application. @throws Error as the client does */
  write(data: Data, options?: MqttWriteOptions): number {
    if (this.online && (this.#mine || this.#waiting.length)) return this.#keep(data, options);
    try {
      this.#room = this.#methods.write.call(this.client, data, options);
    } catch (error) {
      // He was told of more room than the agent has left.
      if (!(this.online && this.#borrowed)) throw error;
      return this.#keep(data, options);
    }
    this.#owed = remaining(this.#owed, data, options);
    return this.#room;
  }

  /** Keeps a packet of the application until there is room. @returns 0: nothing more now */
  #keep(data: Data, options?: MqttWriteOptions): number {
    let bytes = data?.byteLength ?? 0;
    for (const { data: other } of this.#waiting) bytes += other?.byteLength ?? 0;
    if (bytes > MOST_WAITING || this.#waiting.length >= 32) throw new Error("overflow");
    this.#waiting.push({ data: copy(data), options: options && { ...options } });
    return 0;
  }

  #onWritable(count: number): void {
    this.#room = count;
    const { agent } = this.#hub;
    // A message that was begun comes to its end before any other packet.
    if (this.#mine) agent?.callbacks.onWritable?.(this.free);
    if (this.#mine) return;
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      try {
        this.#room = this.#methods.write.call(this.client, next.data, next.options);
      } catch {
        return; // no room yet
      }
      this.#owed = remaining(this.#owed, next.data, next.options);
      this.#waiting.shift();
    }
    this.#borrowed = false;
    if (this.#room) this.#theirs.onWritable?.call(this.client, this.#room);
    if (this.free && this.#hub.link === this) agent?.callbacks.onWritable?.(this.free);
  }

  #onControl(message: MqttControl): void {
    const { agent, link } = this.#hub;
    const theirs = () => this.#theirs.onControl?.call(this.client, message);
    if (message.operation === MqttOperation.CONNACK) {
      this.online = !message.returnCode;
      theirs();
      if (this.online && link === this) agent?.begin();
    } else if (link !== this || !agent?.control(message)) theirs();
  }

  #onReadable(count: number, options: MqttReadable): void {
    const { topic } = options;
    if (topic !== undefined) this.#forAgent = this.#filters.some((filter) => topicMatches(filter, topic));
    const { agent, link } = this.#hub;
    if (!this.#forAgent && this.#theirs.onReadable)
      return this.#theirs.onReadable.call(this.client, count, options);
    if (this.#forAgent && link === this && agent) return agent.callbacks.onReadable?.(count, options);
    for (let left = count; left > 0; left -= DISCARD) this.read(new Uint8Array(Math.min(left, DISCARD)));
  }
}

/** Bytes that have to follow once `data` has been written. */
function remaining(before: number, data: Data, options?: MqttWriteOptions): number {
  // The client writes its own acknowledgements and pings by the same method, with the length of the packet.
  if (options?.operation && options.operation !== MqttOperation.PUBLISH) return before;
  const length = data?.byteLength ?? 0;
  return (options ? (options.byteLength ?? length) : before) - length;
}

function copy(data: Data): Data {
  if (!data) return data;
  const view = ArrayBuffer.isView(data);
  return (
    view ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data)
  ).slice();
}
