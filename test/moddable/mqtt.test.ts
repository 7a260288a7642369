/**
 * The MQTT connection over real sockets of the Moddable runtime, with the package's own client and with the
 * SDK's.
 * @module
 */

import Listener from "embedded:io/socket/listener";
import TCP from "embedded:io/socket/tcp";
import SdkClient from "embedded:network/mqtt/client";
import Timer from "timer";
import type { MqttClientConstructor } from "../../hosts/common/mqtt-client.js";
import { connectMqtt } from "../../hosts/moddable/mqtt.js";
import { type MqttHarness, mqttConformance } from "../conformance/mqtt-connection.js";
import { fail } from "../support/assert.js";
import type { MqttPeer, Wire } from "../support/mqtt-peer.js";

/** Sockets are polled every 20 ms on the host. */
const POLL = 10;
const SETTLE = 60;
const PATIENCE = 20_000;

const wait = (ms: number) => new Promise<void>((resolve) => void Timer.set(() => resolve(), ms));

/** The peer's end of an accepted connection. */
class AcceptedWire implements Wire {
  #socket: TCP | undefined;
  #waiting: Uint8Array[] = [];
  #writable = 0;

  constructor(from: TCP, received: (bytes: Uint8Array) => void) {
    this.#socket = new TCP({
      from,
      onReadable: (count) => {
        const bytes = new Uint8Array(this.#socket?.read(count) as ArrayBuffer);
        received(bytes);
      },
      onWritable: (count) => {
        this.#writable = count;
        this.#flush();
      },
      onError: () => this.close(),
    });
  }

  send(bytes: Uint8Array): void {
    this.#waiting.push(bytes.slice());
    this.#flush();
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #flush(): void {
    while (this.#waiting.length && this.#writable && this.#socket) {
      const [first] = this.#waiting;
      const part = first.subarray(0, this.#writable);
      const left = this.#socket.write(part) as unknown as number | undefined;
      this.#writable = left ?? this.#writable - part.length;
      if (part.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(part.length);
    }
  }
}

function harness(Client: MqttClientConstructor | undefined): MqttHarness {
  let listener: Listener | undefined;
  const wires: AcceptedWire[] = [];
  return {
    stallsOnEmptyMessage: Client !== undefined,
    async open(peer: MqttPeer) {
      listener = new Listener({
        port: 0,
        onReadable(count) {
          for (; count > 0; count--) {
            const from = this.read();
            if (!from) continue;
            let session: ReturnType<MqttPeer["accept"]> | undefined;
            const wire = new AcceptedWire(from, (bytes) => session?.received(bytes));
            session = peer.accept(wire);
            wires.push(wire);
          }
        },
      });
      const tuning = {
        firstWait: 200,
        longestWait: 1_000,
        connectTimeout: 5_000,
        ackTimeout: 700,
      };
      const options = { host: "127.0.0.1", port: listener.port, clientId: "device", keepAlive: 1_000 };
      return connectMqtt({ ...options, Client, tuning, log: () => {} }, Math.random);
    },
    async until(condition, what) {
      for (let waited = 0; !condition(); waited += POLL) {
        if (waited > PATIENCE) fail(`waited in vain: ${what}`);
        await wait(POLL);
      }
    },
    settle: () => wait(SETTLE),
    async close() {
      for (const wire of wires) wire.close();
      (listener as unknown as { close(): void }).close();
    },
  };
}

mqttConformance("MQTT on sockets, own client", () => harness(undefined));
mqttConformance("MQTT on sockets, client of the SDK", () =>
  harness(SdkClient as unknown as MqttClientConstructor),
);
