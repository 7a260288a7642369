/** An application with all options of the package: what it is built and linked for fits together. Not made to run. */
import Resource from "Resource";
import config from "mc/config";
import { StreamPlane } from "xs-ota-agent";
import { connectAws, VersionReport } from "xs-ota-agent/aws";
import { Components } from "xs-ota-agent/components";
import { deviceComponents } from "xs-ota-agent/components-device";
import { hawkbit } from "xs-ota-agent/ddi-device";
import { connectMqtt, createOtaAgent, openPartition } from "xs-ota-agent/device";
import { FailureLog } from "xs-ota-agent/failure-log";
import { httpPlane } from "xs-ota-agent/http-device";
import { keysFromNvs, keysFromPartition, tlsWith } from "xs-ota-agent/keys";
import { DeviceMods } from "xs-ota-agent/mods-device";
import { shareMqtt } from "xs-ota-agent/mqtt-shared";
import { startNetwork } from "xs-ota-agent/network";
import { payloads } from "xs-ota-agent/payload-device";
import { receivePush } from "xs-ota-agent/push";
import { urlUpdates } from "xs-ota-agent/url-device";

const { thingName, host } = config;
const file = (name: string) => new Uint8Array(new Resource(name).slice(0));

/** Each option as the guide has it. */
export const options = {
  aws: () => connectAws({ endpoint: host, thingName, ...keysFromNvs() }),
  components: () => [Components, deviceComponents, openPartition("components")],
  mods: () => new DeviceMods({ fileType: 12 }),
  hawkbit: () => hawkbit({ url: `https://${host}`, authorization: "TargetToken token" }),
  push: () => receivePush({ updates: urlUpdates(), secret: "sixteen characters" }),
  shared: () => shareMqtt,
};

export default function main(): void {
  const start = () => {
    const mqtt = connectMqtt({ host, clientId: thingName, tls: tlsWith(keysFromPartition("keys")) });
    const agent = createOtaAgent({
      thingName,
      mqtt,
      trustedKeys: { "": file("code-signing.der") },
      dataPlanes: [httpPlane({ mqtt }), new StreamPlane({ mqtt, thingName })],
      payloads: payloads(),
      versionReport: new VersionReport({ package: "everything" }),
      failureLog: new FailureLog({ get: () => undefined, set: () => {} }),
    });
    void agent.init();
  };
  startNetwork({ ssid: "workshop", onReady: start });
}
