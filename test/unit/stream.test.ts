import { StreamPlane } from "../../src/transfer/stream.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { fileOf, type MemoryPal, ScriptedPlane, Transfer } from "../support/transfer.js";
import { seeded, VirtualClock } from "../support/virtual-clock.js";
import { VirtualBroker, type VirtualMqtt } from "../support/virtual-network.js";

const PREFIX = "$aws/things/thing-1/streams/AFR_OTA-XYZ/";

function head(major: number, value: number): number[] {
  if (value < 24) return [(major << 5) | value];
  if (value < 256) return [(major << 5) | 24, value];
  if (value < 65536) return [(major << 5) | 25, value >> 8, value & 255];
  return [(major << 5) | 26, value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];
}

function text(value: string): number[] {
  return [...head(3, value.length), ...Array.from(value, (c) => c.charCodeAt(0))];
}

function blockMessage(f: number, i: number, l: number, p: Uint8Array): Uint8Array {
  const front = [0xa4, ...text("f"), ...head(0, f), ...text("i"), ...head(0, i), ...text("l"), ...head(0, l)];
  front.push(...text("p"), ...head(2, p.length));
  const message = new Uint8Array(front.length + p.length);
  message.set(front);
  message.set(p, front.length);
  return message;
}

function rejection(code: string): Uint8Array {
  return new Uint8Array([0xbf, ...text("o"), ...text(code), ...text("m"), ...text("because"), 0xff]);
}

/** A plane over a virtual broker, with a sink that records. */
class Bench {
  readonly clock = new VirtualClock();
  readonly broker = new VirtualBroker(this.clock.time, seeded(1));
  readonly mqtt: VirtualMqtt = this.broker.connect(this.clock, { rtt: 20 });
  readonly plane = new StreamPlane({ mqtt: this.mqtt, thingName: "thing-1" });
  readonly log: string[] = [];
  readonly published: [string, Uint8Array][] = [];
  readonly buffer = new Uint8Array(1024);

  constructor() {
    this.broker.onMessage = (topic, payload) => this.published.push([topic, payload]);
  }

  open(fileSize = 1000, blockSize = 256): this {
    this.plane.open(fileOf(fileSize), blockSize, {
      ready: () => this.log.push("ready"),
      waiting: () => this.log.push("waiting"),
      buffer: (length) => (length <= 1024 ? this.buffer : undefined),
      block: (index, payload) => this.log.push(`block ${index} ${payload.length} ${payload[0]}`),
      bad: (reason) => this.log.push(`bad ${reason}`),
      refused: (error, remedy) => this.log.push(`${remedy} ${error.code}`),
    });
    this.clock.run(100);
    return this;
  }

  data(message: Uint8Array): string | undefined {
    this.log.length = 0;
    this.broker.publish(`${PREFIX}data/cbor`, message, 0);
    this.clock.run(100);
    return this.log[0];
  }

  reject(code: string): string | undefined {
    this.log.length = 0;
    this.broker.publish(`${PREFIX}rejected/cbor`, rejection(code), 0);
    this.clock.run(100);
    return this.log[0];
  }
}

