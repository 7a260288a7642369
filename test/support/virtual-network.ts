/**
 * An MQTT network in virtual time: one broker, any number of devices, each behind a link of its own with
 * latency, bandwidth, loss, duplication and reordering. Pure: runs on Node and on XS.
 * @module
 */
import { deliverMessage } from "../../hosts/mqtt/delivery.js";
import { topicMatches } from "../../hosts/mqtt/topic-filter.js";
import type { MqttConnection, MqttObserver, MqttSubscription } from "../../src/ports.js";
import type { VirtualClock, VirtualEvent, VirtualTime } from "./virtual-clock.js";

/** What lies between a device and the broker; the same both ways unless said. */
export interface Link {
  /** Round trip of an empty link, milliseconds. */
  rtt: number;
  /** Each message takes up to this much longer, milliseconds. */
  jitter?: number;
  /** Bytes a second; unlimited when left out. */
  bandwidth?: number;
  upBandwidth?: number;
  /** Probability that a QoS 0 message is lost, after it has used the link. QoS 1 is lost with the connection only. */
  loss?: number;
  /** Probability that a QoS 0 message arrives twice. */
  duplicate?: number;
  /** Probability that a QoS 0 message is overtaken by what is sent within `reorderMs` after it. */
  reorder?: number;
  reorderMs?: number;
  /**
   * Probability that a QoS 0 message is overtaken by the next 1 to `overtakeBy` (8) ones; what nothing follows arrives
   * `OVERTAKEN_MS` late.
   */
  overtake?: number;
  overtakeBy?: number;
  /**
   * Gilbert-Elliott: a share `loss` of the time, for `ms` at a time on the average, the link is bad and loses all QoS 0
   * messages in either direction.
   */
  burst?: { loss: number; ms: number };
  /** Bytes that are held back until as many have come, or nothing follows: what is sent meanwhile makes the next lump. */
  lump?: number;
}

/** How late a message is that is to be overtaken when nothing comes to do so, milliseconds. */
const OVERTAKEN_MS = 50;

/** What went over a link, as MQTT packets (3.1.1 §3.3): fixed header, topic, payload. */
export interface Traffic {
  messages: number;
  bytes: number;
  lost: number;
}

/** As the adapters do. */
const RENEW_MS = 30_000;
const ACK_MS = 10_000;
const RETRIES = 2;

/** A message that waits for others to pass it. */
interface Overtaken {
  left: number;
  event: VirtualEvent;
  readonly arrived: () => void;
}

/** Whether a link is good or bad, for both of its directions. */
class Weather {
  #bad = false;
  #until = 0;
  readonly #burst: { loss: number; ms: number };
  readonly #random: () => number;

  constructor(burst: { loss: number; ms: number }, random: () => number) {
    this.#burst = burst;
    this.#random = random;
  }

  isBad(now: number): boolean {
    const { loss, ms } = this.#burst;
    while (this.#until <= now) {
      this.#bad = this.#until === 0 ? false : !this.#bad;
      const mean = this.#bad ? ms : (ms * (1 - loss)) / loss;
      this.#until += -Math.log(1 - this.#random()) * mean + Number.MIN_VALUE;
    }
    return this.#bad;
  }
}

/** One direction of a link. */
class Lane {
  readonly traffic: Traffic = { messages: 0, bytes: 0, lost: 0 };
  #free = 0;
  #last = 0;
  #overtaken: Overtaken[] = [];
  /** The lump that takes what is sent now: it begins when the one before it ends. */
  #lump: { begin: number; bytes: number; messages: (() => void)[] } | undefined;

