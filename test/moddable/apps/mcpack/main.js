/** An application that is an npm package, in JavaScript: what it imports brings the agent's manifest along. */

import Resource from "moddable:Resource";
import config from "moddable:mc/config";
import { connectMqtt, createOtaAgent } from "xs-ota-agent/device";

export default function () {
  const { thingName, host, port } = config;
  const mqtt = connectMqtt({ host, port, clientId: thingName });
  const trustedKeys = { "": new Uint8Array(new Resource("code-signing.der").slice(0)) };
  createOtaAgent({ thingName, mqtt, trustedKeys }).init();
}