describe("MQTT data plane", () => {
  it("serves files that are in a stream", () => {
    const { plane } = new Bench();
    equal(plane.protocol, "MQTT");
    equal(plane.usable(fileOf(1000)), true);
    equal(plane.usable(fileOf(1000, { streamName: "" })), false);
    equal(plane.usable(fileOf(24 * 1024 * 1024 + 1)), false);
  });

  it("asks in the form of GetStream, without token", () => {
    const bench = new Bench().open();
    ok(bench.plane.request(1, new Uint8Array([5]), 2, 0));
    bench.clock.run(100);
    deepEqual(bench.published.at(-1), [
      `${PREFIX}get/cbor`,
      new Uint8Array([
        0xa5,
        ...text("f"),
        3,
        ...text("l"),
        0x19,
        1,
        0,
        ...text("o"),
        1,
        ...text("b"),
        0x41,
        5,
        ...text("n"),
        2,
      ]),
    ]);
  });

  it("delivers a block that is right", () => {
    const bench = new Bench().open();
    equal(bench.data(blockMessage(3, 1, 256, new Uint8Array(256).fill(9))), "block 1 256 9");
    equal(bench.data(blockMessage(3, 3, 232, new Uint8Array(232).fill(8))), "block 3 232 8");
  });

  it("drops what is not a block of this file", () => {
    const bench = new Bench().open();
    const full = new Uint8Array(256);
    const cases: [string, Uint8Array][] = [
      ["foreign file", blockMessage(4, 1, 256, full)],
      ["beyond the file", blockMessage(3, 4, 256, full)],
      ["far beyond the file", blockMessage(3, 0xffffffff, 256, full)],
      ["lies about its length", blockMessage(3, 1, 256, full.subarray(1))],
      ["states another length than it has", blockMessage(3, 1, 255, full)],
      ["short", blockMessage(3, 1, 255, full.subarray(1))],
      ["last block too long", blockMessage(3, 3, 256, full)],
      ["empty", new Uint8Array(0)],
      ["no CBOR", new Uint8Array([0xff, 1, 2])],
      ["cut", blockMessage(3, 1, 256, full).subarray(0, 100)],
    ];
    for (const [name, message] of cases) ok(bench.data(message)?.startsWith("bad"), name);
    const even = new Bench().open(1024);
    ok(even.data(blockMessage(3, 4, 0, new Uint8Array(0)))?.startsWith("bad"), "empty behind the file");
  });

  it("never sees a message longer than its buffer", () => {
    const bench = new Bench().open();
    equal(bench.data(new Uint8Array(2000)), undefined);
  });

  it("limits a request to an answer set of 128 KB", () => {
    equal(new Bench().open(1000, 4096).plane.maxBlocks, 32);
    equal(new Bench().open(1000, 131072).plane.maxBlocks, 1);
  });

  it("asks for a fresh job when the stream is gone, and gives up when that does not help", () => {
    for (const code of ["ResourceNotFound", "ETagMismatch", "VersionMismatch"]) {
      const bench = new Bench().open();
      equal(bench.reject(code), "refresh stream-refused");
      bench.open();
      equal(bench.reject(code), "final stream-refused");
    }
  });

  it("asks for a fresh job again when blocks came in between", () => {
    const bench = new Bench().open();
    bench.reject("ETagMismatch");
    bench.data(blockMessage(3, 1, 256, new Uint8Array(256)));
    equal(bench.reject("ETagMismatch"), "refresh stream-refused");
  });

  it("tries again when the service is busy, also for reasons it does not know", () => {
    const bench = new Bench().open();
    for (const code of ["RequestThrottled", "InternalError", "SomethingNew", "SomeNotFound"])
      equal(bench.reject(code), "retry stream-refused");
  });

  it("gives up when the request itself is refused", () => {
    const bench = new Bench().open();
    for (const code of ["Unauthorized", "InvalidRequest", "BlockSizeOutOfBounds", "BlockBitmapLimitExceeded"])
      equal(bench.reject(code), "final stream-refused");
  });

  it("counts a rejection it cannot read", () => {
    const bench = new Bench().open();
    bench.log.length = 0;
    bench.broker.publish(`${PREFIX}rejected/cbor`, new Uint8Array([1]), 0);
    bench.clock.run(100);
    ok(bench.log[0].startsWith("bad"));
  });

  it("gives up when the broker refuses the subscription", () => {
    const bench = new Bench();
    bench.mqtt.refuse = () => new Error("not authorized");
    bench.open();
    ok(bench.log.includes("final stream-refused"));
  });

  it("follows the connection", () => {
    const bench = new Bench().open();
    bench.mqtt.disconnect();
    bench.clock.run(10);
    equal(bench.plane.request(0, new Uint8Array([1]), 1, 0), false);
    bench.mqtt.reconnect();
    bench.clock.run(10);
    deepEqual(bench.log, ["ready", "waiting", "ready"]);
    bench.clock.run(100);
    equal(bench.data(blockMessage(3, 1, 256, new Uint8Array(256).fill(9))), "block 1 256 9");
  });

  it("becomes ready on connecting when opened without a connection", () => {
    const bench = new Bench();
    bench.mqtt.disconnect();
    bench.open();
    deepEqual(
      bench.log.filter((line) => line === "ready"),
      [],
    );
    bench.mqtt.reconnect();
    bench.clock.run(10);
    equal(bench.log.at(-1), "ready");
  });

  it("hears nothing more once closed", () => {
    const bench = new Bench().open();
    bench.plane.close();
    bench.plane.close();
    equal(bench.data(blockMessage(3, 1, 256, new Uint8Array(256))), undefined);
    bench.mqtt.disconnect();
    bench.clock.run(10);
    deepEqual(bench.log, []);
    equal(bench.plane.request(0, new Uint8Array([1]), 1, 0), false);
  });
});

