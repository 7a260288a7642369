/**
 * What every `MqttConnection` has to do, whatever it is made of. A port's author calls `mqttConformance` with a
 * harness that connects his implementation to the byte-level peer; `describe` and `it` are mocha's, or stand-ins.
 * @module
 */
import { encodeUtf8 } from "../../src/bytes.js";
import type { MqttConnection, MqttSubscription } from "../../src/ports.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import {
  CONNECT,
  MqttPeer,
  PINGREQ,
  PUBACK,
  PUBLISH,
  pattern,
  publication,
  publish,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from "../support/mqtt-peer.js";

export interface MqttHarness {
  /**
   * Connects an implementation to `peer`, with: client id "device", a keep-alive of about a second, first
   * reconnection within a few hundred milliseconds, acknowledgements awaited for under a second and two
   * repetitions after that, and at least 8 and at most 64 messages queued.
   */
  open(peer: MqttPeer): Promise<MqttConnection & { close(): unknown }>;
  /** Lets time pass until `condition()` is true. Rejects when that takes unreasonably long. */
  until(condition: () => boolean, what: string): Promise<void>;
  /** Lets everything under way arrive, so that what was sent separately is received separately. */
  settle(): Promise<void>;
  /** Gives the peer's and the connection's sockets back. */
  close(): Promise<void>;
  readonly limits?: MqttLimits;
}

/** What an implementation is known to do less than the others, because what it is made of does. */
export interface MqttLimits {
  /** It loses a connection over a message without payload; it then must recover. */
  readonly stallsOnEmptyMessage?: boolean;
  /** False: a message that is not acknowledged is not sent again. */
  readonly repeats?: false;
  /** False: any number of messages may wait. */
  readonly bounded?: false;
  /** False: only QoS 0. Subscriptions and messages count as answered when they are written. */
  readonly qos1?: false;
  /** Longest message that can be sent, bytes. */
  readonly longest?: number;
}

class Listener implements MqttSubscription {
  readonly messages: { topic: string; payload: Uint8Array }[] = [];
  readonly qos = 1;
  constructor(readonly filter: string) {}
  message(topic: string, payload: Uint8Array): void {
    this.messages.push({ topic, payload: payload.slice() });
  }
  get texts(): string[] {
    return this.messages.map(({ payload }) => String.fromCharCode(...payload));
  }
}

