import { shareMqtt } from "../../hosts/moddable/mqtt-shared.js";
import { networkOptions } from "../../hosts/moddable/network.js";
import type { MqttClientConstructor, MqttClientOptions, MqttControl } from "../../hosts/mqtt/mqtt-client.js";
import { encodeUtf8 } from "../../src/bytes.js";
import { type MqttHarness, mqttConformance } from "../conformance/mqtt-connection.js";
import { deepEqual, equal, fail, ok } from "../support/assert.js";
import { MqttPeer, PUBLISH, pattern, publication, publish, SUBSCRIBE } from "../support/mqtt-peer.js";
import { sdk } from "../support/sdk/machine.js";
import SdkClient from "../support/sdk/mqtt-client.js";
import { type Io, Client as MqttJs } from "../support/sdk/mqtt-js.js";
import Timer from "../support/sdk/timer.js";
import { seeded } from "../support/virtual-clock.js";

const RECONNECT = 200;
const tuning = { ackTimeout: 500 };

function settings(): MqttClientOptions {
  return { ...networkOptions(undefined), host: "broker.test", id: "device", keepAlive: 1_000 };
}

function world(peer: MqttPeer, writable: number): void {
  sdk.reset();
  sdk.writable = writable;
  sdk.addresses.set("broker.test", "192.0.2.1");
  sdk.accept = (wire) => peer.accept(wire);
}

const time = {
  async until(condition: () => boolean, what: string): Promise<void> {
    if (!sdk.clock.runUntilDone(condition, 60_000)) fail(`waited in vain: ${what}`);
  },
  async settle(): Promise<void> {
    sdk.clock.run(5);
  },
};

/** An application that connects again whenever its client has failed. */
function keepConnected(Client: MqttClientConstructor, more: Partial<MqttClientOptions> = {}): void {
  const connect = () => {
    new Client({
      ...settings(),
      ...more,
      onError: (error) => {
        more.onError?.(error);
        Timer.set(connect, RECONNECT);
      },
    });
  };
  connect();
}

function harness(start: (Client: MqttClientConstructor) => void, writable = 5_744): MqttHarness {
  return {
    ...time,
    limits: { stallsOnEmptyMessage: true },
    async open(peer) {
      world(peer, writable);
      const { Client, mqtt } = shareMqtt(SdkClient, { tuning, random: seeded(1) });
      start(Client as unknown as MqttClientConstructor);
      return mqtt;
    },
    async close() {},
  };
}

mqttConformance("MQTT on a client of the application", () => harness((Client) => keepConnected(Client)));
mqttConformance("MQTT on a client of the application, 64 bytes at a time", () =>
  harness((Client) => keepConnected(Client), 64),
);
mqttConformance("MQTT on a client of mqtt/js", () =>
  harness((Client) => {
    new MqttJs({ ...settings(), io: Client as unknown as Io }, { reconnectPeriod: RECONNECT });
  }),
);

