/**
 * A product with updates over the air: connects to its MQTT service, updates when told to, tests itself.
 * @module
 */

import Resource from "Resource";
import config from "mc/config";
import { connectMqtt, createOtaAgent } from "xs-ota-agent/device";

const { thingName, host, port, secure } = config;

const file = (name: string) => new Uint8Array(new Resource(name).slice(0));

export default function main(): void {
  const mqtt = connectMqtt({
    host,
    port,
    clientId: thingName,
    tls: secure
      ? {
          certificate: file("root-ca.der"),
          clientCertificates: [file("device.der")],
          clientKey: file("device-key.der"),
        }
      : undefined,
  });

  const agent = createOtaAgent({
    thingName,
    mqtt,
    trustedKeys: { "": file("code-signing.der") },
    onEvent(event) {
      trace(`ota: ${event.type} ${JSON.stringify(event.type === "progress" ? event : {})}\n`);
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
