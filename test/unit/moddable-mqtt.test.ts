import { connectMqtt } from "../../hosts/moddable/mqtt.js";
import { networkOptions } from "../../hosts/moddable/network.js";
import type { MqttClientConstructor } from "../../hosts/mqtt/mqtt-client.js";
import { type MqttHarness, mqttConformance } from "../conformance/mqtt-connection.js";
import { equal, fail, ok } from "../support/assert.js";
import { MqttPeer } from "../support/mqtt-peer.js";
import { sdk } from "../support/sdk/machine.js";
import SdkClient from "../support/sdk/mqtt-client.js";
import { secure } from "../support/sdk/tls.js";
import { seeded } from "../support/virtual-clock.js";

const JOBS = 20;

async function jobs(): Promise<void> {
  for (let i = 0; i < JOBS; i++) await undefined;
}

function harness(settings: {
  readonly Client?: MqttClientConstructor;
  readonly tls?: boolean;
  readonly readable?: number;
  readonly writable?: number;
}): MqttHarness {
  const { Client, tls, readable = 1_536, writable = 5_744 } = settings;
  return {
    limits: { stallsOnEmptyMessage: Client !== undefined },
    async open(peer) {
      sdk.reset();
      Object.assign(sdk, { readable, writable });
      sdk.addresses.set("broker.test", "192.0.2.1");
      sdk.accept = tls ? secure((wire) => peer.accept(wire)) : (wire) => peer.accept(wire);
      const tuning = { firstWait: 200, longestWait: 2_000, connectTimeout: 3_000, ackTimeout: 500 };
      const options = {
        host: "broker.test",
        clientId: "device",
        keepAlive: 1_000,
        tls: tls ? {} : undefined,
      };
      return connectMqtt({ ...options, Client, tuning }, seeded(1));
    },
    async until(condition, what) {
      await jobs();
      if (!sdk.clock.runUntilDone(condition, 60_000)) fail(`waited in vain: ${what}`);
      await jobs();
    },
    async settle() {
      sdk.clock.run(5);
      await jobs();
    },
    async close() {},
  };
}

mqttConformance("MQTT on the SDK's sockets", () => harness({}));
mqttConformance("MQTT on the SDK's sockets over TLS", () => harness({ tls: true }));
mqttConformance("MQTT on the SDK's sockets, 16 bytes at a time in", () => harness({ readable: 16 }));
mqttConformance("MQTT on the SDK's client", () => harness({ Client: SdkClient }));
mqttConformance("MQTT on the SDK's client, 48 bytes at a time", () =>
  harness({ Client: SdkClient, readable: 48, writable: 48 }),
);

describe("MQTT on the Moddable runtime", () => {
  function connect(options: Partial<Parameters<typeof connectMqtt>[0]> = {}): number[] {
    const ports: number[] = [];
    const peer = new MqttPeer();
    sdk.accept = (wire, { port }) => {
      ports.push(port);
      return peer.accept(wire);
    };
    const connection = connectMqtt({ host: "broker.test", clientId: "d", ...options }, seeded(1));
    sdk.clock.run(2_000);
    connection.close();
    return ports;
  }
  beforeEach(() => {
    sdk.reset();
    sdk.addresses.set("broker.test", "192.0.2.1");
  });

  it("asks at port 1883, at 8883 over TLS, or where it is told to", () => {
    equal(connect()[0], 1883);
    equal(connect({ tls: {} })[0], 8883);
    equal(connect({ tls: {}, port: 443 })[0], 443);
  });

  it("needs no name server for an address", () => {
    sdk.addresses.clear();
    equal(connect({ host: "192.0.2.7" }).length, 1);
  });

  it("tries again for ever when the name is not known, and says why", () => {
    sdk.addresses.clear();
    const connection = connectMqtt({ host: "broker.test", clientId: "d" }, seeded(1));
    sdk.clock.run(600_000);
    const tries = sdk.lines.filter((line) => line.includes("no address for broker.test")).length;
    ok(tries >= 10 && tries <= 30, `${tries} attempts in ten minutes`);
    connection.close();
  });

  it("calls nobody any more once a callback has thrown: that ends the connection", () => {
    const log: string[] = [];
    sdk.accept = (wire) => {
      for (const ms of [5, 10, 15]) sdk.clock.set(() => wire.send(Uint8Array.of(1)), ms);
      return { received: () => {} };
    };
    const Socket = networkOptions(undefined).socket.io as unknown as new (
      options: object,
    ) => { close(): void };
    const socket = new Socket({
      ...{ address: "192.0.2.1", host: "broker.test", port: 1883 },
      onReadable: () => {
        log.push("readable");
        throw null;
      },
      onWritable: () => log.push("writable"),
      onError: () => log.push("error"),
    });
    sdk.clock.run(100);
    equal(log.join(), "writable,readable,error");
    socket.close();
  });

  it("survives a peer that speaks no TLS, and a record that is none later", () => {
    const peer = new MqttPeer();
    const good = secure((wire) => peer.accept(wire));
    let sendRaw: (bytes: Uint8Array) => void = () => {};
    sdk.accept = (wire, to) => {
      sendRaw = (bytes) => wire.send(bytes);
      return good(wire, to);
    };
    const connection = connectMqtt({ host: "broker.test", clientId: "d", tls: {} }, seeded(1));
    sdk.clock.run(2_000);
    equal(connection.connected, true);
    sendRaw(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0));
    sdk.clock.run(50);
    equal(connection.connected, false);
    sdk.clock.run(60_000);
    equal(connection.connected, true);
    connection.close();
  });
});