describe("MQTT data plane: a whole transfer over a bad network", () => {
  /** A stream server that knows just enough: the answers come from the request's bits. */
  function transfer(seed: number, outage: boolean): Transfer {
    const clock = new VirtualClock();
    const broker = new VirtualBroker(clock.time, seeded(seed));
    const mqtt = broker.connect(clock, {
      rtt: 60,
      jitter: 20,
      bandwidth: 100_000,
      loss: 0.1,
      duplicate: 0.1,
      reorder: 0.1,
    });
    const content = new Transfer(300_001).content;
    broker.onMessage = (topic, payload) => {
      if (topic !== `${PREFIX}get/cbor`) return;
      const request = new ScriptedPlane();
      request.onRequest = (blocks) => {
        for (const block of blocks) {
          const bytes = content.subarray(block * 4096, (block + 1) * 4096);
          broker.publish(`${PREFIX}data/cbor`, blockMessage(3, block, bytes.length, bytes), 0);
        }
      };
      readRequest(payload, request);
    };
    const t = new Transfer(300_001, {
      clock,
      random: seeded(seed + 1),
      plane: new StreamPlane({ mqtt, thingName: "thing-1" }) as never,
    });
    if (outage) {
      clock.time.at(1_000, () => mqtt.disconnect());
      clock.time.at(9_000, () => mqtt.reconnect());
    }
    t.start();
    ok(
      t.clock.runUntilDone(() => t.complete || t.failures.length > 0, 600_000),
      "did not end",
    );
    return t;
  }

  /** Reads the fixed form of our own requests. */
  function readRequest(payload: Uint8Array, into: ScriptedPlane): void {
    let at = 1;
    const entry = (): number => {
      at += 2;
      const info = payload[at++] & 31;
      if (info < 24) return info;
      let value = 0;
      for (let left = info === 24 ? 1 : info === 25 ? 2 : 4; left > 0; left--)
        value = value * 256 + payload[at++];
      return value;
    };
    let token = 0;
    if (payload[0] === 0xa6) {
      token = payload[4] - 0x30;
      at = 5;
    }
    equal(entry(), 3);
    equal(entry(), 4096);
    const first = entry();
    const length = entry();
    const bitmap = payload.slice(at, at + length);
    at += length;
    into.request(first, bitmap, entry(), token);
  }

  it("brings the file together whatever is lost, doubled or overtaken", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const t = transfer(seed, false);
      deepEqual([t.events, seed], [["head", "complete"], seed]);
      deepEqual((t.pal as MemoryPal).bytes, t.content);
    }
  });

  it("goes on after the connection was away", () => {
    for (let seed = 1; seed <= 5; seed++) {
      const t = transfer(seed, true);
      deepEqual([t.events, seed], [["head", "complete"], seed]);
      ok(t.clock.now() > 9_000);
    }
  });
});
