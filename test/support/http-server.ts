/**
 * The byte-level HTTP server on real sockets, for the conformance suite on Node.
 * @module
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { HttpClient } from "../../src/ports.js";
import type { HttpHarness } from "../conformance/http-client.js";

/** Lets bytes of one side reach the other. */
const SETTLE = 30;
const PATIENCE = 10_000;

const wait = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

/** A harness for a client of this process. */
export function nodeHttpHarness(create: () => HttpClient): HttpHarness {
  let server: Server;
  const sockets = new Set<Socket>();
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  return {
    readsChunks: true,
    async open(peer) {
      server = createServer((socket) => {
        sockets.add(socket);
        socket.setNoDelay(true);
        const end = peer.accept({
          send: (bytes) => void socket.write(bytes),
          close: () => void socket.end(),
        });
        socket.on("data", (bytes) => end.received(bytes));
        socket.on("error", () => {});
        socket.on("close", () => sockets.delete(socket));
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return { client: create(), origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    },
    async until(condition, what) {
      for (const end = Date.now() + PATIENCE; !condition(); await wait(2))
        if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    },
    settle: () => wait(SETTLE),
    refuse: stop,
    close: stop,
  };
}
