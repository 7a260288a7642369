/**
 * The HTTP client of the Moddable runtime over real sockets.
 * @module
 */

import Listener from "embedded:io/socket/listener";
import Timer from "timer";
import { ModdableClock } from "../../hosts/moddable/clock.js";
import { ModdableHttpClient } from "../../hosts/moddable/http-client.js";
import { HttpConnection } from "../../hosts/moddable/http-connection.js";
import { networkOptions } from "../../hosts/moddable/network.js";
import { type HttpHarness, httpConformance } from "../conformance/http-client.js";
import { fail } from "../support/assert.js";
import { AcceptedWire } from "./wire.js";

/** Sockets are polled every 20 ms on the host. */
const POLL = 10;
const SETTLE = 60;
const PATIENCE = 10_000;

const wait = (ms: number) => new Promise<void>((resolve) => void Timer.set(() => resolve(), ms));

function harness(): HttpHarness {
  let listener: Listener | undefined;
  const wires: AcceptedWire[] = [];
  const stop = async () => {
    for (const wire of wires) wire.close();
    (listener as unknown as { close(): void } | undefined)?.close();
    listener = undefined;
  };
  return {
    readsChunks: true,
    async open(peer) {
      listener = new Listener({
        port: 0,
        onReadable(count) {
          for (; count > 0; count--) {
            const from = this.read();
            if (!from) continue;
            let end: ReturnType<typeof peer.accept> | undefined;
            const wire = new AcceptedWire(from, (bytes) => end?.received(bytes));
            end = peer.accept(wire);
            wires.push(wire);
          }
        },
      });
      const network = () => networkOptions(undefined);
      const client = new ModdableHttpClient({ Client: HttpConnection, clock: new ModdableClock(), network });
      return { client, origin: `http://127.0.0.1:${listener.port}` };
    },
    async until(condition, what) {
      for (let waited = 0; !condition(); waited += POLL) {
        if (waited > PATIENCE) fail(`waited in vain: ${what}`);
        await wait(POLL);
      }
    },
    settle: () => wait(SETTLE),
    refuse: stop,
    close: stop,
  };
}

httpConformance("HTTP client on sockets", harness);
