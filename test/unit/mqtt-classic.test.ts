import { type ClassicMqttClient, ClassicMqttConnection } from "../../hosts/moddable/mqtt-classic.js";
import { encodeUtf8 } from "../../src/bytes.js";
import { mqttConformance } from "../conformance/mqtt-connection.js";
import { deepEqual, equal, fail, ok } from "../support/assert.js";
import { sdk } from "../support/sdk/machine.js";
import ClassicClient from "../support/sdk/mqtt.js";
import { VirtualClock } from "../support/virtual-clock.js";

/** An application with the SDK's client, which makes a new one whenever one is closed. */
mqttConformance("MQTT on the classic client", () => ({
  limits: { qos1: false, repeats: false, bounded: false, longest: 5_000 },
  async open(peer) {
    sdk.reset();
    sdk.accept = (wire) => peer.accept(wire);
    const connection = new ClassicMqttConnection(sdk.clock);
    let client: ClassicClient;
    let closed = false;
    const make = () => {
      if (closed) return;
      client = new ClassicClient({ host: "broker.test", id: "device", timeout: 1_000 });
      client.onClose = () => sdk.clock.set(make, 200);
      connection.attach(client as ClassicMqttClient);
    };
    make();
    return Object.assign(connection, {
      close() {
        closed = true;
        client.close();
      },
    });
  },
  async until(condition, what) {
    if (!sdk.clock.runUntilDone(condition, 60_000)) fail(`waited in vain: ${what}`);
  },
  async settle() {
    sdk.clock.run(5);
  },
  async close() {},
}));

/** The classic client as measured: sends views as text, throws when a packet does not fit, swallows exceptions. */
class StandIn implements ClassicMqttClient {
  onReady?: () => void;
  onMessage?: (topic: string, payload: ArrayBuffer) => void;
  onClose?: () => void;
  readonly published: [string, unknown][] = [];
  readonly filters: string[] = [];
  room = 1024;
  state = 2;

  publish(topic: string, payload: ArrayBuffer): void {
    if (payload.byteLength + topic.length > this.room) throw new Error("can't write all data");
    this.published.push([topic, payload]);
  }
  subscribe(topic: string): void {
    if (this.room === 0) throw new Error("can't write all data");
    this.filters.push(topic);
  }
  unsubscribe(topic: string): void {
    this.filters.splice(this.filters.indexOf(topic), 1);
  }
  receive(topic: string, text: string): void {
    this.onMessage?.(topic, encodeUtf8(text).slice().buffer as ArrayBuffer);
  }
}

