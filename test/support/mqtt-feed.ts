/**
 * Feeds the MQTT client of the hosts with bytes, as a broker and a network might, and writes down what comes out.
 * Pure.
 * @module
 */
import { MqttClient, type MqttReadable } from "../../hosts/mqtt/mqtt-client.js";
import type { Socket, SocketOptions } from "../../hosts/mqtt/socket.js";
import { toHex } from "../../src/bytes.js";
import type { Clock } from "../../src/ports.js";
import { ok } from "./assert.js";
import { concat } from "./hex.js";

/** Bytes the application reads at a time; more is offered only when that was read. */
const CHUNK = 700;

/** Feeds a client with `input` in pieces of `size` bytes; returns everything that came out. */
export function transcript(input: Uint8Array, size: number): string[] {
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
    ok(open && length <= announced, "no more is read than was announced");
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
      ok(open, "nothing is written to a closed socket");
      events.push(`sent ${toHex(bytes)}`);
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
      ok(open, "nothing is offered by a closed client");
      if (topic !== undefined) {
        ok(QoS === 0 || QoS === 1, "a message has QoS 0 or 1");
        Object.assign(message, { topic, expected: byteLength, parts: [], received: 0 });
      }
      for (let left = count; left > 0; left -= CHUNK) {
        const part = new Uint8Array(Math.min(left, CHUNK));
        client.read(part);
        message.parts.push(part);
        message.received += part.length;
      }
      ok(more === message.received < message.expected, "more says whether more will come");
      if (!more) events.push(`message ${message.topic} ${toHex(concat(...message.parts))}`);
    },
    onError(error) {
      ok(open === false, "an error closes the client");
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
  ok(!open || announced === 0, "what is announced is read");
  // What is left of a message that did not end.
  events.push(
    message.received < message.expected ? `cut at ${message.received} of ${message.expected}` : "end",
  );
  return events;
}
