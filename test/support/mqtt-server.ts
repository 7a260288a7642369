/**
 * The byte-level MQTT peer on real sockets, for the conformance suite on Node.
 * @module
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { MqttConnection } from "../../src/ports.js";
import type { MqttHarness, MqttLimits } from "../conformance/mqtt-connection.js";
import type { PeerSession } from "./mqtt-peer.js";

/** Lets bytes of one side reach the other. */
const SETTLE = 10;
const PATIENCE = 15_000;

const wait = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

/** A harness for a connection of this process, to `mqtt://127.0.0.1:port`. */
export function nodeMqttHarness(
  create: (port: number) => MqttConnection & { close(): unknown },
  limits: MqttLimits = {},
): MqttHarness {
  let server: Server;
  const sockets = new Set<Socket>();
  return {
    limits,
    async open(peer) {
      server = createServer((socket) => {
        sockets.add(socket);
        socket.setNoDelay(true);
        let session: PeerSession | undefined;
        socket.on("data", (bytes) => session?.received(bytes));
        socket.on("error", () => {});
        socket.on("close", () => sockets.delete(socket));
        session = peer.accept({ send: (bytes) => void socket.write(bytes), close: () => void socket.end() });
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return create((server.address() as AddressInfo).port);
    },
    async until(condition, what) {
      for (const end = Date.now() + PATIENCE; !condition(); await wait(2))
        if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    },
    settle: () => wait(SETTLE),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
