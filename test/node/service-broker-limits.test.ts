import { connect, type Socket } from "node:net";
import mqtt from "mqtt";
import { COUNTS } from "../../service/aws-limits.js";
import { type Broker, startEmbeddedBroker } from "../../service/broker.js";
import { ConnectRate, PacketMeter } from "../../service/broker-limits.js";
import { deepEqual, equal, ok } from "../support/assert.js";

const LARGEST = COUNTS.messageBytes;

describe("service: what AWS's broker refuses", () => {
  let broker: Broker;
  const heard: number[] = [];
  const clients: mqtt.MqttClient[] = [];

  before(async () => {
    broker = await startEmbeddedBroker({ message: (_topic, payload) => heard.push(payload.length) });
  });
  after(() => broker.close());
  beforeEach(() => heard.splice(0));
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.endAsync(true);
  });

  async function client(clientId: string): Promise<mqtt.MqttClient> {
    const made = await mqtt.connectAsync(broker.url, { clientId, reconnectPeriod: 0 });
    // Being thrown out while something is under way is what the tests ask for.
    made.on("error", () => {});
    clients.push(made);
    return made;
  }

  /** Whether the broker ends the connection because of what is done. */
  async function isEnded(clientId: string, act: (client: mqtt.MqttClient) => unknown): Promise<boolean> {
    const one = await client(clientId);
    const closed = new Promise<boolean>((resolve) => one.once("close", () => resolve(true)));
    const done = Promise.resolve(act(one)).then(
      () => false,
      () => closed,
    );
    return await Promise.race([closed, done]);
  }

  it("a message of more than 128 KB", async () => {
    const topic = "$aws/things/t/jobs/get";
    equal(await isEnded("a", (c) => c.publishAsync(topic, Buffer.alloc(LARGEST), { qos: 1 })), false);
    equal(await isEnded("b", (c) => c.publishAsync(topic, Buffer.alloc(LARGEST + 1), { qos: 1 })), true);
    deepEqual(heard, [LARGEST]);
  });

  it("a message announced with 256 MB, before a byte of it is there", async () => {
    const { port } = new URL(broker.url);
    const socket: Socket = connect(Number(port), "127.0.0.1");
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => {});
    // CONNECT of client "x", then the head of a PUBLISH with the largest remaining length.
    socket.write(Buffer.from("100d00044d51545404020000000178", "hex"));
    socket.write(Buffer.from("30ffffff7f", "hex"));
    await closed;
  });

  it("QoS 2", async () => {
    equal(await isEnded("c", (c) => c.publishAsync("t", "x", { qos: 2 })), true);
    equal(await isEnded("d", (c) => c.subscribeAsync("t", { qos: 2 })), true);
    equal(await isEnded("e", (c) => c.subscribeAsync("t", { qos: 1 })), false);
  });

  it("topics of more than 256 bytes or 7 slashes", async () => {
    const deep = (slashes: number) => `${"a/".repeat(slashes)}b`;
    for (const [id, topic, ended] of [
      ["f", "a".repeat(256), false],
      ["g", "a".repeat(257), true],
      ["h", deep(7), false],
      ["i", deep(8), true],
    ] as const) {
      equal(await isEnded(`${id}p`, (c) => c.publishAsync(topic, "x", { qos: 1 })), ended, `publish ${id}`);
      equal(await isEnded(`${id}s`, (c) => c.subscribeAsync(topic)), ended, `subscribe ${id}`);
    }
  });

  it("more than 8 subscriptions in a request, or 50 on a connection", async () => {
    const topics = (count: number, prefix: string) =>
      Array.from({ length: count }, (_, index) => `${prefix}${index}`);
    equal(await isEnded("j", (c) => c.subscribeAsync(topics(8, "x"))), false);
    const nine = await client("k");
    const closed = new Promise<void>((resolve) => nine.once("close", () => resolve()));
    await nine.subscribeAsync(topics(9, "x")).catch(() => {});
    await closed;
    const many = async (c: mqtt.MqttClient, count: number) => {
      for (const topic of topics(count, "y")) await c.subscribeAsync(topic);
    };
    equal(await isEnded("l", (c) => many(c, 50)), false);
    equal(await isEnded("m", (c) => many(c, 51)), true);
  });

  it("client ids of more than 128 bytes", async () => {
    ok(await client("n".repeat(128)));
    const refused = mqtt.connect(broker.url, { clientId: "n".repeat(129), reconnectPeriod: 0 });
    refused.on("error", () => {});
    clients.push(refused);
    await new Promise<void>((resolve) => refused.once("close", () => resolve()));
    equal(refused.connected, false);
  });

  it("a client id that connects again within a second", () => {
    let now = 5000;
    const rate = new ConnectRate(1000, () => now);
    equal(rate.take("a"), true);
    equal(rate.take("b"), true);
    now += 999;
    equal(rate.take("a"), false);
    now += 1;
    equal(rate.take("a"), true, "a refused one does not count");
  });

  it("measures packets however they are cut", () => {
    const packet = (length: number) => {
      const head = [0x30];
      for (let rest = length; ; ) {
        const digit = rest % 128;
        rest = Math.floor(rest / 128);
        head.push(rest > 0 ? digit | 128 : digit);
        if (rest === 0) return Buffer.concat([Buffer.from(head), Buffer.alloc(length)]);
      }
    };
    const stream = Buffer.concat([0, 1, 127, 128, 16_384, 131_072].map(packet));
    for (const step of [1, 2, 3, 7, 1000, stream.length]) {
      const meter = new PacketMeter();
      for (let at = 0; at < stream.length; at += step)
        equal(meter.take(stream.subarray(at, at + step)), true, `in steps of ${step}`);
      equal(meter.take(Buffer.from("30808010", "hex")), false, "262,144 bytes");
    }
    equal(new PacketMeter().take(Buffer.from("30ffffffff7f", "hex")), false, "a length of five bytes");
  });
});
