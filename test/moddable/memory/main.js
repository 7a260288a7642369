/*
 * Measures what the agent adds to the memory of an application: slots and chunks while its connection is being made, at
 * rest, and at the peak of a transfer. Built with instrumentation; the flash is the simulated one, whose own memory
 * counts as well.
 */

import Resource from "Resource";
import Debug from "debug";
import Instrumentation from "instrumentation";
import config from "mc/config";
import Timer from "timer";
import { connectMqtt, createOtaAgent } from "xs-ota-agent/device";
import { keysFromNvs, tlsWith } from "xs-ota-agent/keys";
import { openPartition } from "xs-ota-agent/platform";

const SLOTS = Instrumentation.map("XS Slot Heap Used");
const CHUNKS = Instrumentation.map("XS Chunk Heap Used");
const STACK = Instrumentation.map("XS Stack Used");
/* Bytes of a slot on the host. */
const HOST_SLOT = 32;
/* Often enough to see each message of a TLS handshake. */
const SAMPLE_MS = 1;
/* Until what was needed to connect is garbage. */
const SETTLED_MS = 500;

const sample = () => ({
  slots: Instrumentation.get(SLOTS) / HOST_SLOT,
  chunks: Instrumentation.get(CHUNKS),
  stack: Instrumentation.get(STACK) / HOST_SLOT,
});

function live() {
  Debug.gc();
  return sample();
}

/* The most of each that was seen. */
class Peak {
  slots = 0;
  chunks = 0;
  stack = 0;
  measure() {
    const now = live();
    for (const key in this) this[key] = Math.max(this[key], now[key]);
  }
}

export default function () {
  const { thingName, host, port, secure } = config;
  /* Whatever is opened first brings the simulated flash along. */
  openPartition("running");
  const start = live();
  const report = (name, value) =>
    trace(
      `memory ${name} ${JSON.stringify({ slots: value.slots - start.slots, chunks: value.chunks - start.chunks })}\n`,
    );
  trace(`memory application ${JSON.stringify(start)}\n`);
  const opening = new Peak();
  const sampling = Timer.repeat(() => opening.measure(), SAMPLE_MS);
  const tls = secure ? tlsWith(keysFromNvs()) : undefined;
  const mqtt = connectMqtt({ host, port, clientId: thingName, tls });
  const peak = new Peak();
  const begin = () => {
    Timer.clear(sampling);
    report("opening", opening);
    report("connected", live());
    const agent = createOtaAgent({
      thingName,
      mqtt,
      trustedKeys: { "": new Uint8Array(new Resource("code-signing.der").slice(0)) },
      onEvent({ type }) {
        if (type === "progress") peak.measure();
        if (type === "no-active-job") report("rest", live());
        if (type === "activate") {
          report("peak", peak);
          trace(`memory stack ${JSON.stringify({ slots: Math.max(peak.stack, opening.stack) })}\n`);
          agent.activateNewImage();
        }
        if (type === "start-test") agent.setImageState("accepted");
      },
    });
    agent.init();
  };
  const observer = {
    online() {
      mqtt.removeObserver(observer);
      Timer.set(begin, SETTLED_MS);
    },
    offline() {},
  };
  mqtt.addObserver(observer);
}
