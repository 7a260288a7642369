import Resource from "Resource";
import config from "mc/config";
import { connectMqtt, createOtaAgent } from "xs-ota-agent/device";

const { thingName, host, port } = config;
const mqtt = connectMqtt({ host, port, clientId: thingName });
const trustedKeys = { "": new Uint8Array(new Resource("code-signing.der").slice(0)) };
const onState = (state) => self.postMessage(state);
createOtaAgent({ thingName, mqtt, trustedKeys, onState }).init();