  /** Carries a message, or loses it; `deliver` arranges for its arrival. */
  carry(
    link: Link,
    bandwidth: number,
    now: number,
    time: VirtualTime,
    size: number,
    qos: 0 | 1,
    random: () => number,
    weather: Weather | undefined,
    deliver: (at: number) => void,
  ): void {
    if (qos === 0 && weather?.isBad(now)) {
      this.traffic.lost++;
      // It has used the link all the same.
      this.arrivals({ ...link, loss: 0 }, bandwidth, now, size, 1, random);
      return;
    }
    if (link.lump && bandwidth) {
      this.traffic.messages++;
      this.traffic.bytes += size;
      this.#collect(link.lump, bandwidth, time, size, () => deliver(time.now + link.rtt / 2));
      return;
    }
    for (const at of this.arrivals(link, bandwidth, now, size, qos, random)) {
      if (qos === 0 && link.overtake && random() < link.overtake) {
        const left = 1 + Math.floor(random() * (link.overtakeBy ?? 8));
        const overtaken: Overtaken = {
          left,
          arrived: () => deliver(time.now),
          event: time.at(at + OVERTAKEN_MS, () => {
            this.#overtaken.splice(this.#overtaken.indexOf(overtaken), 1);
            overtaken.arrived();
          }),
        };
        this.#overtaken.push(overtaken);
      } else if (link.overtake && this.#overtaken.length > 0) {
        const passed = [...this.#overtaken];
        time.at(at, () => {
          deliver(time.now);
          for (const message of passed) this.#pass(message, time);
        });
      } else deliver(at);
    }
  }

  #pass(message: Overtaken, time: VirtualTime): void {
    const place = this.#overtaken.indexOf(message);
    if (place < 0 || --message.left > 0) return;
    this.#overtaken.splice(place, 1);
    time.cancel(message.event);
    message.arrived();
  }

  /** Adds a message to the lump that is being collected, as a sender does that reads what there is, waits, and writes it. */
  #collect(most: number, bandwidth: number, time: VirtualTime, size: number, arrived: () => void): void {
    let lump = this.#lump;
    if (!lump || lump.bytes + size > most || lump.begin < time.now) {
      const begin = Math.max(time.now, this.#free);
      lump = this.#lump = { begin, bytes: 0, messages: [] };
      const { messages } = lump;
      // What is sent in the same instant belongs to it.
      const reserve = lump;
      time.at(begin, () => {
        const end = begin + (reserve.bytes * 1000) / bandwidth;
        if (this.#lump === reserve) this.#lump = undefined;
        this.#free = Math.max(this.#free, end);
        time.at(end, () => {
          for (const message of messages) message();
        });
      });
    }
    lump.bytes += size;
    this.#free = Math.max(this.#free, lump.begin + (lump.bytes * 1000) / bandwidth);
    lump.messages.push(arrived);
  }

  /** When the copies of a message sent at `now` arrive; none when it is lost. */
  arrivals(
    link: Link,
    bandwidth: number,
    now: number,
    size: number,
    qos: 0 | 1,
    random: () => number,
  ): number[] {
    const { traffic } = this;
    traffic.messages++;
    traffic.bytes += size;
    this.#free = Math.max(now, this.#free) + (bandwidth ? (size * 1000) / bandwidth : 0);
    let arrival = this.#free + link.rtt / 2 + (link.jitter ? link.jitter * random() : 0);
    if (qos === 0) {
      if (link.loss && random() < link.loss) {
        traffic.lost++;
        return [];
      }
      if (link.reorder && random() < link.reorder) return [arrival + (link.reorderMs ?? link.rtt) * random()];
    }
    arrival = this.#last = Math.max(arrival, this.#last);
    return qos === 0 && link.duplicate && random() < link.duplicate ? [arrival, arrival] : [arrival];
  }
}

function packetLength(topic: string, payload: Uint8Array, qos: 0 | 1): number {
  const rest = 2 + topic.length + 2 * qos + payload.length;
  return 1 + (rest < 128 ? 1 : rest < 16384 ? 2 : 3) + rest;
}

export class VirtualBroker {
  readonly time: VirtualTime;
  readonly random: () => number;
  /** Everything devices publish, as the service behind the broker sees it. */
  onMessage: ((topic: string, payload: Uint8Array, qos: 0 | 1, from: VirtualMqtt) => void) | undefined;
  /** Asked for every message to a device; true loses it. */
  drop: ((topic: string, payload: Uint8Array, to: VirtualMqtt) => boolean) | undefined;
  readonly #clients = new Set<VirtualMqtt>();

  constructor(time: VirtualTime, random: () => number) {
    this.time = time;
    this.random = random;
  }

