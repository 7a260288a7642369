/**
 * The MQTT connection over real sockets of the Moddable runtime: with the package's own client, with the SDK's, and over
 * clients that belong to the application.
 * @module
 */

import Listener from "embedded:io/socket/listener";
import SdkClient from "embedded:network/mqtt/client";
import ClassicClient from "mqtt";
import { connect as connectJs } from "mqtt/js";
import Timer from "timer";
import type { MqttConnection } from "xs-ota-agent";
import { ModdableClock } from "../../hosts/moddable/clock.js";
import { connectMqtt } from "../../hosts/moddable/mqtt.js";
import { type ClassicMqttClient, ClassicMqttConnection } from "../../hosts/moddable/mqtt-classic.js";
import { shareMqtt } from "../../hosts/moddable/mqtt-shared.js";
import { networkOptions } from "../../hosts/moddable/network.js";
import type { MqttClientConstructor } from "../../hosts/mqtt/mqtt-client.js";
import { type MqttHarness, type MqttLimits, mqttConformance } from "../conformance/mqtt-connection.js";
import { fail } from "../support/assert.js";
import type { MqttPeer } from "../support/mqtt-peer.js";
import { AcceptedWire } from "./wire.js";

/** Sockets are polled every 20 ms on the host. */
const POLL = 10;
const SETTLE = 60;
const PATIENCE = 45_000;
/** Long enough for a machine that does other things, too, milliseconds. */
const KEEP_ALIVE = 4_000;

const wait = (ms: number) => new Promise<void>((resolve) => void Timer.set(() => resolve(), ms));

type Closable = MqttConnection & { close(): unknown };

/** The connection, closed together with the application's client. */
function closing(mqtt: MqttConnection, close: () => void): Closable {
  return {
    get connected() {
      return mqtt.connected;
    },
    publish: (topic, payload, qos, done) => mqtt.publish(topic, payload, qos, done),
    subscribe: (subscription, done) => mqtt.subscribe(subscription, done),
    unsubscribe: (subscription) => mqtt.unsubscribe(subscription),
    addObserver: (observer) => mqtt.addObserver(observer),
    removeObserver: (observer) => mqtt.removeObserver(observer),
    close,
  };
}

/** @param connect to a port of this machine */
function harness(limits: MqttLimits, connect: (port: number) => Closable): MqttHarness {
  let listener: Listener | undefined;
  const wires: AcceptedWire[] = [];
  return {
    limits,
    async open(peer: MqttPeer) {
      listener = new Listener({
        port: 0,
        onReadable(count) {
          for (; count > 0; count--) {
            const from = this.read();
            if (!from) continue;
            let session: ReturnType<MqttPeer["accept"]> | undefined;
            const wire = new AcceptedWire(from, (bytes) => session?.received(bytes));
            session = peer.accept(wire);
            wires.push(wire);
          }
        },
      });
      return connect(listener.port as number);
    },
    async until(condition, what) {
      for (let waited = 0; !condition(); waited += POLL) {
        if (waited > PATIENCE) fail(`waited in vain: ${what}`);
        await wait(POLL);
      }
    },
    settle: () => wait(SETTLE),
    async close() {
      for (const wire of wires) wire.close();
      (listener as unknown as { close(): void }).close();
    },
  };
}

const tuning = { firstWait: 200, longestWait: 1_000, connectTimeout: 10_000, ackTimeout: 3_000 };
const device = { host: "127.0.0.1", clientId: "device", keepAlive: KEEP_ALIVE, tuning, log: () => {} };
const stalls = { stallsOnEmptyMessage: true };

mqttConformance("MQTT on sockets, own client", () =>
  harness({}, (port) => connectMqtt({ ...device, port }, Math.random)),
);
const Client = SdkClient as unknown as MqttClientConstructor;
mqttConformance("MQTT on sockets, client of the SDK", () =>
  harness(stalls, (port) => connectMqtt({ ...device, port, Client }, Math.random)),
);

const share = () =>
  shareMqtt(Client, { random: Math.random, log: () => {}, tuning: { ackTimeout: tuning.ackTimeout } });

mqttConformance("MQTT on sockets, client of the application", () =>
  harness(stalls, (port) => {
    const { Client: Own, mqtt } = share();
    let closed = false;
    let client: InstanceType<typeof Own>;
    const connect = () => {
      if (closed) return;
      client = new Own({
        ...networkOptions(undefined),
        ...{ host: "127.0.0.1", port, id: "device", keepAlive: KEEP_ALIVE },
        onError: () => void Timer.set(connect, 200),
      });
    };
    connect();
    const close = () => {
      closed = true;
      mqtt.close();
      client.close();
    };
    return closing(mqtt, close);
  }),
);

mqttConformance("MQTT on sockets, mqtt/js of the application", () =>
  harness(stalls, (port) => {
    const { Client: io, mqtt } = share();
    (globalThis as { device?: unknown }).device = {
      network: { mqtt: { ...networkOptions(undefined), io } },
    };
    const options = { clientId: "device", keepalive: KEEP_ALIVE / 1000, reconnectPeriod: 200 };
    const client = connectJs(`mqtt://127.0.0.1:${port}`, options);
    const close = () => {
      mqtt.close();
      // It cannot be ended while it connects; left alone it would go on with the class of the next test's client.
      const end = () => {
        try {
          client.end(true);
        } catch {
          Timer.set(end, 50);
        }
      };
      end();
    };
    return closing(mqtt, close);
  }),
);

mqttConformance("MQTT on sockets, classic client of the application", () =>
  harness({ qos1: false, repeats: false, bounded: false, longest: 800 }, (port) => {
    const connection = new ClassicMqttConnection(new ModdableClock());
    let closed = false;
    let client: ClassicClient;
    const connect = () => {
      if (closed) return;
      client = new ClassicClient({ host: "127.0.0.1", port, id: "device", timeout: KEEP_ALIVE });
      client.onReady = () => {};
      client.onClose = () => void Timer.set(connect, 200);
      connection.attach(client as ClassicMqttClient);
    };
    connect();
    return Object.assign(connection, {
      close() {
        closed = true;
        client.close();
      },
    });
  }),
);
