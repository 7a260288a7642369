/** The MQTT connection of the Node host, over real sockets. */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Aedes } from "aedes";
import { NodeMqttConnection } from "../../hosts/node/mqtt-connection.js";
import type { MqttSubscription } from "../../src/ports.js";

const bytes = (text: string) => new TextEncoder().encode(text);

class Listener implements MqttSubscription {
  readonly texts: string[] = [];
  constructor(
    readonly filter: string,
    readonly qos: 0 | 1 = 1,
  ) {}
  message(_topic: string, payload: Uint8Array): void {
    this.texts.push(Buffer.from(payload).toString());
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + 5000; !condition(); ) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("NodeMqttConnection", () => {
  let broker: Aedes;
  let server: Server;
  let port: number;
  const sockets = new Set<Socket>();
  let connections: NodeMqttConnection[] = [];

  const listen = async (at = 0) => {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      broker.handle(socket);
    });
    server.listen(at, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  };
  const unlisten = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  const open = (clientId = "device", ackTimeout = 30_000) => {
    const connection = new NodeMqttConnection({
      url: `mqtt://127.0.0.1:${port}`,
      clientId,
      firstWait: 20,
      longestWait: 80,
      ackTimeout,
    });
    connections.push(connection);
    return connection;
  };
  const online = async (connection = open()) => {
    await until(() => connection.connected, "the connection is there");
    return connection;
  };
  const subscribed = (connection: NodeMqttConnection, subscription: MqttSubscription) =>
    new Promise<Error | undefined>((resolve) => connection.subscribe(subscription, resolve));
  const published = (connection: NodeMqttConnection, topic: string, text: string, qos: 0 | 1 = 1) =>
    new Promise<Error | undefined>((resolve) => connection.publish(topic, bytes(text), qos, resolve));

  beforeEach(async () => {
    broker = await Aedes.createBroker();
    connections = [];
    await listen();
  });
  afterEach(async () => {
    for (const connection of connections) await connection.close(true);
    await unlisten();
    await new Promise<void>((resolve) => broker.close(resolve));
  });

  it("ends a connection over a packet announced with 256 MB, which collected in memory before", async () => {
    const connection = await online();
    let lost = 0;
    connection.addObserver({ online() {}, offline: () => lost++ });
    const socket = [...sockets][0] as Socket;
    socket.write(Buffer.from("30ffffff7f000161", "hex"));
    await until(() => lost === 1, "the connection is given up");
    await online(connection);
  });

  it("ends a connection over a packet that cannot be read, long before the keep-alive would", async () => {
    const connection = await online();
    let lost = 0;
    connection.addObserver({ online() {}, offline: () => lost++ });
    ([...sockets][0] as Socket).write(Buffer.from("3003000561", "hex"));
    await until(() => lost === 1, "the connection is given up");
    await online(connection);
  });

  it("closed while it connects, does not come back: the process of a device lived on", async () => {
    let accepted = 0;
    const mute = createServer((socket) => {
      accepted++;
      sockets.add(socket);
      socket.resume();
      socket.on("error", () => {});
    });
    mute.listen(0, "127.0.0.1");
    await once(mute, "listening");
    const url = `mqtt://127.0.0.1:${(mute.address() as AddressInfo).port}`;
    const connection = new NodeMqttConnection({ url, clientId: "device", firstWait: 10, longestWait: 40 });
    await until(() => accepted === 1, "it connects");
    await connection.close(true);
    await new Promise((resolve) => setTimeout(resolve, 250));
    strictEqual(accepted, 1);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
  });

  it("delivers to a subscription what is published", async () => {
    const connection = await online();
    const listener = new Listener("a/+/c");
    strictEqual(await subscribed(connection, listener), undefined);
    strictEqual(await published(connection, "a/b/c", "yes"), undefined);
    strictEqual(await published(connection, "a/b/d", "no", 0), undefined);
    await until(() => listener.texts.length > 0, "the message is here");
    deepStrictEqual(listener.texts, ["yes"]);
  });

  it("delivers to every subscription that matches", async () => {
    const connection = await online();
    const listeners = [new Listener("a/#"), new Listener("a/b"), new Listener("b")];
    await Promise.all(listeners.slice(1).map((listener) => subscribed(connection, listener)));
    connection.subscribe(listeners[0]!);
    await published(connection, "a/b", "x");
    await until(() => listeners.slice(0, 2).every(({ texts }) => texts.length > 0), "both have it");
    deepStrictEqual(listeners[2]?.texts, []);
  });

  it("puts a message where the subscription wants it, and drops it when it wants it nowhere", async () => {
    const connection = await online();
    const buffer = new Uint8Array(16);
    const asked: number[] = [];
    const got: [boolean, number][] = [];
    await subscribed(connection, {
      filter: "t",
      qos: 1,
      buffer: (_topic, length) => {
        asked.push(length);
        return length > 4 ? undefined : buffer;
      },
      message: (_topic, payload) => got.push([payload.buffer === buffer.buffer, payload.length]),
    });
    await published(connection, "t", "too long");
    await published(connection, "t", "fits");
    await until(() => asked.length === 2, "both were offered");
    deepStrictEqual([asked, got], [[8, 4], [[true, 4]]]);
  });

  it("delivers nothing more once unsubscribed", async () => {
    const connection = await online();
    const gone = new Listener("t");
    const stays = new Listener("t");
    await subscribed(connection, gone);
    await subscribed(connection, stays);
    connection.unsubscribe(gone);
    await published(connection, "t", "x");
    await until(() => stays.texts.length > 0, "the other one has it");
    deepStrictEqual(gone.texts, []);
  });

  it("subscribes on connecting what was subscribed before", async () => {
    const connection = open();
    const listener = new Listener("t");
    strictEqual(connection.connected, false);
    strictEqual(await subscribed(connection, listener), undefined);
    await published(connection, "t", "x");
    await until(() => listener.texts.length > 0, "the message is here");
  });

  it("reports a publish that cannot be sent, in a later turn", async () => {
    const connection = open();
    let turn = "same";
    const result = published(connection, "t", "x");
    const later = result.then((error) => [turn, error?.message]);
    turn = "later";
    deepStrictEqual(await later, ["later", "not connected"]);
  });

  it("reports publishes under way when the connection breaks, and does not send them again", async () => {
    const connection = await online();
    const listener = new Listener("t");
    await subscribed(connection, listener);
    let offline = false;
    connection.addObserver({ online: () => {}, offline: () => (offline = true) });
    broker.authorizePublish = () => {}; // never acknowledges
    const result = published(connection, "t", "lost");
    await new Promise((resolve) => setTimeout(resolve, 50));
    connection.drop();
    ok((await result) instanceof Error);
    strictEqual(offline, true);
    broker.authorizePublish = (_client, _packet, done) => done(null);
    await online(connection);
    await published(connection, "t", "next");
    await until(() => listener.texts.length > 0, "the next message is here");
    deepStrictEqual(listener.texts, ["next"]);
  });

  it("connects again by itself, renews subscriptions, and tells", async () => {
    const connection = await online();
    const listener = new Listener("t");
    await subscribed(connection, listener);
    const events: string[] = [];
    const observer = { online: () => events.push("online"), offline: () => events.push("offline") };
    connection.addObserver(observer as never);
    await unlisten();
    await until(() => !connection.connected, "the loss is noticed");
    await listen(port);
    await online(connection);
    await published(connection, "t", "again");
    await until(() => listener.texts.length > 0, "the message is here");
    deepStrictEqual(events, ["offline", "online"]);
    connection.removeObserver(observer as never);
    connection.drop();
    await until(() => !connection.connected, "the loss is noticed");
    deepStrictEqual(events.length, 2);
  });

  it("replaces a connection on which a subscription is never answered", async () => {
    const connection = await online(open("device", 100));
    broker.authorizeSubscribe = () => {}; // never answers
    const listener = new Listener("t");
    const result = subscribed(connection, listener);
    await until(() => !connection.connected, "the connection is given up");
    broker.authorizeSubscribe = (_client, subscription, done) => done(null, subscription);
    strictEqual(await result, undefined);
    await published(connection, "t", "x");
    await until(() => listener.texts.length > 0, "the message is here");
  });

  it("goes on when a subscriber fails, and calls nobody who was unsubscribed by another", async () => {
    const connection = await online();
    const second = new Listener("t");
    const message = () => {
      connection.unsubscribe(second);
      throw new Error("deliberate");
    };
    await subscribed(connection, { filter: "t", qos: 1, message });
    await subscribed(connection, second);
    const third = new Listener("t");
    await subscribed(connection, third);
    await published(connection, "t", "x");
    await until(() => third.texts.length > 0, "the message is here");
    deepStrictEqual(second.texts, []);
  });

  it("reports a refused subscription", async () => {
    broker.authorizeSubscribe = (_client, _subscription, done) => done(null, null);
    const error = await subscribed(await online(), new Listener("forbidden"));
    match(String(error?.message), /forbidden refused/);
  });

  it("keeps a subscription whose answer is lost with the connection, and reports it once", async () => {
    const connection = await online();
    const listener = new Listener("t");
    broker.authorizeSubscribe = () => {}; // never answers
    let dones = 0;
    connection.subscribe(listener, () => dones++);
    await new Promise((resolve) => setTimeout(resolve, 30));
    broker.authorizeSubscribe = (_client, subscription, done) => done(null, subscription);
    connection.drop();
    await until(() => dones > 0, "the subscription is there");
    await published(connection, "t", "x");
    await until(() => listener.texts.length > 0, "the message is here");
    strictEqual(dones, 1);
  });

  it("is gone for its subscribers once closed", async () => {
    const connection = await online();
    const listener = new Listener("t");
    await subscribed(connection, listener);
    await connection.close();
    const other = await online(open("other"));
    await published(other, "t", "x");
    await new Promise((resolve) => setTimeout(resolve, 50));
    deepStrictEqual(listener.texts, []);
  });
});