  /** A device's connection over `link`, which may be changed later. Online at once. */
  connect(clock: VirtualClock, link: Link): VirtualMqtt {
    const client = new VirtualMqtt(this, clock, link);
    this.#clients.add(client);
    return client;
  }

  /** The device is gone for good. */
  remove(client: VirtualMqtt): void {
    this.#clients.delete(client);
  }

  /** Sends to every device that has subscribed. */
  publish(topic: string, payload: Uint8Array, qos: 0 | 1): void {
    for (const client of this.#clients) client.receive(topic, payload, qos);
  }

  /** A device's message has arrived. */
  accept(topic: string, payload: Uint8Array, qos: 0 | 1, from: VirtualMqtt): void {
    this.publish(topic, payload, qos);
    this.onMessage?.(topic, payload, qos, from);
  }
}

export class VirtualMqtt implements MqttConnection {
  link: Link;
  /** Answers a subscription with this error. */
  refuse: ((filter: string) => Error | undefined) | undefined;
  /** True while no SUBSCRIBE is answered. It is repeated, and then the connection is to be replaced. */
  mute: (() => boolean) | undefined;
  onSilence: (() => void) | undefined;
  /** Nothing passes any more in either direction, and nobody has noticed yet. Ends with `disconnect`. */
  dark = false;
  readonly #broker: VirtualBroker;
  readonly #clock: VirtualClock;
  readonly #up = new Lane();
  readonly #down = new Lane();
  readonly #observers = new Set<MqttObserver>();
  /** What the device wants, with the call that waits for the first answer. */
  readonly #subscriptions = new Map<MqttSubscription, ((error?: Error) => void) | undefined>();
  /** What the broker knows of this connection. */
  readonly #active = new Set<MqttSubscription>();
  /** QoS 1 publications under way. */
  readonly #unacknowledged = new Set<(error?: Error) => void>();
  #weather: Weather | undefined;
  #connected = true;
  /** Counts connections: what belongs to an earlier one does not arrive. */
  #session = 0;

  constructor(broker: VirtualBroker, clock: VirtualClock, link: Link) {
    this.#broker = broker;
    this.#clock = clock;
    this.link = link;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** How many subscriptions, and observers, the device has. */
  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  get observers(): number {
    return this.#observers.size;
  }

  get up(): Traffic {
    return this.#up.traffic;
  }

  get down(): Traffic {
    return this.#down.traffic;
  }

  publish(topic: string, payload: Uint8Array, qos: 0 | 1, done?: (error?: Error) => void): void {
    const now = this.#clock.now();
    if (!this.#connected) {
      this.#clock.post(now, () => done?.(new Error("not connected")));
      return;
    }
    const finish = (error?: Error): void => {
      if (qos === 0 || this.#unacknowledged.delete(finish)) done?.(error);
    };
    if (qos === 0) this.#clock.post(now, () => finish());
    else this.#unacknowledged.add(finish);
    const copy = payload.slice();
    this.#send(packetLength(topic, payload, qos), qos, () => {
      this.#broker.accept(topic, copy, qos, this);
      if (qos === 1) this.#answer(() => finish());
    });
  }

