/**
 * A product with updates over the air: connects to its MQTT service, updates when told to, tests itself.
 * @module
 */

import Resource from "Resource";
import config from "mc/config";
import { connectMqtt, createOtaAgent } from "xs-ota-agent/device";
import { keysFromNvs, tlsWith } from "xs-ota-agent/keys";

const { thingName, host, port, secure } = config;

const file = (name: string) => new Uint8Array(new Resource(name).slice(0));

export default function main(): void {
  const mqtt = connectMqtt({
    host,
    port,
    clientId: thingName,
    // The device's own key is in no image: `xs-ota nvs` writes it beside.
    tls: secure ? tlsWith(keysFromNvs()) : undefined,
  });

  const agent = createOtaAgent({
    thingName,
    mqtt,
    trustedKeys: { "": file("code-signing.der") },
    onEvent(event) {
      if (event.type !== "progress") trace(`ota: ${event.type}\n`);
      else if (event.received === event.total || event.received % 64 === 1)
        trace(`ota: ${event.received} of ${event.total} blocks\n`);
      if (event.type === "activate") agent.activateNewImage();
      if (event.type === "start-test") agent.setImageState(selfTest() ? "accepted" : "rejected");
    },
  });
  void agent.init();
}

/** Whatever tells a good image from a bad one: sensors answer, the file system mounts, the service is there. */
function selfTest(): boolean {
  return true;
}
