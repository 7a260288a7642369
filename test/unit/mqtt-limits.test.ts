/**
 * What a broker announces takes no memory and no time before it is known to be wanted: the agent over the MQTT
 * connection and client of the hosts, against a peer that says anything.
 * @module
 */
import { MqttClient, type MqttClientOptions } from "../../hosts/mqtt/mqtt-client.js";
import { EcmaMqttConnection } from "../../hosts/mqtt/mqtt-connection.js";
import { encodeUtf8 } from "../../src/bytes.js";
import { OtaAgent } from "../../src/index.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { FakePal } from "../support/fake-pal.js";
import { ascii, concat } from "../support/hex.js";
import { MqttPeer, PUBACK } from "../support/mqtt-peer.js";
import { seeded, VirtualClock } from "../support/virtual-clock.js";
import { virtualResolver, virtualSocket } from "../support/virtual-socket.js";

const MEGABYTES_256 = 268_435_455;
const THING = "thing-1";

/** The bytes in front of a message's payload. `rest`: payload bytes announced. */
function header(topic: string, rest: number, id?: number): Uint8Array {
  const name = encodeUtf8(topic);
  const behind = id === undefined ? [] : [id >> 8, id & 255];
  const first = [id === undefined ? 0x30 : 0x32];
  for (let left = Math.min(MEGABYTES_256, 2 + name.length + behind.length + rest); ; left >>>= 7) {
    first.push(left > 127 ? (left & 127) | 128 : left);
    if (left < 128) break;
  }
  const length = [name.length >> 8, name.length & 255];
  return concat(Uint8Array.from([...first, ...length]), name, Uint8Array.from(behind));
}

function connect(readable = 1536, writable = 1536) {
  const clock = new VirtualClock();
  const peer = new MqttPeer();
  class Client extends MqttClient {
    constructor(options: MqttClientOptions) {
      super({ ...options, clock });
    }
  }
  const log: string[] = [];
  const connection = new EcmaMqttConnection({
    Client,
    client: {
      ...{ host: "broker.test", id: THING, keepAlive: 0 },
      dns: { io: virtualResolver(clock) },
      socket: { io: virtualSocket({ clock, peer, readable, writable }) },
    },
    clock,
    random: seeded(1),
    log: (_level, text) => log.push(text),
  });
  return { clock, peer, connection, log };
}

/** The longest array made while `action` runs. */
function longest(action: () => void): number {
  const Real = globalThis.Uint8Array;
  let most = 0;
  globalThis.Uint8Array = new Proxy(Real, {
    construct(target, values, newTarget) {
      if (typeof values[0] === "number") most = Math.max(most, values[0]);
      return Reflect.construct(target, values, newTarget);
    },
  });
  try {
    action();
  } finally {
    globalThis.Uint8Array = Real;
  }
  return most;
}

describe("MQTT: what a message may take", () => {
  for (const suffix of ["notify-next", "$next/get/accepted", "job-1/update/rejected"])
    it(`256 MB announced on …/${suffix} take no memory (256 MB before)`, () => {
      const { clock, peer, connection } = connect();
      const agent = new OtaAgent({
        ...{ mqtt: connection, pal: new FakePal(clock), clock, random: seeded(1), thingName: THING },
      });
      void agent.init();
      clock.run(1000);
      equal(agent.state, "RequestingJob");
      const most = longest(() => {
        peer.sessions[0].send(
          concat(header(`$aws/things/${THING}/jobs/${suffix}`, MEGABYTES_256), ascii("{")),
        );
        clock.run(50);
      });
      ok(most <= 2048, `${most} bytes in one array`);
    });

  it("256 MB announced to a subscriber of the application without a buffer take no memory either", () => {
    const { clock, peer, connection, log } = connect();
    const got: number[] = [];
    connection.subscribe({ filter: "#", qos: 0, message: (_topic, { length }) => got.push(length) });
    clock.run(1000);
    peer.sessions[0].send(concat(header("a/b", 131_073), new Uint8Array(131_073)));
    peer.sessions[0].send(concat(header("a/b", 3), ascii("end")));
    const most = longest(() => clock.run(1000));
    ok(most <= 2048, `${most} bytes in one array`);
    deepEqual(got, [3]);
    ok(log.includes("MQTT: a/b: message of 131073 bytes thrown away"), log.join());
  });

  it("takes the longest message that AWS IoT passes on", () => {
    const { clock, peer, connection } = connect();
    const got: number[] = [];
    connection.subscribe({ filter: "#", qos: 0, message: (_topic, { length }) => got.push(length) });
    clock.run(1000);
    peer.sessions[0].send(concat(header("a", 131_072), new Uint8Array(131_072)));
    clock.run(1000);
    deepEqual(got, [131_072]);
  });

  for (const length of [513, 65_535])
    for (const readable of [16, 1536])
      it(`a topic of ${length} bytes is nobody's; what follows it arrives (${readable} bytes at a time)`, () => {
        const { clock, peer, connection } = connect(readable);
        const got: string[] = [];
        connection.subscribe({ filter: "#", qos: 1, message: (topic) => got.push(topic) });
        clock.run(1000);
        const [session] = peer.sessions;
        session.send(concat(header("x".repeat(length), 3, 7), ascii("abc")));
        session.send(concat(header("x".repeat(512), 3), ascii("end")));
        const most = longest(() => clock.run(20_000));
        ok(most <= 2048, `${most} bytes in one array`);
        deepEqual(
          got.map((topic) => topic.length),
          [512],
        );
        deepEqual(
          session.of(PUBACK).map(({ body }) => [...body]),
          [[0, 7]],
        );
      });

  it("does not read on while acknowledgements cannot be written", () => {
    const { clock, peer, connection } = connect(1536, 48);
    let got = 0;
    connection.subscribe({ filter: "a", qos: 1, message: () => got++ });
    clock.run(1000);
    const [session] = peer.sessions;
    for (let id = 1; id <= 2000; id++) session.send(header("a", 0, id));
    clock.run(60_000);
    equal(got, 2000);
    equal(session.of(PUBACK).length, 2000);
  });
});
