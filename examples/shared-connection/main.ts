/**
 * A product that reports a measurement four times a second and takes commands, and goes on doing so while it updates
 * itself: the agent and the application share one MQTT connection. What an update does to the reports is shown at its end.
 * @module
 */

import Resource from "Resource";
import config from "mc/config";
import Time from "time";
import Timer from "timer";
import { StreamPlane } from "xs-ota-agent";
import { connectMqtt, createOtaAgent } from "xs-ota-agent/device";
import { httpPlane } from "xs-ota-agent/http-device";

const { thingName, host, port } = config;

/** Between two reports, milliseconds. */
const PERIOD = 250;

/** Times from when a report was due until it was written. */
class Delays {
  count = 0;
  worst = 0;
  failed = 0;

  add(ms: number): void {
    this.count++;
    if (ms > this.worst) this.worst = ms;
  }
}

export default function main(): void {
  const mqtt = connectMqtt({ host, port, clientId: thingName });
  let delays = new Delays();
  let turns = new Delays();

  // The application's own traffic.
  const start = Time.ticks;
  let reports = 0;
  Timer.repeat(() => {
    const due = ++reports * PERIOD;
    const measured = delays;
    const payload = new Uint8Array(
      ArrayBuffer.fromString(JSON.stringify({ report: reports, ticks: Time.ticks })),
    );
    mqtt.publish(`telemetry/${thingName}`, payload, 0, (error) => {
      if (error) measured.failed++;
      else measured.add(Time.delta(start, Time.ticks) - due);
    });
  }, PERIOD);

  // Commands to the application: each is answered by itself and the number of reports so far.
  let commands = 0;
  mqtt.subscribe({
    filter: `commands/${thingName}`,
    qos: 1,
    message(_topic, payload) {
      commands++;
      const answer = JSON.stringify({ command: String.fromCharCode(...payload), reports });
      mqtt.publish(`answers/${thingName}`, new Uint8Array(ArrayBuffer.fromString(answer)), 1);
    },
  });

  // How long other code keeps this machine busy.
  let last = Time.ticks;
  Timer.repeat(() => {
    const now = Time.ticks;
    turns.add(Time.delta(last, now) - 1);
    last = now;
  }, 1);

  const agent = createOtaAgent({
    thingName,
    mqtt,
    trustedKeys: { "": new Uint8Array(new Resource("code-signing.der").slice(0)) },
    dataPlanes: [httpPlane({ mqtt }), new StreamPlane({ mqtt, thingName })],
    onEvent(event) {
      switch (event.type) {
        case "received-job":
          delays = new Delays();
          turns = new Delays();
          break;
        case "activate":
          trace(`reports: ${JSON.stringify(delays)}\n`);
          trace(`commands: ${JSON.stringify({ count: commands })}\n`);
          trace(`turns: ${JSON.stringify(turns)}\n`);
          agent.activateNewImage();
          break;
        case "start-test":
          agent.setImageState("accepted");
          break;
        case "fail":
          trace(`update failed: ${event.error.message}\n`);
          break;
      }
    },
  });
  void agent.init();
}
