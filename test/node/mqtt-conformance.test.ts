/** The MQTT connection of the Node host, and the one of the XS host in front of it. */
import { NodeMqttConnection } from "../../hosts/node/mqtt-connection.js";
import { mqttConformance } from "../conformance/mqtt-connection.js";
import { nodeMqttHarness } from "../support/mqtt-server.js";
import { xsMqttConnection } from "../support/xs-host.js";

const connect = (port: number) => {
  const connection = new NodeMqttConnection({
    url: `mqtt://127.0.0.1:${port}`,
    clientId: "device",
    firstWait: 100,
    longestWait: 400,
    ackTimeout: 1_000,
    options: { keepalive: 1, connectTimeout: 1_000 },
  });
  const close = connection.close.bind(connection, true);
  return Object.assign(connection, { close });
};

/** The package repeats on the next connection only, where to the caller the message has failed. */
const LIMITS = { repeats: false, bounded: false } as const;

mqttConformance("NodeMqttConnection", () => nodeMqttHarness(connect, LIMITS));
mqttConformance("XsMqtt", () => nodeMqttHarness((port) => xsMqttConnection(connect(port)), LIMITS));
