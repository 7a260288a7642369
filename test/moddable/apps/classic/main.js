/** An application with the SDK's classic `mqtt` client, which it makes anew when it is closed, and shares. */
import Resource from "Resource";
import config from "mc/config";
import Client from "mqtt";
import Timer from "timer";
import { ClassicMqttConnection, createOtaAgent, ModdableClock } from "xs-ota-agent/device";

export default function () {
  const { thingName, host, port } = config;
  const mqtt = new ClassicMqttConnection(new ModdableClock());
  const connect = () => {
    const client = new Client({ host, port, id: thingName, timeout: 60_000 });
    client.onReady = () => {
      client.subscribe(`commands/${thingName}`);
      client.publish(`telemetry/${thingName}`, ArrayBuffer.fromString("ready"));
    };
    client.onMessage = (topic) => trace(`application: ${topic}\n`);
    client.onClose = () => Timer.set(connect, 1_000);
    mqtt.attach(client);
  };
  connect();
  const trustedKeys = { "": new Uint8Array(new Resource("code-signing.der").slice(0)) };
  createOtaAgent({ thingName, mqtt, trustedKeys }).init();
}
