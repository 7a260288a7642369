/** An application with the SDK's ECMA-419 client, which it shares. */
import Resource from "Resource";
import TCP from "embedded:io/socket/tcp";
import MQTTClient from "embedded:network/mqtt/client";
import config from "mc/config";
import Timer from "timer";
import { createOtaAgent } from "xs-ota-agent/device";
import { shareMqtt } from "xs-ota-agent/mqtt-shared";

/** Addresses in numbers alone. */
class Resolver {
  resolve({ host, onResolved }) {
    Timer.set(() => onResolved.call(this, host, host));
  }
  close() {}
}

export default function () {
  const { thingName, host, port } = config;
  const { Client, mqtt } = shareMqtt(MQTTClient);
  const connect = () =>
    new Client({
      ...{ host, port, id: thingName, keepAlive: 60_000, dns: { io: Resolver }, socket: { io: TCP } },
      onControl(message) {
        if (message.operation !== MQTTClient.CONNACK) return;
        const items = [{ topic: `commands/${thingName}`, QoS: 1 }];
        this.write(null, { operation: MQTTClient.SUBSCRIBE, items, id: 1 });
      },
      onReadable(count) {
        this.read(count);
      },
      onWritable() {},
      onError: () => Timer.set(connect, 1_000),
    });
  connect();
  const trustedKeys = { "": new Uint8Array(new Resource("code-signing.der").slice(0)) };
  createOtaAgent({ thingName, mqtt, trustedKeys }).init();
}
