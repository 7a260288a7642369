/**
 * An application that is an npm package, in TypeScript, with options of the agent, a global that mcpack brings, and a module of
 * its own.
 */
import Resource from "Resource";
import config from "mc/config";
import { StreamPlane } from "xs-ota-agent";
import { connectMqtt, createOtaAgent } from "xs-ota-agent/device";
import { httpPlane } from "xs-ota-agent/http-device";
import { payloads } from "xs-ota-agent/payload-device";
import { isGood } from "./self-test.js";

const { thingName, host, port } = config;

export default function main(): void {
  const mqtt = connectMqtt({ host, port, clientId: thingName });
  const agent = createOtaAgent({
    thingName,
    mqtt,
    trustedKeys: { "": new Uint8Array(new Resource("code-signing.der").slice(0)) },
    dataPlanes: [httpPlane({ mqtt }), new StreamPlane({ mqtt, thingName })],
    payloads: payloads(),
    onEvent(event) {
      console.log(`ota: ${event.type}`);
      if (event.type === "activate") agent.activateNewImage();
      if (event.type === "start-test") agent.setImageState(isGood() ? "accepted" : "rejected");
    },
  });
  void agent.init();
}