describe("a shared ECMA-419 client", () => {
  let peer: MqttPeer;
  let log: string[];
  const share = () => shareMqtt(SdkClient, { tuning, random: seeded(1) });
  type Shared = ReturnType<typeof share>;
  type Own = InstanceType<typeof SdkClient>;
  let shared: Shared;

  beforeEach(() => {
    peer = new MqttPeer();
    world(peer, 5_744);
    log = [];
    shared = share();
  });
  afterEach(() => shared.mqtt.close());

  /** A client of the application, which writes down what it hears. */
  function application(more: Partial<MqttClientOptions> = {}): Own {
    const client: Own = new shared.Client({
      ...settings(),
      onControl(message: MqttControl) {
        log.push(`control ${message.operation} ${message.id ?? ""}`.trim());
      },
      onReadable(count, options) {
        const data = new Uint8Array(client.read(count) as ArrayBuffer);
        log.push(`${options.topic ?? "more"} ${String.fromCharCode(...data.subarray(0, 5))}`);
      },
      onError: () => log.push("error"),
      ...more,
    });
    return client;
  }
  const subscription = (filter: string) => ({
    ...{ filter, qos: 1 as const },
    message: (topic: string, payload: Uint8Array) =>
      void log.push(`agent: ${topic} ${String.fromCharCode(...payload)}`),
  });

  it("brings each message to the side that asked for its topic, and acknowledgements likewise", () => {
    const client = application();
    shared.mqtt.subscribe(subscription("jobs/+"));
    sdk.clock.run(1_000);
    client.write(null, { operation: 8, items: [{ topic: "commands", QoS: 0 }], id: 1 });
    shared.mqtt.publish("p", encodeUtf8("x"), 1);
    sdk.clock.run(100);
    peer.session.send(publish("jobs/1", encodeUtf8("job")), publish("commands", encodeUtf8("go")));
    peer.session.send(publish("other", encodeUtf8("?")));
    sdk.clock.run(100);
    deepEqual(log, ["control 2", "control 9 1", "agent: jobs/1 job", "commands go", "other ?"]);
    ok((publication(peer.session.of(PUBLISH)[0]).id ?? 0) >= 0xc000);
  });

  it("calls the application's callbacks as methods of its client", () => {
    let self: unknown;
    const client = application({
      onControl() {
        self = this;
      },
    });
    sdk.clock.run(1_000);
    equal(self, client);
  });

  it("keeps what the application writes out of a message of the agent's that is in pieces", () => {
    world(peer, 64);
    shared = share();
    const client = application();
    sdk.clock.run(1_000);
    const long = pattern(300);
    shared.mqtt.publish("agent", long, 1);
    client.write(encodeUtf8("mine"), { topic: "app", QoS: 0 });
    const again = encodeUtf8("reused");
    client.write(again, { topic: "app", QoS: 0 });
    again.fill(0);
    sdk.clock.run(1_000);
    const messages = peer.session.of(PUBLISH).map(publication);
    deepEqual(
      messages.map(({ topic }) => topic),
      ["agent", "app", "app"],
    );
    deepEqual(messages[0].payload, long);
    deepEqual(messages[2].payload, encodeUtf8("reused"));
  });

  it("keeps the agent's packets out of a message of the application's that is in pieces", () => {
    const client = application();
    sdk.clock.run(1_000);
    client.write(encodeUtf8("ab"), { topic: "app", QoS: 0, byteLength: 4 });
    shared.mqtt.publish("agent", encodeUtf8("x"), 1);
    shared.mqtt.subscribe(subscription("t"));
    sdk.clock.run(1_000);
    equal(peer.session.of(SUBSCRIBE).length, 0);
    client.write(encodeUtf8("cd"));
    sdk.clock.run(1_000);
    deepEqual(
      peer.session.of(PUBLISH).map((packet) => publication(packet).topic),
      ["app", "agent"],
    );
    equal(peer.sessions.length, 1);
  });

  it("bounds what it keeps for the application, with the client's own error", () => {
    world(peer, 64);
    shared = share();
    const client = application();
    sdk.clock.run(1_000);
    shared.mqtt.publish("agent", pattern(300), 1);
    let failure: unknown;
    try {
      for (let i = 0; i < 100; i++) client.write(new Uint8Array(1_000), { topic: "app", QoS: 0 });
    } catch (error) {
      failure = error;
    }
    ok(String(failure).includes("overflow"));
  });

  it("leaves the application's connection alone when its own is closed, and throws its messages away", () => {
    application();
    shared.mqtt.subscribe(subscription("t"));
    sdk.clock.run(1_000);
    shared.mqtt.close();
    sdk.clock.run(5_000);
    equal(peer.sessions.length, 1);
    peer.session.send(publish("t", encodeUtf8("late")), publish("commands", encodeUtf8("go")));
    sdk.clock.run(100);
    deepEqual(log.slice(-1), ["commands go"]);
    ok(!log.includes("error"));
  });

  it("is offline while the application has closed its client, and back with the next one", () => {
    const seen: string[] = [];
    shared.mqtt.addObserver({ online: () => seen.push("online"), offline: () => seen.push("offline") });
    const client = application();
    shared.mqtt.subscribe(subscription("t"));
    sdk.clock.run(1_000);
    client.close();
    sdk.clock.run(100_000);
    equal(shared.mqtt.connected, false);
    application();
    sdk.clock.run(2_000);
    deepEqual(seen, ["online", "offline", "online"]);
    peer.session.send(publish("t", encodeUtf8("x")));
    sdk.clock.run(100);
    deepEqual(log.slice(-1), ["agent: t x"]);
  });

  it("reports and reads of mqtt/js go on beside the agent's, long ones in pieces", () => {
    world(peer, 256);
    shared = share();
    const app = new MqttJs(
      { ...settings(), io: shared.Client as unknown as Io },
      { reconnectPeriod: RECONNECT },
    );
    const got: number[] = [];
    app.onMessage = (_topic, message) => void got.push(message.byteLength);
    shared.mqtt.subscribe(subscription("jobs"));
    app.subscribe("commands");
    sdk.clock.run(1_000);
    let reports = 0;
    for (let i = 0; i < 20; i++) {
      app.publish("app", "r".repeat(i % 3 ? 30 : 700), { qos: i % 2 }, () => reports++);
      shared.mqtt.publish("agent", pattern(400, i), 1);
      peer.session.send(publish("commands", pattern(2_000, i)), publish("jobs", encodeUtf8("j")));
      sdk.clock.run(i * 10);
    }
    sdk.clock.run(3_000);
    equal(reports, 20);
    deepEqual(got, new Array(20).fill(2_000));
    equal(log.length, 20);
    const messages = peer.session.of(PUBLISH).map(publication);
    const agents = messages.filter(({ topic }) => topic === "agent");
    equal(agents.length, 20);
    for (const [i, { payload }] of agents.entries()) deepEqual(payload, pattern(400, i));
    equal(messages.length, 40);
    equal(peer.sessions.length, 1);
  });
});
