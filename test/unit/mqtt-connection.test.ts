import { MqttClient, type MqttClientOptions } from "../../hosts/mqtt/mqtt-client.js";
import { EcmaMqttConnection } from "../../hosts/mqtt/mqtt-connection.js";
import { type MqttHarness, mqttConformance } from "../conformance/mqtt-connection.js";
import { equal, fail, ok } from "../support/assert.js";
import { CONNECT, MqttPeer, SUBSCRIBE } from "../support/mqtt-peer.js";
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

describe("MQTT connection: what a broker does wrong", () => {
  function start(keepAlive = 0) {
    const clock = new VirtualClock();
    const peer = new MqttPeer();
    class Client extends MqttClient {
      constructor(options: MqttClientOptions) {
        super({ ...options, clock });
      }
    }
    const sizes = { readable: 1_536, writable: 1_536 };
    const client = {
      ...{ host: "broker.test", id: "device", keepAlive },
      ...{ dns: { io: virtualResolver(clock) }, socket: { io: virtualSocket({ clock, peer, ...sizes }) } },
    };
    const connection = new EcmaMqttConnection({ Client, client, clock, random: seeded(1) });
    return { clock, peer, connection };
  }
  const subscription = { filter: "t", qos: 1 as const, message: () => {} };

  it("a renewal that is refused is asked for again: its subscriber does not hear of it", () => {
    const { clock, peer, connection } = start();
    connection.subscribe(subscription);
    clock.run(1_000);
    peer.granted = 0x80;
    peer.session.close();
    clock.run(10_000);
    equal(peer.session.of(SUBSCRIBE).length, 1);
    clock.run(30_000);
    equal(peer.session.of(SUBSCRIBE).length, 2, "asked again");
    peer.granted = 1;
    clock.run(120_000);
    equal(peer.session.of(SUBSCRIBE).length, 3, "and no more once it is granted");
  });

  for (const [what, closesAfter] of [
    ["after CONNECT: another device has its client id", CONNECT],
    ["after SUBSCRIBE: its policy does not allow it", SUBSCRIBE],
  ] as const)
    it(`a connection that is closed ${what}: the waits grow (1.6 connections a second, for ever)`, () => {
      const { clock, peer, connection } = start();
      connection.subscribe(subscription);
      const accept = peer.accept;
      peer.accept = (wire) => {
        const session = accept.call(peer, wire);
        const received = session.received;
        session.received = (bytes) => {
          received.call(session, bytes);
          if (session.of(closesAfter).length) clock.set(() => session.close(), 50);
        };
        return session;
      };
      clock.run(600_000);
      ok(
        peer.sessions.length > 8 && peer.sessions.length < 60,
        `${peer.sessions.length} connections in ten minutes`,
      );
    });

  it("two devices with one client id put each other off, and less and less often", () => {
    const { clock, peer } = start();
    const accept = peer.accept;
    let other = 500;
    // The other one is of the same make: it comes back after waits that grow, and puts this one off.
    peer.accept = (wire) => {
      const session = accept.call(peer, wire);
      clock.set(() => session.close(), other);
      other = Math.min(60_000, other * 2);
      return session;
    };
    clock.run(600_000);
    ok(peer.sessions.length < 60, `${peer.sessions.length} connections in ten minutes`);
  });

  it("a connection that has lasted is renewed at once", () => {
    const { clock, peer } = start();
    for (let i = 0; i < 20; i++) {
      clock.run(30_000);
      peer.session.close();
    }
    equal(peer.sessions.length, 20);
    clock.run(1_000);
    equal(peer.sessions.length, 21);
  });

  it("a CONNECT that is not answered is given up", () => {
    const { clock, peer } = start();
    peer.connack = undefined;
    clock.run(29_000);
    equal(peer.sessions.length, 1);
    clock.run(3_000);
    equal(peer.sessions.length, 2);
  });

  it("a client that was given up is not listened to any more", () => {
    const made: MqttClientOptions[] = [];
    class Silent {
      constructor(options: MqttClientOptions) {
        made.push(options);
      }
      write = () => 0;
      read() {}
      close() {}
    }
    const { clock } = start();
    const socket = { io: virtualSocket({ clock, peer: new MqttPeer(), readable: 64, writable: 64 }) };
    const client = { host: "broker.test", id: "device", dns: { io: virtualResolver(clock) }, socket };
    const connection = new EcmaMqttConnection({ Client: Silent, client, clock, random: seeded(1) });
    clock.run(35_000);
    equal(made.length, 2);
    made[0].onControl?.({ operation: 2 });
    equal(connection.connected, false);
    made[1].onControl?.({ operation: 2 });
    equal(connection.connected, true);
    made[0].onError?.(new Error("late"));
    equal(connection.connected, true);
    connection.close();
  });
});
