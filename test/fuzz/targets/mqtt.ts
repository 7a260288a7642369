/**
 * MQTT framing in the client of the hosts: the input is what a broker sends. However the network cuts it into
 * pieces, the same must come out.
 * @module
 */
import { MqttClient, MqttOperation, type MqttReadable } from "../../../hosts/common/mqtt-client.js";
import type { Socket, SocketOptions } from "../../../hosts/common/socket.js";
import type { Clock } from "../../../src/ports.js";
import { ascii, concat, hex } from "../../support/hex.js";
import type { Random } from "../random.js";
import { type FuzzTarget, must } from "../target.js";

/** Bytes the application reads at a time; more is offered only when that was read. */
const CHUNK = 700;

/** Feeds a client with `input` in pieces of `size` bytes; returns everything that came out. */
function transcript(input: Uint8Array, size: number): string[] {
  const events: string[] = [];
  const tasks: (() => void)[] = [];
  const clock: Clock = { now: () => 0, set: (callback) => tasks.push(callback), clear: () => undefined };
  const settle = () => {
    for (let task = tasks.shift(); task; task = tasks.shift()) task();
  };
  let callbacks: SocketOptions | undefined;
  let announced = 0;
  let at = 0;
  let open = true;
  const take = (length: number) => {
    must(open && length <= announced, "no more is read than was announced");
    announced -= length;
    at += length;
    return input.subarray(at - length, at);
  };
  class FedSocket implements Socket {
    format: "number" | "buffer" = "buffer";
    constructor(options: SocketOptions) {
      callbacks = options;
    }
    read(into?: Uint8Array): number | undefined {
      if (this.format === "number") return take(1)[0];
      into!.set(take(into!.length));
      return undefined;
    }
    write(bytes: Uint8Array): number {
      must(open, "nothing is written to a closed socket");
      events.push(`sent ${Buffer.from(bytes).toString("hex")}`);
      return 1000;
    }
    close(): void {
      open = false;
    }
  }
  const resolver = class {
    resolve({ onResolved }: { onResolved: (host: string, address: string) => void }) {
      onResolved("broker", "192.0.2.1");
    }
  };
  const message = { topic: "", expected: 0, parts: [] as Uint8Array[], received: 0 };
  const client: MqttClient = new MqttClient({
    host: "broker",
    clock,
    dns: { io: resolver as never },
    socket: { io: FedSocket as never },
    onControl: ({ operation, id, returnCode, payload }) =>
      events.push(`control ${operation} ${id} ${returnCode} ${payload}`),
    onReadable(count: number, { topic, byteLength, QoS, more }: MqttReadable) {
      must(open, "nothing is offered by a closed client");
      if (topic !== undefined) {
        must(QoS === 0 || QoS === 1, "a message has QoS 0 or 1");
        must(!topic.includes("\0") || topic.length > 0, "a topic is text");
        Object.assign(message, { topic, expected: byteLength, parts: [], received: 0 });
      }
      for (let left = count; left > 0; left -= CHUNK) {
        const part = new Uint8Array(Math.min(left, CHUNK));
        client.read(part);
        message.parts.push(part);
        message.received += part.length;
      }
      must(more === message.received < message.expected, "more says whether more will come");
      if (!more)
        events.push(`message ${message.topic} ${Buffer.from(concat(...message.parts)).toString("hex")}`);
    },
    onError(error) {
      must(open === false, "an error closes the client");
      events.push(`error ${(error as Error).message}`);
    },
  });
  callbacks!.onWritable(1000);
  settle();
  for (let fed = 0; fed < input.length && open; fed += size) {
    announced += Math.min(size, input.length - fed);
    callbacks!.onReadable(announced);
    settle();
  }
  must(!open || announced === 0, "what is announced is read");
  // What is left of a message that did not end.
  events.push(
    message.received < message.expected ? `cut at ${message.received} of ${message.expected}` : "end",
  );
  return events;
}

function frame(random: Random, first: number, body: Uint8Array): Uint8Array {
  let length = random.oneIn(20) ? random.below(400) : body.length;
  if (random.oneIn(60))
    return concat(
      [first],
      hex(random.pick(["ffffff7f", "ffffffff01", "8080808001", "80808000", "ffffffff"])),
      body,
    );
  const digits: number[] = [];
  do {
    digits.push((length & 127) | (length > 127 ? 128 : 0));
    length >>= 7;
  } while (length);
  // A length may be written with more bytes than it takes.
  if (random.oneIn(20) && digits.length < 4) {
    digits[digits.length - 1]! |= 128;
    digits.push(0);
  }
  return concat([first], Uint8Array.from(digits), body);
}

function publish(random: Random): Uint8Array {
  const qos = random.oneIn(30) ? random.below(4) : random.below(2);
  const topic = random.oneIn(20)
    ? random.bytes(random.below(6))
    : ascii(random.pick(["", "a", "$aws/things/t/jobs/notify-next"]));
  const length = random.oneIn(30) ? random.below(65536) : topic.length;
  const payload = random.bytes(random.pick([0, 1, 5, 100]));
  const id = qos ? [random.below(256), random.below(256)] : [];
  return frame(
    random,
    0x30 | (qos << 1) | (random.oneIn(4) ? 8 : 0) | random.below(2),
    concat([length >> 8, length & 255], topic, id, payload),
  );
}

const CONNACK = hex("20020000");

function generate(random: Random): Uint8Array {
  const parts = random.oneIn(20) ? [] : [CONNACK];
  for (let n = random.below(6); n > 0; n--) {
    const kind = random.below(8);
    if (kind < 5) parts.push(publish(random));
    else if (kind === 5)
      parts.push(frame(random, random.pick([0x40, 0x90, 0xb0, 0xd0, 0x20]), random.bytes(random.below(5))));
    else if (kind === 6) parts.push(frame(random, random.next() & 255, random.bytes(random.below(70))));
    else parts.push(hex(random.pick(["40020001", "9003000100", "b0020001", "d000"])));
  }
  return concat(...parts);
}

export const mqttFraming: FuzzTarget = {
  name: "mqtt-framing",
  corpus: [
    concat(CONNACK, hex("30050001616869"), hex("320700016100016869"), hex("d000"), hex("40020001")),
    concat(CONNACK, hex("3003000161"), hex("90040001 0080")),
    hex("20020005"),
    concat(CONNACK, hex("30ffffffff01")),
    concat(CONNACK, hex("3002ffff")),
  ],
  dictionary: ["20020000", "30", "32", "36", "ffffffff01", "ffff", "0000", "d000", "40020001"].map(hex),
  maxLength: 2000,
  weight: 0.25,
  generate,
  run(input) {
    const whole = transcript(input, input.length || 1);
    for (const size of [1, 7]) {
      const pieces = transcript(input, size);
      must(pieces.join("\n") === whole.join("\n"), `in pieces of ${size} bytes the same comes out`);
    }
    const error = whole.find((event) => event.startsWith("error "));
    if (error) return error.replace(/\d+/g, "#");
    return whole.some((event) => event.startsWith(`control ${MqttOperation.CONNACK}`))
      ? "taken"
      : "not connected";
  },
};
