/** What the MQTT client is written to, by whoever uses it directly. */
import { MqttClient, MqttOperation } from "../../hosts/mqtt/mqtt-client.js";
import type { SocketOptions } from "../../hosts/mqtt/socket.js";
import { deepEqual, equal, throws } from "../support/assert.js";
import { VirtualClock } from "../support/virtual-clock.js";
import { virtualResolver } from "../support/virtual-socket.js";

/** A socket that takes whatever it is given, as some of the SDK's do with TLS on top; it does not count. */
function start(writable: number) {
  const clock = new VirtualClock();
  const written: number[] = [];
  let callbacks: SocketOptions | undefined;
  let bytes: number[] = [];
  class Socket {
    format: "number" | "buffer" = "buffer";
    constructor(options: SocketOptions) {
      callbacks = options;
    }
    read(into?: Uint8Array): number | undefined {
      if (!into) return bytes.shift();
      into.set(bytes.splice(0, into.length));
      return undefined;
    }
    write(data: Uint8Array): undefined {
      written.push(data.length);
    }
    close() {}
  }
  const client = new MqttClient({
    ...{ host: "broker.test", id: "device", clock },
    ...{ dns: { io: virtualResolver(clock) }, socket: { io: Socket as never } },
  });
  clock.run(10);
  callbacks?.onWritable(writable);
  bytes = [0x20, 2, 0, 0];
  callbacks?.onReadable(4);
  clock.run(10);
  written.length = 0;
  return { client, written };
}

describe("MQTT client", () => {
  it("gives the socket nothing that it has no room for", () => {
    const { client, written } = start(64);
    throws(() => client.write(new Uint8Array(80), { topic: "t" }), { message: "overflow" });
    deepEqual(written, []);
    client.write(new Uint8Array(20), { topic: "t" });
    deepEqual(written, [25]);
  });

  it("mixes nothing into a message that is being written", () => {
    const { client, written } = start(1_000);
    client.write(new Uint8Array(4), { topic: "t", byteLength: 10 });
    const subscribe = { operation: MqttOperation.SUBSCRIBE, id: 1, items: [{ topic: "t" }] };
    throws(() => client.write(null, subscribe), { message: "being written" });
    throws(() => client.write(new Uint8Array(2), { topic: "t" }), { message: "being written" });
    throws(() => client.write(new Uint8Array(7)), { message: "being written" });
    equal(written.length, 1);
    client.write(new Uint8Array(6));
    client.write(null, subscribe);
    equal(written.length, 3);
  });
});