describe("classic MQTT client", () => {
  let clock: VirtualClock;
  let client: StandIn;
  let foreign: string[];
  let connection: ClassicMqttConnection;
  const texts: string[] = [];
  const subscription = {
    filter: "a/+",
    qos: 1 as const,
    message: (topic: string, payload: Uint8Array) =>
      void texts.push(`${topic} ${String.fromCharCode(...payload)}`),
  };

  beforeEach(() => {
    clock = new VirtualClock();
    client = new StandIn();
    foreign = [];
    texts.length = 0;
    connection = new ClassicMqttConnection(clock, (topic) => void foreign.push(topic));
    connection.attach(client);
  });

  it("is connected when the client is ready, and subscribes then", () => {
    connection.subscribe(subscription);
    equal(connection.connected, false);
    deepEqual(client.filters, []);
    client.onReady?.();
    equal(connection.connected, true);
    deepEqual(client.filters, ["a/+"]);
  });

  it("takes over a client that is ready already", () => {
    connection.attach(client, true);
    clock.run(1);
    equal(connection.connected, true);
  });

  it("lets no subscriber's fault reach the native client, nor the others", () => {
    client.onReady?.();
    connection.subscribe({
      ...{ filter: "a/#", qos: 0 },
      message: () => {
        throw null;
      },
    });
    connection.subscribe(subscription);
    client.receive("a/b", "x");
    deepEqual(texts, ["a/b x"]);
  });

  it("calls nobody who was unsubscribed while the message was handed round", () => {
    client.onReady?.();
    connection.subscribe({ filter: "a/#", qos: 0, message: () => connection.unsubscribe(subscription) });
    connection.subscribe(subscription);
    client.receive("a/b", "x");
    deepEqual(texts, []);
  });

  it("sends bytes as bytes, and says so later", () => {
    client.onReady?.();
    const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    const results: unknown[] = [];
    connection.publish("t", bytes, 1, (error) => results.push(error));
    equal(results.length, 0);
    clock.run(1);
    deepEqual(results, [undefined]);
    const [[, payload]] = client.published;
    ok(payload instanceof ArrayBuffer);
    deepEqual(new Uint8Array(payload as ArrayBuffer), Uint8Array.of(2, 3));
  });

  it("reports what does not fit, and what there is no connection for", () => {
    const results: unknown[] = [];
    connection.publish("t", new Uint8Array(1), 0, (error) => results.push(error));
    client.onReady?.();
    connection.publish("t", new Uint8Array(2000), 0, (error) => results.push(error));
    clock.run(1);
    equal(results.length, 2);
    for (const result of results) ok(result instanceof Error);
  });

  it("delivers to subscribers, in their buffers, and the rest to the owner", () => {
    const own = new Uint8Array(10);
    connection.subscribe(subscription);
    connection.subscribe({ ...subscription, filter: "a/b", buffer: () => own });
    connection.subscribe({ ...subscription, filter: "a/b", buffer: () => undefined });
    client.onReady?.();
    client.receive("a/b", "hello");
    deepEqual(texts, ["a/b hello", "a/b hello"]);
    deepEqual(own.slice(0, 5), encodeUtf8("hello"));
    client.receive("other", "x");
    deepEqual(foreign, ["other"]);
  });

  it("stops delivering, and unsubscribes when nobody is left", () => {
    const twin = { ...subscription };
    connection.subscribe(subscription);
    connection.subscribe(twin);
    client.onReady?.();
    const before = client.filters.length;
    connection.unsubscribe(twin);
    equal(client.filters.length, before, "somebody is left");
    client.receive("a/b", "1");
    deepEqual(texts, ["a/b 1"]);
    connection.unsubscribe(subscription);
    equal(client.filters.length, before - 1);
    client.receive("a/b", "2");
    deepEqual(texts, ["a/b 1"]);
  });

  it("subscribes again at a new client, and tells observers", () => {
    const log: string[] = [];
    connection.addObserver({ online: () => log.push("online"), offline: () => log.push("offline") });
    connection.subscribe(subscription);
    client.onReady?.();
    client.onClose?.();
    equal(connection.connected, false);
    clock.run(1);
    const second = new StandIn();
    connection.attach(second);
    second.onReady?.();
    deepEqual(second.filters, ["a/+"]);
    deepEqual(log, ["online", "offline", "online"]);
    client.receive("a/b", "of the old one");
    deepEqual(texts, []);
  });

  it("tries a subscription again when there was no room for it", () => {
    client.room = 0;
    connection.subscribe(subscription);
    client.onReady?.();
    deepEqual(client.filters, []);
    client.room = 1024;
    clock.run(1_000);
    deepEqual(client.filters, ["a/+"]);
  });

  describe("whose owner has callbacks of his own (they were overwritten)", () => {
    it("calls his too: those set before, and those set later", () => {
      const log: string[] = [];
      const own = new StandIn();
      own.onReady = () => log.push("ready");
      own.onMessage = (topic) => log.push(`message ${topic}`);
      own.onClose = () => log.push("closed");
      connection.attach(own);
      connection.subscribe(subscription);
      own.onReady?.();
      own.receive("a/b", "1");
      own.receive("other", "2");
      own.onMessage = (topic) => log.push(`later ${topic}`);
      own.receive("a/c", "3");
      own.onClose?.();
      deepEqual(log, ["ready", "message a/b", "message other", "later a/c", "closed"]);
      deepEqual(texts, ["a/b 1", "a/c 3"]);
      equal(connection.connected, false);
    });

    it("is back when he makes a new client within onClose", () => {
      let clients = 0;
      const make = () => {
        const next = new StandIn();
        clients++;
        next.onClose = make;
        connection.attach(next);
        client = next;
        return next;
      };
      connection.subscribe(subscription);
      make().onReady?.();
      for (let i = 0; i < 3; i++) {
        client.onClose?.();
        clock.run(10);
        equal(connection.connected, false);
        client.onReady?.();
        equal(connection.connected, true);
        deepEqual(client.filters, ["a/+"]);
      }
      equal(clients, 4);
    });

    it("hears its messages once, however often it is attached", () => {
      connection.subscribe(subscription);
      connection.attach(client);
      connection.attach(client);
      client.onReady?.();
      client.receive("a/b", "1");
      deepEqual(texts, ["a/b 1"]);
    });

    it("is still served when his callback throws", () => {
      client.onReady = () => {
        throw new Error("deliberate");
      };
      try {
        client.onReady?.();
      } catch {
        // as the client does
      }
      equal(connection.connected, true);
    });

    it("notices that he has closed it, which the client tells nobody", () => {
      const log: string[] = [];
      connection.addObserver({ online: () => log.push("online"), offline: () => log.push("offline") });
      client.onReady?.();
      client.state = -1;
      client.room = 0;
      connection.publish("t", new Uint8Array(1), 0);
      clock.run(1);
      equal(connection.connected, false);
      deepEqual(log, ["online", "offline"]);
    });
  });
});