  subscribe(subscription: MqttSubscription, done?: (error?: Error) => void): void {
    this.#subscriptions.set(subscription, done);
    if (this.#connected) this.#subscribe(subscription);
  }

  unsubscribe(subscription: MqttSubscription): void {
    this.#subscriptions.delete(subscription);
    this.#active.delete(subscription);
  }

  addObserver(observer: MqttObserver): void {
    this.#observers.add(observer);
  }

  removeObserver(observer: MqttObserver): void {
    this.#observers.delete(observer);
  }

  /** The connection breaks: what is under way is lost, in both directions. */
  disconnect(): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.dark = false;
    this.#session++;
    this.#active.clear();
    const failed = [...this.#unacknowledged];
    this.#clock.post(this.#clock.now(), () => {
      for (const finish of failed) finish(new Error("connection lost"));
      for (const observer of [...this.#observers]) observer.offline();
    });
  }

  /** The connection is there again; subscriptions are renewed. */
  reconnect(): void {
    if (this.#connected) return;
    this.#connected = true;
    const session = ++this.#session;
    for (const subscription of this.#subscriptions.keys()) this.#subscribe(subscription);
    this.#clock.post(this.#clock.now(), () => {
      if (session === this.#session) for (const observer of [...this.#observers]) observer.online();
    });
  }

  /** The device has lost power or restarts: nothing it asked for happens any more. */
  halt(): void {
    this.#connected = false;
    this.#session++;
    this.#active.clear();
    this.#subscriptions.clear();
    this.#observers.clear();
    this.#unacknowledged.clear();
    this.#broker.remove(this);
  }

  /** A message from the broker, if this device has subscribed to it. */
  receive(topic: string, payload: Uint8Array, qos: 0 | 1): void {
    let granted: 0 | 1 = 0;
    let wanted = false;
    for (const { filter, qos: most } of this.#active)
      if (topicMatches(filter, topic)) {
        wanted = true;
        if (most === 1 && qos === 1) granted = 1;
      }
    if (!wanted || this.#broker.drop?.(topic, payload, this)) return;
    const copy = payload.slice();
    this.#answer(() => this.#deliver(topic, copy), packetLength(topic, payload, granted), granted);
  }

  #deliver(topic: string, payload: Uint8Array): void {
    for (const subscription of [...this.#subscriptions.keys()])
      if (this.#subscriptions.has(subscription) && topicMatches(subscription.filter, topic))
        deliverMessage(subscription, topic, payload);
  }

  #subscribe(subscription: MqttSubscription, tries = 0): void {
    const { filter } = subscription;
    this.#send(7 + filter.length, 1, () => {
      if (this.mute?.()) return this.#unanswered(subscription, tries);
      const error = this.refuse?.(filter);
      if (!error && this.#subscriptions.has(subscription)) this.#active.add(subscription);
      this.#answer(() => {
        const done = this.#subscriptions.get(subscription);
        if (!this.#subscriptions.has(subscription)) return;
        if (error && !done) {
          // It was granted before: nobody hears of this, and it is asked for again.
          this.#clock.post(this.#clock.now() + RENEW_MS, () => {
            if (this.#connected && this.#subscriptions.has(subscription)) this.#subscribe(subscription);
          });
          return;
        }
        if (error) this.#subscriptions.delete(subscription);
        else this.#subscriptions.set(subscription, undefined);
        done?.(error);
      });
    });
  }

  #unanswered(subscription: MqttSubscription, tries: number): void {
    const session = this.#session;
    this.#clock.post(this.#clock.now() + ACK_MS, () => {
      if (session !== this.#session || !this.#subscriptions.has(subscription)) return;
      if (tries < RETRIES) this.#subscribe(subscription, tries + 1);
      else this.onSilence?.();
    });
  }

  #burst(): Weather | undefined {
    const { burst } = this.link;
    if (burst) this.#weather ??= new Weather(burst, this.#broker.random);
    return burst && this.#weather;
  }

  /** Up the link; `arrived` runs at the broker. */
  #send(size: number, qos: 0 | 1, arrived: () => void): void {
    const { link } = this;
    const session = this.#session;
    const bandwidth = link.upBandwidth ?? link.bandwidth ?? 0;
    const { time, random } = this.#broker;
    // Up the link nothing is held back or overtaken: requests are few and small.
    const up = { ...link, lump: 0, overtake: 0 };
    this.#up.carry(up, bandwidth, this.#clock.now(), time, size, qos, random, this.#burst(), (at) =>
      time.at(at, () => {
        if (session === this.#session && !this.dark) arrived();
      }),
    );
  }

  /** Down the link; `arrived` runs on the device. */
  #answer(arrived: () => void, size = 5, qos: 0 | 1 = 1): void {
    const { link } = this;
    const session = this.#session;
    const { time, random } = this.#broker;
    this.#down.carry(link, link.bandwidth ?? 0, time.now, time, size, qos, random, this.#burst(), (at) =>
      this.#clock.post(at, () => {
        if (session === this.#session && !this.dark) arrived();
      }),
    );
  }
}
