import { MqttClient, type MqttClientOptions } from "../../hosts/mqtt/mqtt-client.js";
import { EcmaMqttConnection } from "../../hosts/mqtt/mqtt-connection.js";
import { type MqttHarness, mqttConformance } from "../conformance/mqtt-connection.js";
import { fail } from "../support/assert.js";
import { seeded, VirtualClock } from "../support/virtual-clock.js";
import { virtualResolver, virtualSocket } from "../support/virtual-socket.js";

/** Promise jobs that may have to run before a test sees what happened. */
const JOBS = 20;

function harness(readable: number, writable: number): MqttHarness {
  const clock = new VirtualClock();
  class Client extends MqttClient {
    constructor(options: MqttClientOptions) {
      super({ ...options, clock });
    }
  }
  const jobs = async () => {
    for (let i = 0; i < JOBS; i++) await undefined;
  };
  return {
    async open(peer) {
      return new EcmaMqttConnection({
        Client,
        client: {
          host: "broker.test",
          id: "device",
          keepAlive: 1_000,
          dns: { io: virtualResolver(clock) },
          socket: { io: virtualSocket({ clock, peer, readable, writable }) },
        },
        clock,
        random: seeded(1),
        firstWait: 200,
        longestWait: 2_000,
        connectTimeout: 3_000,
        ackTimeout: 500,
      });
    },
    async until(condition, what) {
      await jobs();
      if (!clock.runUntilDone(condition, 60_000)) fail(`waited in vain: ${what}`);
      await jobs();
    },
    async settle() {
      clock.run(5);
      await jobs();
    },
    async close() {},
  };
}

mqttConformance("MQTT connection, roomy sockets", () => harness(1_536, 1_536));
mqttConformance("MQTT connection, 48 bytes at a time", () => harness(48, 48));
mqttConformance("MQTT connection, 16 bytes at a time in", () => harness(16, 5_744));
