/**
 * The MQTT connection over real sockets of the Moddable runtime, with the package's own client and with the
 * SDK's.
 * @module
 */

import Listener from "embedded:io/socket/listener";
import SdkClient from "embedded:network/mqtt/client";
import Timer from "timer";
import { connectMqtt } from "../../hosts/moddable/mqtt.js";
import type { MqttClientConstructor } from "../../hosts/mqtt/mqtt-client.js";
import { type MqttHarness, mqttConformance } from "../conformance/mqtt-connection.js";
import { fail } from "../support/assert.js";
import type { MqttPeer } from "../support/mqtt-peer.js";
import { AcceptedWire } from "./wire.js";

/** Sockets are polled every 20 ms on the host. */
const POLL = 10;
const SETTLE = 60;
const PATIENCE = 30_000;

const wait = (ms: number) => new Promise<void>((resolve) => void Timer.set(() => resolve(), ms));

function harness(Client: MqttClientConstructor | undefined): MqttHarness {
  let listener: Listener | undefined;
  const wires: AcceptedWire[] = [];
  return {
    limits: { stallsOnEmptyMessage: Client !== undefined },
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
      const tuning = {
        firstWait: 200,
        longestWait: 1_000,
        connectTimeout: 10_000,
        ackTimeout: 3_000,
      };
      const options = { host: "127.0.0.1", port: listener.port, clientId: "device", keepAlive: 1_000 };
      return connectMqtt({ ...options, Client, tuning, log: () => {} }, Math.random);
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

mqttConformance("MQTT on sockets, own client", () => harness(undefined));
mqttConformance("MQTT on sockets, client of the SDK", () =>
  harness(SdkClient as unknown as MqttClientConstructor),
);
