/** An application in JavaScript, without an `onEvent` of its own. */
import Resource from "Resource";
import config from "mc/config";
import { connectMqtt, createOtaAgent } from "xs-ota-agent/device";

export default function () {
  const { thingName, host, port } = config;
  const mqtt = connectMqtt({ host, port, clientId: thingName });
  const trustedKeys = { "": new Uint8Array(new Resource("code-signing.der").slice(0)) };
  createOtaAgent({ thingName, mqtt, trustedKeys }).init();
}