export function mqttConformance(title: string, create: () => MqttHarness): void {
  describe(title, () => {
    const { limits = {} } = create();
    const { longest = Number.POSITIVE_INFINITY } = limits;
    let harness: MqttHarness;
    let peer: MqttPeer;
    let connection: MqttConnection & { close(): unknown };

    beforeEach(async () => {
      harness = create();
      peer = new MqttPeer();
      connection = await harness.open(peer);
    });
    afterEach(async () => {
      connection.close();
      await harness.settle();
      await harness.close();
    });

    const online = () => harness.until(() => connection.connected, "connected");
    async function listen(filter = "t"): Promise<Listener> {
      await online();
      const listener = new Listener(filter);
      let done = false;
      connection.subscribe(listener, () => {
        done = true;
      });
      await harness.until(() => done, "subscribed");
      return listener;
    }
    const arrived = (listener: Listener, count: number) =>
      harness.until(() => listener.messages.length >= count, `${count} messages`);

    it("introduces itself as MQTT 3.1.1 with a clean session", async () => {
      await online();
      const [packet] = peer.session.of(CONNECT);
      deepEqual(packet.body.slice(0, 7), Uint8Array.of(0, 4, 77, 81, 84, 84, 4));
      equal(packet.body[7] & 0x02, 2, "clean session");
      deepEqual(packet.body.slice(10, 18), Uint8Array.of(0, 6, ...encodeUtf8("device")));
    });

    it("tells observers about every connection, after it is made", async () => {
      const log: string[] = [];
      connection.addObserver({ online: () => log.push("online"), offline: () => log.push("offline") });
      await harness.until(() => log.length === 1, "online");
      peer.session.close();
      await harness.until(() => log.length === 3, "online again");
      deepEqual(log, ["online", "offline", "online"]);
    });

    it("asks again after a refusal by the broker", async () => {
      peer.connack = 3;
      await harness.until(() => peer.sessions.length > 1, "a second attempt");
      equal(connection.connected, false);
      peer.connack = 0;
      await online();
    });

    it("receives a message split at any byte", async () => {
      const listener = await listen();
      // Who asks for QoS 0 gets no more: the SDK's classic client loses its place when such a message ends behind its topic.
      const bytes = publish("t", encodeUtf8("hello"), limits.qos1 === false ? undefined : 7);
      for (let at = 1; at < bytes.length; at++) {
        peer.session.part(bytes.subarray(0, at), false);
        await harness.settle();
        peer.session.part(bytes.subarray(at), true);
        await arrived(listener, at);
      }
      equal(
        listener.texts.every((text) => text === "hello"),
        true,
      );
    });

    it("receives a message byte by byte", async () => {
      const listener = await listen();
      const bytes = publish("t", encodeUtf8("hello"));
      for (const [at, byte] of bytes.entries()) {
        peer.session.part(Uint8Array.of(byte), at === bytes.length - 1);
        await harness.settle();
      }
      await arrived(listener, 1);
      deepEqual(listener.texts, ["hello"]);
    });

    it("receives several messages in one segment", async () => {
      const listener = await listen("t/+");
      const words = ["a", "bb", "ccc"];
      peer.session.send(...words.map((word, i) => publish(`t/${i}`, encodeUtf8(word), i + 1)));
      await arrived(listener, 3);
      deepEqual(listener.texts, words);
      deepEqual(
        listener.messages.map(({ topic }) => topic),
        ["t/0", "t/1", "t/2"],
      );
    });

    it("puts a long message into the buffer the subscriber gives", async () => {
      await online();
      const asked: number[] = [];
      const own = new Uint8Array(50_000);
      let got: Uint8Array | undefined;
      let subscribed = false;
      const subscription = {
        filter: "t",
        qos: 0 as const,
        buffer: (_topic: string, byteLength: number) => {
          asked.push(byteLength);
          return own;
        },
        message: (_topic: string, payload: Uint8Array) => {
          got = payload;
        },
      };
      connection.subscribe(subscription, () => {
        subscribed = true;
      });
      await harness.until(() => subscribed, "subscribed");
      const content = pattern(40_000);
      peer.session.send(publish("t", content));
      await harness.until(() => got !== undefined, "the message");
      deepEqual(asked, [40_000]);
      equal(got?.buffer, own.buffer, "not the buffer given");
      equal(got?.length, 40_000);
      deepEqual(own.slice(0, 40_000), content);
    });

    for (const [what, short] of [
      ["nobody has a buffer for", undefined],
      ["longer than the buffer that is given", new Uint8Array(100)],
    ] as const)
      it(`throws away a message ${what}, and receives the next`, async () => {
        await online();
        const texts: string[] = [];
        let subscribed = false;
        connection.subscribe(
          {
            filter: "t",
            qos: 1,
            buffer: (_topic, byteLength) => (byteLength > 100 ? short : new Uint8Array(100)),
            message: (_topic, payload) => texts.push(String.fromCharCode(...payload)),
          },
          () => {
            subscribed = true;
          },
        );
        await harness.until(() => subscribed, "subscribed");
        peer.session.send(publish("t", pattern(5_000), 1), publish("t", encodeUtf8("short"), 2));
        await harness.until(() => texts.length > 0, "the short message");
        deepEqual(texts, ["short"]);
        if (limits.qos1 !== false)
          await harness.until(() => peer.session.of(PUBACK).length === 2, "both acknowledged");
      });

    it("receives a message without payload, and the next", async () => {
      const listener = await listen();
      peer.session.send(publish("t", new Uint8Array(0)), publish("t", encodeUtf8("next")));
      if (limits.stallsOnEmptyMessage) {
        await harness.until(() => peer.sessions.length > 1 && connection.connected, "connected again");
        await harness.until(() => peer.session.filters.includes("t"), "subscribed again");
        peer.session.send(publish("t", encodeUtf8("next")));
        await harness.until(() => listener.texts.includes("next"), "the next message");
        return;
      }
      await arrived(listener, 2);
      deepEqual(listener.texts, ["", "next"]);
    });

    if (limits.qos1 !== false)
      it("acknowledges every copy of a message with QoS 1", async () => {
        const listener = await listen();
        const payload = encodeUtf8("x");
        peer.session.send(publish("t", payload, 0x1234), publish("t", payload, 0x1234, true));
        await arrived(listener, 2);
        await harness.until(() => peer.session.of(PUBACK).length === 2, "two acknowledgements");
        for (const { body } of peer.session.of(PUBACK)) deepEqual(body, Uint8Array.of(0x12, 0x34));
      });

    it("delivers to every subscriber of a topic, and none that has left", async () => {
      const first = await listen("t/#");
      const second = await listen("t/x");
      peer.session.send(publish("t/x", encodeUtf8("1")));
      await harness.until(() => first.messages.length + second.messages.length === 2, "both");
      connection.unsubscribe(second);
      peer.session.send(publish("t/x", encodeUtf8("2")));
      await arrived(first, 2);
      deepEqual(second.texts, ["1"]);
      await harness.until(() => peer.session.of(UNSUBSCRIBE).length === 1, "UNSUBSCRIBE");
    });

    it("goes on when a subscriber fails", async () => {
      let calls = 0;
      connection.subscribe({
        filter: "t",
        qos: 0,
        message: () => {
          // The second time what has no message.
          throw calls++ ? null : new Error("deliberate");
        },
      });
      const listener = await listen();
      peer.session.send(publish("t", encodeUtf8("1")), publish("t", encodeUtf8("2")));
      await arrived(listener, 2);
      equal(calls, 2);
      equal(peer.sessions.length, 1);
    });

    if (limits.qos1 !== false)
      it("reports a refused subscription", async () => {
        await online();
        peer.granted = 0x80;
        let result: Error | undefined | "none" = "none";
        connection.subscribe(new Listener("t"), (error) => {
          result = error;
        });
        await harness.until(() => result !== "none", "the answer");
        ok((result as unknown) instanceof Error);
      });

    it("reports a message with QoS 0 when it is written", async () => {
      await online();
      let done: unknown = "not yet";
      connection.publish("p", encodeUtf8("hi"), 0, (error) => {
        done = error;
      });
      equal(done, "not yet", "called from inside publish");
      await harness.until(() => done === undefined && peer.session.of(PUBLISH).length === 1, "written");
      const { topic, payload } = publication(peer.session.of(PUBLISH)[0]);
      equal(topic, "p");
      deepEqual(payload, encodeUtf8("hi"));
    });

    if (limits.qos1 !== false)
      it("reports a message with QoS 1 when it is acknowledged, not before", async () => {
        await online();
        peer.acks = false;
        const results: unknown[] = [];
        connection.publish("p", encodeUtf8("hi"), 1, (error) => results.push(error));
        await harness.until(() => peer.session.of(PUBLISH).length === 1, "written");
        await harness.settle();
        equal(results.length, 0);
        peer.session.acknowledge(peer.session.of(PUBLISH)[0]);
        await harness.until(() => results.length === 1, "done");
        equal(results[0], undefined);
      });

    if (limits.qos1 !== false)
      it("tells messages under way apart by their identifiers", async () => {
        await online();
        peer.acks = false;
        const results: number[] = [];
        for (let i = 0; i < 3; i++) connection.publish("p", encodeUtf8("hi"), 1, () => results.push(i));
        await harness.until(() => peer.session.of(PUBLISH).length === 3, "written");
        const messages = peer.session.of(PUBLISH);
        equal(new Set(messages.map((message) => publication(message).id)).size, 3, "identifiers");
        for (const i of [1, 2, 0]) {
          peer.session.acknowledge(messages[i]);
          await harness.until(() => results.includes(i), "done");
        }
        deepEqual(results, [1, 2, 0]);
      });

    if (limits.repeats !== false)
      it("sends a message again when its acknowledgement is lost", async () => {
        await online();
        peer.acks = false;
        const results: unknown[] = [];
        connection.publish("p", encodeUtf8("hi"), 1, (error) => results.push(error));
        await harness.until(() => peer.session.of(PUBLISH).length === 2, "sent again");
        const [first, second] = peer.session.of(PUBLISH);
        equal(publication(second).id, publication(first).id);
        equal(second.flags & 8, 8, "flag DUP");
        deepEqual(publication(second).payload, encodeUtf8("hi"));
        peer.session.acknowledge(second);
        peer.session.acknowledge(first);
        await harness.until(() => results.length > 0, "done");
        await harness.settle();
        deepEqual(results, [undefined]);
      });

    if (limits.repeats !== false)
      it("asks again when a subscription is not answered", async () => {
        await online();
        peer.subacks = false;
        const listener = new Listener("t");
        let done = 0;
        connection.subscribe(listener, () => done++);
        await harness.until(() => peer.session.of(SUBSCRIBE).length === 2, "asked again");
        deepEqual(peer.session.filters, ["t", "t"]);
        peer.subacks = true;
        await harness.until(() => done > 0, "granted");
        equal(peer.sessions.length, 1, "on the same connection");
        peer.session.send(publish("t", encodeUtf8("x")));
        await arrived(listener, 1);
        equal(done, 1);
      });

    if (limits.qos1 !== false)
      it("replaces a connection on which a subscription is never answered (it stayed deaf for ever)", async () => {
        await online();
        peer.subacks = false;
        const listener = new Listener("t");
        let done = 0;
        connection.subscribe(listener, () => done++);
        await harness.until(() => peer.sessions.length > 1, "a new connection");
        peer.subacks = true;
        await harness.until(() => done > 0, "granted");
        peer.session.send(publish("t", encodeUtf8("x")));
        await arrived(listener, 1);
      });

    if (limits.qos1 !== false)
      it("replaces a connection on which the end of a subscription is never answered", async () => {
        const listener = await listen();
        peer.unsubacks = false;
        connection.unsubscribe(listener);
        if (limits.repeats !== false)
          await harness.until(() => peer.session.of(UNSUBSCRIBE).length === 2, "asked again");
        await harness.until(() => peer.sessions.length > 1 && connection.connected, "a new connection");
        deepEqual(peer.session.filters, []);
      });

    if (limits.repeats !== false)
      it("keeps a connection on which messages arrive: the answer may be behind them", async () => {
        const listener = await listen();
        peer.subacks = false;
        let done = false;
        connection.subscribe(new Listener("u"), () => {
          done = true;
        });
        for (let i = 1; peer.session.of(SUBSCRIBE).length < 7; i++) {
          peer.session.send(publish("t", encodeUtf8("x")));
          await arrived(listener, i);
          await harness.settle();
        }
        equal(peer.sessions.length, 1);
        peer.subacks = true;
        await harness.until(() => done, "granted");
      });

    it("calls nobody who was unsubscribed while the message was handed round", async () => {
      let second: Listener | undefined;
      connection.subscribe({
        filter: "t",
        qos: 0,
        message: () => second && connection.unsubscribe(second),
      });
      second = await listen();
      const third = await listen();
      peer.session.send(publish("t", encodeUtf8("x")));
      await arrived(third, 1);
      deepEqual(second.texts, []);
    });

    if (limits.qos1 !== false)
      it("gives up a message that is never acknowledged, and the connection with it", async () => {
        await online();
        peer.acks = false;
        const results: unknown[] = [];
        connection.publish("p", encodeUtf8("hi"), 1, (error) => results.push(error));
        await harness.until(() => results.length > 0, "given up");
        ok(results[0] instanceof Error);
        peer.acks = true;
        await harness.until(() => peer.sessions.length > 1 && connection.connected, "a new connection");
        deepEqual(peer.session.of(PUBLISH), [], "what was given up is not sent");
      });

    it("does not throw when there is no connection", async () => {
      peer.connack = undefined;
      const results: unknown[] = [];
      connection.publish("p", encodeUtf8("hi"), 1, (error) => results.push(error));
      equal(results.length, 0, "called from inside publish");
      await harness.until(() => results.length === 1, "failed");
      ok(results[0] instanceof Error);
    });

    if (limits.qos1 !== false)
      it("fails what is under way when the connection breaks, each once", async () => {
        await online();
        peer.acks = false;
        const results: unknown[] = [];
        for (let i = 0; i < 3; i++)
          connection.publish("p", encodeUtf8("hi"), 1, (error) => results.push(error));
        await harness.until(() => peer.session.of(PUBLISH).length === 3, "written");
        peer.session.close();
        await harness.until(() => results.length === 3, "failed");
        for (const result of results) ok(result instanceof Error);
        if (limits.repeats === false) return;
        // What has failed for the caller is over: it is not sent on the next connection either.
        await online();
        await harness.settle();
        for (const session of peer.sessions.slice(1)) equal(session.of(PUBLISH).length, 0);
      });

    it("survives a connection that breaks inside a payload", async () => {
      const listener = await listen();
      const bytes = publish("t", pattern(3_000));
      peer.session.part(bytes.subarray(0, 2_000), false);
      await harness.settle();
      peer.session.close();
      await harness.until(() => peer.sessions.length > 1 && peer.session.filters.length > 0, "back again");
      peer.session.send(publish("t", encodeUtf8("whole")));
      await arrived(listener, 1);
      deepEqual(listener.texts, ["whole"]);
    });

    it("renews its subscriptions when the broker restarts", async () => {
      const listener = await listen("a/b");
      const gone = await listen("c");
      connection.unsubscribe(gone);
      peer.connack = undefined;
      peer.session.close();
      await harness.until(() => peer.sessions.length > 1, "a new attempt");
      equal(connection.connected, false);
      peer.connack = 0;
      peer.session.close();
      await harness.until(() => connection.connected && peer.session.filters.length > 0, "renewed");
      deepEqual(peer.session.filters, ["a/b"]);
      peer.session.send(publish("a/b", encodeUtf8("again")));
      await arrived(listener, 1);
      deepEqual(listener.texts, ["again"]);
    });

    it("writes a long message in pieces, and keeps the order", async () => {
      await online();
      const content = pattern(Math.min(30_000, longest));
      const results: unknown[] = [];
      connection.publish("p", content, 1, (error) => results.push(error));
      connection.publish("p", encodeUtf8("behind"), 1, (error) => results.push(error));
      await harness.until(() => results.length === 2, "both acknowledged");
      await harness.until(() => peer.session.of(PUBLISH).length === 2, "both");
      deepEqual(results, [undefined, undefined]);
      const [long, short] = peer.session.of(PUBLISH);
      equal(publication(long).payload.length, content.length);
      deepEqual(publication(long).payload, content);
      deepEqual(publication(short).payload, encodeUtf8("behind"));
    });

    it("receives while it writes", async () => {
      const listener = await listen();
      const content = pattern(Math.min(20_000, longest));
      const results: unknown[] = [];
      connection.publish("p", content, 1, (error) => results.push(error));
      for (let i = 0; i < 5; i++) peer.session.send(publish("t", pattern(2_000, i), i + 1));
      await harness.until(() => results.length === 1 && listener.messages.length === 5, "both ways");
      deepEqual(results, [undefined]);
      deepEqual(publication(peer.session.of(PUBLISH)[0]).payload, content);
      for (let i = 0; i < 5; i++) deepEqual(listener.messages[i].payload, pattern(2_000, i));
      if (limits.qos1 !== false)
        await harness.until(() => peer.session.of(PUBACK).length === 5, "acknowledged");
    });

    if (limits.bounded !== false)
      it("bounds what it holds back", async () => {
        await online();
        peer.acks = false;
        const results: unknown[] = [];
        for (let i = 0; i < 65; i++)
          connection.publish("p", encodeUtf8("hi"), 1, (error) => results.push(error));
        await harness.until(() => results.length > 0, "refused");
        ok(results[0] instanceof Error);
        // At once, not when an acknowledgement was waited for in vain.
        for (const { flags } of peer.session.of(PUBLISH)) equal(flags & 8, 0, "flag DUP");
        await harness.until(() => peer.session.of(PUBLISH).length >= 8, "the others written");
      });

    it("keeps a silent connection alive", async () => {
      await online();
      await harness.until(() => peer.session.of(PINGREQ).length >= 3, "three pings");
      equal(peer.sessions.length, 1);
      equal(connection.connected, true);
    });

    it("notices that the peer is gone by the keep-alive", async () => {
      await online();
      peer.pings = false;
      await harness.until(() => peer.sessions.length > 1, "a new attempt");
      peer.pings = true;
      await online();
    });

    it("drops a peer that does not speak MQTT, and tries again", async () => {
      await online();
      peer.session.send(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0));
      await harness.until(() => peer.sessions.length > 1, "a new attempt");
      await online();
    });
  });
}
