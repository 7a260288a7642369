/*
 * Measures what the agent adds to the memory of an application: slots and chunks at rest, and at the peak of a
 * transfer. Built with instrumentation; the flash is the simulated one, whose own memory counts as well.
 */

import Resource from "Resource";
import Debug from "debug";
import Instrumentation from "instrumentation";
import config from "mc/config";
import Timer from "timer";
import { connectMqtt, createOtaAgent } from "xs-ota-agent/device";

const SLOTS = Instrumentation.map("XS Slot Heap Used");
const CHUNKS = Instrumentation.map("XS Chunk Heap Used");
const STACK = Instrumentation.map("XS Stack Used");
/* Bytes of a slot on the host. */
const HOST_SLOT = 32;

const sample = () => ({
  slots: Instrumentation.get(SLOTS) / HOST_SLOT,
  chunks: Instrumentation.get(CHUNKS),
  stack: Instrumentation.get(STACK) / HOST_SLOT,
});

function live() {
  Debug.gc();
  return sample();
}

export default function () {
  const { thingName, host, port } = config;
  const start = live();
  const mqtt = connectMqtt({ host, port, clientId: thingName });
  const peak = { slots: 0, chunks: 0, stack: 0 };
  const measure = () => {
    const now = live();
    for (const key in peak) peak[key] = Math.max(peak[key], now[key]);
  };
  Timer.set(() => {
    const connected = live();
    const report = (name, value) =>
      trace(
        `memory ${name} ${JSON.stringify({ slots: value.slots - start.slots, chunks: value.chunks - start.chunks })}\n`,
      );
    report("connected", connected);
    const agent = createOtaAgent({
      thingName,
      mqtt,
      trustedKeys: { "": new Uint8Array(new Resource("code-signing.der").slice(0)) },
      onEvent({ type }) {
        if (type === "progress") measure();
        if (type === "no-active-job") report("rest", live());
        if (type === "activate") {
          report("peak", peak);
          trace(`memory stack ${JSON.stringify({ slots: peak.stack })}\n`);
          agent.activateNewImage();
        }
        if (type === "start-test") agent.setImageState("accepted");
      },
    });
    agent.init();
  }, 1000);
}
